"""Discrete events of many configurations at once: on one core, on all local ones (joblib), or on a Dask cluster.

Every task carries its own seed, so its numbers do not depend on where, when and beside what it runs. With a results
file, finished tasks are appended chunk by chunk; a sweep that was interrupted runs only those that the file lacks.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from simulator.bounds import whole
from simulator.errors import InputError, MachineError, unknown_name
from simulator.files.journal import Journal, kept
from simulator.files.lines import Format, number_in
from simulator.files.paths import user_path
from simulator.prediction.predict import versions
from simulator.serving.batch import Case, expected_batch
from simulator.serving.scenario import Scenario
from simulator.serving.trusted import EVENTS
from simulator.what_if.grid import Progress, cases_of, silent

Array = NDArray[np.float64]
Metrics = dict[str, float]
A = TypeVar("A")
B = TypeVar("B")
BACKENDS = ("joblib", "serial", "dask")
CHUNK = 8
"""Tasks sent to a worker at once, and written to the results file together."""
ANSWER_SECONDS = 10
"""How long a Dask scheduler may take to answer."""
HEADER = "mtpsim results"
ESSENTIAL = {"total_tok_s_gpu", "output_tok_s_gpu", "requests_per_s"}
"""Metrics that every configuration has."""
_KEY = re.compile("[0-9a-f]{64}")


MOST_JOBS = 4096


@dataclass(frozen=True)
class Backend:
    """Where discrete events run.

    Attributes:
        name: ``joblib`` (local processes), ``serial`` or ``dask``.
        jobs: processes of joblib; -1: one per core.
        scheduler: address of a Dask scheduler, such as ``tcp://host:8786``.
        results: file of finished tasks, read first and appended to; None: nothing is kept.
    """

    name: str = "joblib"
    jobs: int = -1
    scheduler: str | None = None
    results: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            InputError: an unknown backend, a scheduler that is missing or of no use, or no place for results.
        """
        if self.name not in BACKENDS:
            raise unknown_name("backend", self.name, BACKENDS)
        if self.name == "dask" and not self.scheduler:
            raise InputError("--backend dask: expected --scheduler ADDRESS, such as tcp://127.0.0.1:8786")
        if self.name != "dask" and self.scheduler:
            raise InputError(f"--scheduler {self.scheduler}: only --backend dask has a scheduler, found {self.name}")
        if self.jobs == 0:
            raise InputError("--jobs: expected a number of processes, or -1 for one per core, found 0")
        whole("--jobs", self.jobs, -1, MOST_JOBS)
        if self.results is not None and not user_path("--results", self.results).parent.is_dir():
            raise InputError(f"--results {self.results}: expected a file in a folder that there is")


LOCAL = Backend()


class Task(Case):
    """A configuration that has a name."""

    @property
    def key(self) -> str:
        """SHA-256 of everything that decides the numbers."""
        digest = hashlib.sha256()
        for table in (self.replica.target, self.replica.draft, self.replica.constants):
            digest.update(np.ascontiguousarray(table).tobytes())
        load = self.concurrency, self.cap, self.gpus, self.seed, self.runs, self.stretch
        rest = [self.workload.model_dump(), self.speculation.probabilities, load, versions()]
        digest.update(json.dumps(rest, sort_keys=True).encode())
        return digest.hexdigest()


def run_chunk(tasks: Sequence[Task]) -> list[Metrics]:
    """What a worker does."""
    return expected_batch(tasks, threads=1)


def run_tasks(tasks: Sequence[Task], backend: Backend = LOCAL, progress: Progress = silent) -> list[Metrics]:
    """Metrics of every task, in the order of the tasks; equal tasks run once.

    Raises:
        InputError: a results file that cannot be used, a scheduler that does not answer, or no Dask.
        MachineError: the disk is full, or workers died.
    """
    keys = [task.key for task in tasks]
    with contextlib.ExitStack() as stack:
        journal = None if backend.results is None else stack.enter_context(kept_in(backend.results))
        known: dict[str, Metrics] = {} if journal is None else journal.known
        todo = {key: task for key, task in zip(keys, tasks, strict=True) if key not in known}
        names = list(todo)
        chunks = [names[start : start + CHUNK] for start in range(0, len(names), CHUNK)]
        total, done = len(set(keys)), len(set(keys)) - len(todo)
        progress(done, total)
        if journal is not None and chunks:
            journal.begin()
        try:
            for i, found in _in_any_order([[todo[key] for key in chunk] for chunk in chunks], backend):
                fresh = dict(zip(chunks[i], found, strict=True))
                if journal is not None:
                    journal.add(fresh)
                known |= fresh
                done += len(fresh)
                progress(done, total)
        except BaseException as fault:
            kept(fault, journal, set(keys), total, "configurations")
            raise
        return [known[key] for key in keys]


