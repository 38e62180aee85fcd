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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from simulator.bounds import whole
from simulator.errors import InputError, unknown_name
from simulator.prediction.predict import versions
from simulator.serving.batch import Case, expected_batch
from simulator.serving.scenario import Scenario
from simulator.serving.trusted import EVENTS
from simulator.what_if.grid import Progress, cases_of, silent

Array = NDArray[np.float64]
Metrics = dict[str, float]
BACKENDS = ("joblib", "serial", "dask")
CHUNK = 8
"""Tasks sent to a worker at once, and written to the results file together."""
ANSWER_SECONDS = 10
"""How long a Dask scheduler may take to answer."""
HEADER = "mtpsim results"


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
            InputError: an unknown backend, or a scheduler that is missing or of no use.
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
    """
    keys = [task.key for task in tasks]
    file = None if backend.results is None else Path(backend.results).expanduser()
    known = {} if file is None else _read(file)
    todo = {key: task for key, task in zip(keys, tasks, strict=True) if key not in known}
    names = list(todo)
    chunks = [names[start : start + CHUNK] for start in range(0, len(names), CHUNK)]
    total, done = len(set(keys)), len(set(keys)) - len(todo)
    progress(done, total)
    writer = None if file is None or not chunks else _open(file)
    try:
        for i, found in _in_any_order([[todo[key] for key in chunk] for chunk in chunks], backend):
            fresh = dict(zip(chunks[i], found, strict=True))
            known |= fresh
            if writer is not None:
                _append(writer, fresh)
            done += len(fresh)
            progress(done, total)
    finally:
        if writer is not None:
            writer.close()
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


def _numbered(i: int, chunk: Sequence[Task]) -> tuple[int, list[Metrics]]:
    return i, run_chunk(chunk)


def _on_joblib(chunks: list[list[Task]], jobs: int) -> Iterator[tuple[int, list[Metrics]]]:
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered")
    with _safe_path():
        yield from parallel(delayed(_numbered)(i, chunk) for i, chunk in enumerate(chunks))


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
    with client:
        if not client.scheduler_info()["workers"]:
            raise InputError(f"--scheduler {scheduler}: it has no workers; start some with `dask worker {scheduler}`")
        futures = {client.submit(run_chunk, chunk, pure=False): i for i, chunk in enumerate(chunks)}
        for future, found in as_completed(list(futures), with_results=True, loop=client.loop):
            yield futures[future], found


def _read(file: Path) -> dict[str, Metrics]:
    """Finished tasks of a results file; a last line cut off by an interruption is left out."""
    if not file.exists() or file.stat().st_size == 0:
        return {}
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(f"--results {file}: cannot be read: {fault}") from None
    if lines[0] != HEADER:
        raise InputError(f"--results {file}: expected a file of earlier results, whose first line is {HEADER!r}")
    found: dict[str, Metrics] = {}
    for number, line in enumerate(lines[1:-1], start=2):
        try:
            entry: dict[str, Any] = json.loads(line)
            found[entry["key"]] = entry["metrics"]
        except (json.JSONDecodeError, KeyError, TypeError):
            raise InputError(
                f"--results {file}: line {number} is damaged; expected one finished configuration"
            ) from None
    return found


def _open(file: Path) -> TextIO:
    """The file, ready to append whole lines to."""
    try:
        if not file.exists() or file.stat().st_size == 0:
            file.write_text(HEADER + "\n", encoding="utf-8")
        else:
            text = file.read_text(encoding="utf-8")
            if not text.endswith("\n"):
                file.write_text(text[: text.rfind("\n") + 1], encoding="utf-8")
        return file.open("a", encoding="utf-8")
    except OSError as fault:
        raise InputError(f"--results {file}: cannot be written: {fault.strerror or fault}") from None


def _append(writer: TextIO, fresh: dict[str, Metrics]) -> None:
    writer.writelines(json.dumps({"key": key, "metrics": metrics}) + "\n" for key, metrics in fresh.items())
    writer.flush()
    os.fsync(writer.fileno())
