"""Replicas under many sets of parameters, kept: intervals, plans and sliders of one session ask for the same again."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from simulator.facts.deployment import Deployment
from simulator.serving.kept_tables import KeptTables
from simulator.serving.replica import Replica, build_replica
from simulator.speculation.acceptance import Speculation

KEPT = 32
"""Calls whose replicas are kept, of some 2 kB each."""


@dataclass(frozen=True)
class _Call:
    """A deployment, a speculation and sets of parameters, compared by a digest of all that replicas depend on."""

    digest: bytes
    deployment: Deployment = field(compare=False)
    speculation: Speculation = field(compare=False)
    sets: Sequence[Mapping[str, float]] = field(compare=False)


def replicas_under(
    deployment: Deployment, speculation: Speculation, sets: Sequence[Mapping[str, float]]
) -> tuple[Replica, ...]:
    """The replica of a deployment under each set of parameters, all with the same names in the same order.

    They depend on the depth of the speculation, not on its acceptance, and may not be written to.
    """
    names = tuple(sets[0]) if sets else ()
    values = np.array([list(one.values()) for one in sets])
    key = hashlib.sha256(repr((deployment, speculation.tokens, names, values.shape)).encode() + values.tobytes())
    return _built(_Call(key.digest(), deployment, speculation, sets))


@functools.lru_cache(maxsize=KEPT)
def _built(call: _Call) -> tuple[Replica, ...]:
    deployment, speculation, tables = call.deployment, call.speculation, KeptTables(len(call.sets))
    return tuple(
        build_replica(deployment, speculation, one, tables.of(call.digest, deployment, speculation.tokens, one))
        for one in call.sets
    )