def tasks_of(scenarios: Sequence[Scenario], concurrencies: Sequence[int], seed: int) -> list[Task]:
    """Every scenario at every concurrency, concurrencies innermost. Requests beyond what fits in memory queue."""
    return [Task(**vars(case)) for case in cases_of(scenarios, concurrencies, seed)]


def events_grid(
    scenarios: Sequence[Scenario],
    concurrencies: Sequence[int],
    *,
    seed: int = 0,
    backend: Backend = LOCAL,
    progress: Progress = silent,
) -> tuple[dict[str, Array], NDArray[np.str_]]:
    """Like :func:`simulator.what_if.grid.trusted_grid`, all by discrete events."""
    found = run_tasks(tasks_of(scenarios, concurrencies, seed), backend, progress)
    shape = (len(scenarios), len(concurrencies))
    grid = {name: np.array([row.get(name, math.nan) for row in found]).reshape(shape) for name in found[0]}
    return grid, np.full(shape, EVENTS)


def _in_any_order(chunks: list[list[Task]], backend: Backend) -> Iterator[tuple[int, list[Metrics]]]:
    """(index of a chunk, its metrics) as they finish."""
    if backend.name == "dask":
        return _on_dask(chunks, str(backend.scheduler))
    if backend.name == "serial" or not chunks:
        return ((i, run_chunk(chunk)) for i, chunk in enumerate(chunks))
    return _on_joblib(chunks, backend.jobs)


def _on_joblib(chunks: list[list[Task]], jobs: int) -> Iterator[tuple[int, list[Metrics]]]:
    return in_processes(run_chunk, chunks, jobs)


def in_processes(function: Callable[[A], B], items: Sequence[A], jobs: int = -1) -> Iterator[tuple[int, B]]:
    """(index of an item, what a function gives of it) as they finish, in processes of their own.

    Args:
        function: of a module, so that another process finds it.
        items: one argument each.
        jobs: processes; -1: one per core.

    Raises:
        MachineError: a process died.
    """
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered")
    try:
        with _safe_path():
            with _spared():
                found = parallel(delayed(_numbered)(i, function, item) for i, item in enumerate(items))
            yield from found
    except BrokenProcessPool:
        raise MachineError(
            "the system ended a worker process, most likely for lack of memory; fewer --jobs take less"
        ) from None


def _numbered(i: int, function: Callable[[A], B], item: A) -> tuple[int, B]:
    return i, function(item)


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """New processes of Python do not import from the current folder: joblib starts its workers by ``python -m``."""
    name = "PYTHONSAFEPATH"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


@contextlib.contextmanager
def _spared() -> Iterator[None]:
    """Processes that are started inside do not end with the terminal, but with this process, which knows how."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _on_dask(chunks: list[list[Task]], scheduler: str) -> Iterator[tuple[int, list[Metrics]]]:
    try:
        from distributed import Client, as_completed
    except ModuleNotFoundError:
        raise InputError("--backend dask needs Dask: pip install 'mtpsim[distributed]'") from None
    try:
        client = Client(scheduler, timeout=ANSWER_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as fault:
        reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise InputError(
            f"--scheduler {scheduler}: no Dask scheduler answered within {ANSWER_SECONDS} s ({reason}); expected the "
            "address that `dask scheduler` prints, such as tcp://127.0.0.1:8786"
        ) from None
    with client, _lost_workers(scheduler):
        if not client.scheduler_info()["workers"]:
            raise InputError(f"--scheduler {scheduler}: it has no workers; start some with `dask worker {scheduler}`")
        futures = {client.submit(run_chunk, chunk, pure=False): i for i, chunk in enumerate(chunks)}
        for future, found in as_completed(list(futures), with_results=True, loop=client.loop):
            yield futures[future], found


@contextlib.contextmanager
def _lost_workers(scheduler: str) -> Iterator[None]:
    from distributed import CancelledError, KilledWorker
    from distributed.comm import CommClosedError

    try:
        yield
    except (KilledWorker, CancelledError, CommClosedError) as fault:
        raise MachineError(f"--scheduler {scheduler}: its workers or it went away ({type(fault).__name__})") from None


def kept_in(place: str) -> Journal:
    """A file of finished configurations.

    Raises:
        InputError: it is of another kind, cannot be read, or another run is writing there.
    """
    form = Format("--results", "a file of earlier results", (HEADER,), re.compile(HEADER), "metrics", checked)
    return Journal(place, form)


def checked(key: str, content: Any) -> Metrics:
    """Metrics as a file of results has them.

    Raises:
        ValueError, TypeError: not metrics, or a number is not finite or negative.
    """
    if not _KEY.fullmatch(key) or not isinstance(content, dict) or not content.keys() >= ESSENTIAL:
        raise ValueError("not the metrics of a configuration")
    return {name: number_in(value) for name, value in content.items()}
