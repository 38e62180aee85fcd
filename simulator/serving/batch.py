"""The closed-loop benchmark of many configurations at once: lengths drawn once, discrete events on all cores.

Configurations that ask the same of the engine (lengths, drafts, clients, seed) see the same requests, so that what
differs between them is not the luck of the draw. A configuration gives the same numbers alone and among others.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from simulator import kernels as kn
from simulator.files.limits import within
from simulator.serving.reduction import reduced
from simulator.serving.replica import Replica
from simulator.speculation.acceptance import Speculation
from simulator.speculation.rounds import draw_rounds
from simulator.traffic.benchmark import Workload, draw_lengths

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

REQUESTS_AVERAGED = 1280
"""Low concurrencies have few requests per run, so that many are simulated in all, as independent runs, and averaged."""
CHUNK_REQUESTS = 2**16
"""Requests simulated between two reductions, at least one run: this bounds the memory."""
BYTES_OF_REQUEST = 120
"""Memory that a simulated request takes with its results: three million took 90 for each."""
LEAST_FOR_SPREAD = 4
"""Runs from which their spread is stated."""


@dataclass(frozen=True)
class Ask:
    """What a benchmark asks of an engine, and which draw of it; equal ones see the same requests."""

    workload: Workload
    speculation: Speculation
    concurrency: int
    seed: int
    runs: int

    @property
    def requests(self) -> int:
        """Of one run."""
        return self.concurrency * self.workload.requests_per_client


@dataclass(frozen=True)
class Case:
    """One configuration.

    Attributes:
        replica: what serves.
        workload: lengths, and requests of each client.
        speculation: depth and acceptance.
        concurrency: clients.
        cap: most requests that run at once.
        gpus: of the replica.
        seed: of lengths and accepted drafts.
        runs: independent runs to average; None: as :func:`runs_needed` says.
        stretch: factor on the drawn rounds, for another acceptance under the same luck; see :func:`stretched`.
    """

    replica: Replica
    workload: Workload
    speculation: Speculation
    concurrency: int
    cap: int
    gpus: int
    seed: int = 0
    runs: int | None = None
    stretch: float = 1.0

    def __post_init__(self) -> None:
        """Refuse more requests than there is memory for.

        Raises:
            InputError: more requests in one run than the limit.
        """
        requests = self.concurrency * self.workload.requests_per_client
        within("requests", requests, "--concurrency times --requests-per-client", bytes_each=BYTES_OF_REQUEST)

    @property
    def ask(self) -> Ask:
        """What it asks of its engine."""
        runs = self.runs or runs_needed(self.concurrency, self.workload.requests_per_client)
        return Ask(self.workload, self.speculation, self.concurrency, self.seed, runs)


@dataclass(frozen=True)
class Drawn:
    """Requests of ``runs`` runs: prompt and output tokens, rounds, and a uniform number each, shape (runs, n)."""

    prompt: Array
    output: Array
    rounds: Array
    luck: Array


def runs_needed(concurrency: int, requests_per_client: int) -> int:
    """Independent runs to average so that the mean is steady at low concurrency."""
    return max(1, -(-REQUESTS_AVERAGED // (concurrency * requests_per_client)))


def draw(ask: Ask) -> Drawn:
    """The requests of every run, each from a seed of its own."""
    n = ask.requests
    prompt, output, rounds, luck = (np.empty((ask.runs, n)) for _ in range(4))
    for i, rng in enumerate(generators(ask)):
        prompt[i], output[i], rounds[i] = draw_requests(rng, ask.workload, ask.speculation, n)
        luck[i] = rng.random(n)
    return Drawn(prompt, output, rounds, luck)


def generators(ask: Ask) -> list[np.random.Generator]:
    """A source of randomness per run."""
    return [np.random.default_rng(s) for s in np.random.SeedSequence([ask.seed, ask.concurrency]).spawn(ask.runs)]


def draw_requests(
    rng: np.random.Generator, workload: Workload, speculation: Speculation, n: int
) -> tuple[Array, Array, Array]:
    """Prompt tokens, output tokens and decode rounds of ``n`` requests, each of shape (n,)."""
    prompt = draw_lengths(rng, workload.isl, workload.range_ratio, n).astype(float)
    output = draw_lengths(rng, workload.osl, workload.range_ratio, n)
    return prompt, output.astype(float), draw_rounds(rng, output - 1, speculation)


def stretched(rounds: Array, luck: Array, factor: float) -> Array:
    """Rounds times a factor as whole numbers, up or down by each request's own luck, so that the mean is kept.

    Example:
        >>> stretched(np.array([2.0, 2.0, 0.0]), np.array([0.2, 0.7, 0.9]), 1.2).tolist()
        [2.0, 3.0, 0.0]
    """
    longer: Array = np.floor(rounds * factor + luck)
    return np.where(rounds > 0.0, np.maximum(longer, 1.0), 0.0)


def expected_batch(cases: Sequence[Case], threads: int | None = None) -> list[dict[str, float]]:
    """Expected metrics of every configuration, as of :func:`simulator.serving.closed_loop.expected_metrics`.

    Args:
        cases: configurations, in any order and mixture.
        threads: at work at once; None: one per core.
    """
    members: dict[Ask, list[int]] = {}
    for i, case in enumerate(cases):
        members.setdefault(case.ask, []).append(i)
    parts: list[_Part] = []
    for ask, found in members.items():
        size = max(1, CHUNK_REQUESTS // (ask.requests * ask.runs))
        blocks = [found[start : start + size] for start in range(0, len(found), size)]
        shared = _Shared(ask, len(blocks))
        parts += [_Part(shared, block, [cases[i] for i in block]) for block in blocks]
    out: list[dict[str, float]] = [{}] * len(cases)
    workers = min(threads or cores(), len(parts))
    if workers < 2:
        done = [part.run() for part in parts]
    else:
        with ThreadPoolExecutor(workers) as pool:
            done = list(pool.map(_Part.run, parts))
    for part, rows in zip(parts, done, strict=True):
        for i, row in zip(part.indices, rows, strict=True):
            out[i] = row
    return out


@dataclass
class _Shared:
    """Requests that several parts run on: drawn by the first, dropped by the last."""

    ask: Ask
    users: int
    drawn: Drawn | None = None
    lock: Lock = field(default_factory=Lock)

    def take(self) -> Drawn:
        with self.lock:
            drawn = self.drawn or draw(self.ask)
            self.users -= 1
            self.drawn = drawn if self.users else None
            return drawn


@dataclass(frozen=True)
class _Part:
    """Configurations that ask the same, few enough for one call of the kernel."""

    shared: _Shared
    indices: list[int]
    cases: list[Case]

    def run(self) -> list[dict[str, float]]:
        drawn, ask = self.shared.take(), self.shared.ask
        count = len(self.cases)
        table: dict[str, list[Array]] = {}
        # a case with too many requests for one chunk runs in several
        step = max(1, CHUNK_REQUESTS // (ask.requests * count))
        for start in range(0, ask.runs, step):
            found = _runs(self.cases, drawn, ask, range(start, min(start + step, ask.runs)))
            for name, values in found.items():
                table.setdefault(name, []).append(values)
        return _averaged({name: np.concatenate(values, axis=1) for name, values in table.items()})


def _runs(cases: Sequence[Case], drawn: Drawn, ask: Ask, runs: range) -> dict[str, Array]:
    """Metrics of some runs of all cases, each of shape (cases, runs)."""
    m, each, n = len(cases), len(runs), ask.requests
    which = np.repeat(np.arange(m), each)
    lengths_of = np.tile(np.arange(runs.start, runs.stop), m)
    rounds, rounds_of = drawn.rounds, lengths_of
    if any(case.stretch != 1.0 for case in cases):
        some = slice(runs.start, runs.stop)
        rounds = np.concatenate([stretched(drawn.rounds[some], drawn.luck[some], case.stretch) for case in cases])
        rounds_of = np.arange(m * each)
    send, first, finish = np.zeros((3, m * each, n))
    counters = kn.zeros(kn.Counters, m * each)
    kn.serve_batch(
        stack([case.replica.target for case in cases]),
        stack([case.replica.draft for case in cases]),
        records([case.replica.launched_for(case.concurrency) for case in cases]),
        np.array([float(case.cap) for case in cases]),
        which,
        drawn.prompt,
        drawn.output,
        rounds,
        lengths_of,
        rounds_of,
        ask.concurrency,
        send,
        first,
        finish,
        counters,
    )
    gpus = np.array([float(case.gpus) for case in cases])[which]
    found = reduced(
        send, first, finish, drawn.prompt[lengths_of], drawn.output[lengths_of], rounds[rounds_of], counters, gpus
    )
    return {name: values.reshape(m, each) for name, values in found.items()}


def _averaged(runs: dict[str, Array]) -> list[dict[str, float]]:
    """Means over runs of each case, shape (cases, runs); with enough of them ``sd_<metric>``, the relative standard
    deviation of one run. What no run has is left out, and so is a spread around nothing."""
    table: dict[str, Array] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of means of nothing
        for name, values in runs.items():
            holes = bool(np.isnan(values).any())
            table[name] = np.nanmean(values, axis=1) if holes else values.mean(axis=1)
            if values.shape[1] >= LEAST_FOR_SPREAD and not holes:
                spread = values.std(axis=1, ddof=1) / table[name]
                table[f"sd_{name}"] = np.where(values.all(axis=1), spread, np.nan)
    names = list(table)
    rows = zip(*(column.tolist() for column in table.values()), strict=True)
    return [{name: value for name, value in zip(names, row, strict=True) if value == value} for row in rows]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def constants_of(replicas: Sequence[Replica]) -> kn.Records:
    """Their constants as one array of records."""
    return records([replica.constants for replica in replicas])


def records(constants: Sequence[kn.Constants]) -> kn.Records:
    """Constants as one array."""
    out = kn.zeros(kn.Constants, len(constants))
    for i, one in enumerate(constants):
        out[i] = one
    return out


def stack(tables: list[Array]) -> Array:
    """Tables as one array; rows of zeros, which cost no time, fill up the shorter ones."""
    out = np.zeros((len(tables), max(t.shape[0] for t in tables), tables[0].shape[1]))
    for i, t in enumerate(tables):
        out[i, : t.shape[0]] = t
    return out
