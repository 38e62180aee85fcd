"""Where the closed form of the closed loop may stand for the discrete events.

It averages over a steady state: many generations of requests whose prefills are rare interruptions of long decodes.
Where a run is mostly opening burst and drain, where clients wait for slots, where outputs end within a few looks of the
scheduler, or where prefill takes a large part of the time, it is off by more than 5 % in throughput too often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from simulator.serving.batch import Case, constants_of, expected_batch
from simulator.serving.closed_loop import closed_form_load, closed_form_metrics
from simulator.serving.replica import Replica

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]

CLOSED_FORM = "closed-form"
EVENTS = "des"
FELL_BACK = f"{EVENTS} (closed form not valid here)"

CHUNK = 4096
"""Configurations by events in one call, which bounds the memory."""
LEAST_PER_CLIENT = 10.0
"""Requests of each client: the burst and the drain are a small part of the run."""
LEAST_LOOKS = 2.0
"""Rounds of a request over the steps between two looks for arrivals."""
MOST_PREFILL = 0.1
"""Share of the time that decoding requests stall for prefills."""
MANY_CLIENTS = 4
"""Fewer stall one another in step rather than at random, so that less of it is averaged away."""


def trusted(loads: Array, prefill_share: Array, poll_steps: Array) -> Flags:
    """Which configurations the closed form answers within 5 % of the discrete events, shape (n,).

    Shown on random configurations (input 128 to 32k, output 16 to 8k tokens, 1 to 512 clients, TP 1 to 8, depth 0 to
    8): of what passes, at most 1 % is further off in throughput (``tests/serving/test_trusted.py``).

    Args:
        loads: arguments of the closed form, shape (n, 7), see :class:`simulator.kernels.Load`.
        prefill_share: what it says of the time that decoding requests stall, shape (n,).
        poll_steps: steps between two looks for arrivals, shape (n,).
    """
    clients, per_client, rounds, cap = loads[:, 0], loads[:, 1], loads[:, 4], loads[:, 6]
    return (
        (clients <= cap)
        & (per_client >= LEAST_PER_CLIENT)
        & (rounds >= LEAST_LOOKS * poll_steps)
        & (prefill_share <= MOST_PREFILL * np.minimum(1.0, clients / MANY_CLIENTS))
    )


def polls_of(replicas: Sequence[Replica], which: Indices, clients: Array) -> Array:
    """Steps between two looks for arrivals of each configuration, shape (n,), launched for so many clients."""
    constants = constants_of(replicas)[which]
    many = (constants["many"] > 0) & (clients >= constants["many"])
    return np.where(many, constants["poll_many"], constants["poll"])


def closed_form_or_events(
    cases: Sequence[Case], together: Sequence[int] | Indices | None = None
) -> tuple[dict[str, Array], list[str]]:
    """Metrics of every configuration by the closed form, by discrete events where it is not to be trusted.

    Args:
        cases: configurations.
        together: per configuration the number of its group, which goes by events as a whole, so that what is compared
            was settled in one way; None: each for itself.

    Returns:
        The closed form's metrics and, of those by events, ``sd_<metric>`` (see
        :func:`simulator.serving.closed_loop.expected_metrics`; 0 elsewhere), each of shape (n,); and per configuration
        what settled it.
    """
    replicas = list({id(case.replica): case.replica for case in cases}.values())
    place = {id(replica): i for i, replica in enumerate(replicas)}
    which = np.array([place[id(case.replica)] for case in cases], dtype=np.int64)
    loads = np.array([closed_form_load(c.workload, c.speculation, c.concurrency, c.cap) for c in cases])
    found = closed_form_metrics(replicas, which, loads, np.array([float(case.gpus) for case in cases]))
    polls = polls_of(replicas, which, loads[:, 0])
    ok = trusted(loads, found["prefill_share"], polls)
    if together is not None:
        groups = np.asarray(together)
        ok = ~np.isin(groups, groups[~ok])
    rest = {i: case for i, case in enumerate(cases) if not ok[i]}
    return by_events(found, rest), [CLOSED_FORM if fine else FELL_BACK for fine in ok]


def by_events(found: Mapping[str, Array], rest: Mapping[int, Case]) -> dict[str, Array]:
    """The same metrics with those of events for the configurations in ``rest``, by their number, and their
    ``sd_<metric>``."""
    out = {name: values.copy() for name, values in found.items()}
    out |= {f"sd_{name}": np.zeros_like(values) for name, values in found.items()}
    numbers = list(rest)
    for start in range(0, len(numbers), CHUNK):
        some = numbers[start : start + CHUNK]
        for i, row in zip(some, expected_batch([rest[i] for i in some]), strict=True):
            for name in found:
                out[name][i] = row.get(name, out[name][i])
                out[f"sd_{name}"][i] = row.get(f"sd_{name}", 0.0)
    return out
