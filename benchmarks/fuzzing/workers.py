"""Blocks of inputs in processes of their own, so that a hang, a death or hunger for memory ends one input, not the run.

The parent compiles the kernels once; a worker is a fork of it and lives for one block, or for what is left of it after
the input that killed its forerunner. Time is that of the processor: a busy machine makes no hang.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import multiprocessing
import os
import resource
import shutil
import signal
import socket
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from fuzzing import kinds
from fuzzing.outcome import Finding
from fuzzing.verdict import Verdict, judge

BLOCK = 200
"""Inputs of a worker."""
GIGABYTE = 2**30
PATIENCE = 6
"""An input that waits for something is killed after this many times the processor time it may take."""


@dataclass(frozen=True)
class Run:
    """What is run.

    Attributes:
        seed: of every input.
        order: kinds as :func:`~fuzzing.kinds.wheel` lists them.
        limit: processor seconds of one input.
        memory: bytes that one input may take beside what the process has.
        command: instead of the command line of the simulator.
    """

    seed: int
    order: tuple[str, ...]
    limit: float = 20.0
    memory: float = 2.0 * GIGABYTE
    command: Callable[[list[str]], int] | None = None


@dataclass(frozen=True)
class Answer:
    """What came of one input.

    Attributes:
        block: first place of its block.
        place: on the walk around the wheel.
        kind: of input.
        number: of the input among those of its kind.
        verdict: what came out.
        keep: mutations that the finding needs; None: not known.
        seconds: of the processor.
    """

    block: int
    place: int
    kind: str
    number: int
    verdict: Verdict
    keep: tuple[int, ...] | None
    seconds: float


class _Worker:
    """A process at work on a block, seen from the parent."""

    def __init__(self, run: Run, block: int, start: int, stop: int, known: set[tuple[str, str]]) -> None:
        self.run, self.block, self.place, self.stop = run, block, start, stop
        self.since = time.monotonic()
        self.scratch = Path(tempfile.mkdtemp(prefix="fuzz-"))
        self.pipe, theirs = multiprocessing.Pipe(duplex=False)
        self.process = multiprocessing.get_context("fork").Process(target=_work, args=(self, theirs, known))
        self.process.start()
        theirs.close()

    def end(self) -> None:
        """Kill what is left of it."""
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.pipe.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def overdue(self) -> bool:
        """Whether its input waits for something that does not come."""
        return time.monotonic() - self.since > PATIENCE * self.run.limit

    def died(self) -> Answer:
        """The answer that it could not give."""
        kind, number = kinds.at(self.place, self.run.order)
        stack = (self.scratch / "stack").read_text(errors="replace")
        hang = self.process.exitcode == -signal.SIGPROF or self.overdue()
        code = self.process.exitcode
        what, detail = ("hang", stack) if hang else ("death", f"exit code {code}\n{stack}")
        finding = Finding(what, _innermost(stack), detail[-6000:])
        return Answer(self.block, self.place, kind, number, Verdict("crashed", (finding,)), None, self.run.limit)


def _innermost(stack: str) -> str:
    lines = [line for line in stack.splitlines() if "/simulator/" in line]
    if not lines:
        return "outside the simulator"
    path, _, rest = lines[0].partition('", line ')
    return f"{path.rpartition('/simulator/')[2]}:{rest.partition(' in ')[2]}"


def answers(run: Run, blocks: Iterator[tuple[int, int]], jobs: int, known: set[tuple[str, str]]) -> Iterator[Answer]:
    """The answer of every input, in any order.

    Args:
        run: what is run.
        blocks: first place and end of each.
        jobs: processes at a time.
        known: findings that need not be made small again; the caller adds to it.
    """
    gc.collect()
    gc.freeze()
    workers: list[_Worker] = []
    try:
        while True:
            while len(workers) < jobs and (block := next(blocks, None)):
                workers.append(_Worker(run, block[0], *block, known))
            if not workers:
                return
            ready = wait([worker.pipe for worker in workers], timeout=1.0)
            for worker in list(workers):
                if worker.pipe in ready:
                    yield from _hear(worker, workers, known)
                elif worker.overdue():
                    os.kill(worker.process.pid or 0, signal.SIGPROF)
                    worker.process.join(5)
                    worker.process.kill()
                    yield from _hear(worker, workers, known)
    finally:
        for worker in workers:
            worker.end()


def _hear(worker: _Worker, workers: list[_Worker], known: set[tuple[str, str]]) -> Iterator[Answer]:
    """One answer of a worker; at its end, a successor if it left something undone."""
    try:
        if worker.process.is_alive() or worker.pipe.poll():
            answer: Answer = worker.pipe.recv()
            worker.place, worker.since = answer.place + 1, time.monotonic()
            yield answer
            return
    except EOFError:
        pass
    worker.process.join(5)
    if worker.place < worker.stop and worker.process.exitcode != 0:
        yield worker.died()
        worker.place += 1
    workers.remove(worker)
    worker.end()
    if worker.place < worker.stop:
        workers.append(_Worker(worker.run, worker.block, worker.place, worker.stop, known))


# --- in the worker ----------------------------------------------------------------------------------------------------


def _work(worker: _Worker, pipe: Connection, known: set[tuple[str, str]]) -> None:
    run, code = worker.run, 1
    try:
        with (worker.scratch / "stack").open("w") as stack:
            faulthandler.register(signal.SIGPROF, file=stack, all_threads=False, chain=True)
            _confine(worker.scratch, run.memory)
            for place in range(worker.place, worker.stop):
                if _one(run, worker.block, place, worker.scratch, pipe, known):
                    break
        code = 0
    except BaseException:
        (worker.scratch / "stack").write_text(traceback.format_exc())
    finally:
        pipe.close()
        os._exit(code)  # without what the parent would do at its end


def _confine(scratch: Path, memory: float) -> None:
    """No more memory, no core files, no large files, no connections, a home of its own."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    if pages:
        most = int(pages * resource.getpagesize() + memory)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (GIGABYTE, GIGABYTE))
    os.environ["HOME"] = str(scratch)
    warnings.simplefilter("always", RuntimeWarning)

    def refuse(*_: Any) -> None:
        raise OSError("no connections while fuzzing")

    socket.socket.connect = refuse  # type: ignore[method-assign, assignment]


def _one(run: Run, block: int, place: int, scratch: Path, pipe: Connection, known: set[tuple[str, str]]) -> bool:
    """Judge one input and tell; whether the process is not fit for another."""
    kind, number = kinds.at(place, run.order)
    started = time.process_time()
    with watched(run.limit):
        verdict = attempt(run, kind, number, scratch)
    seconds = time.process_time() - started
    keep = None
    fresh = [f for f in verdict.findings if (f.what, f.place) not in known and f.what != "memory"]
    if fresh:
        keep = smaller(run, kind, number, fresh[0], scratch)
        known.update((f.what, f.place) for f in verdict.findings)
    pipe.send(Answer(block, place, kind, number, verdict, keep, seconds))
    return any(f.what == "memory" for f in verdict.findings)


@contextlib.contextmanager
def watched(limit: float) -> Iterator[None]:
    """The process dies with a stack if it takes more processor time than this inside."""
    signal.setitimer(signal.ITIMER_PROF, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def attempt(run: Run, kind: str, number: int, scratch: Path, keep: frozenset[int] | None = None) -> Verdict:
    """Judge one input in a folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    try:
        return judge(kinds.make(run.seed, kind, number, keep), folder, run.command)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def smaller(run: Run, kind: str, number: int, finding: Finding, scratch: Path) -> tuple[int, ...]:
    """Mutations that bring about a finding, none of which can be left out."""

    def there(keep: list[int]) -> bool:
        with watched(run.limit):
            found = attempt(run, kind, number, scratch, frozenset(keep)).findings
        return any((f.what, f.place) == (finding.what, finding.place) for f in found)

    keep = list(range(kinds.make(run.seed, kind, number).mutations))
    at = len(keep) - 1
    while at >= 0:
        without = keep[:at] + keep[at + 1 :]
        if there(without):
            keep, at = without, len(without)
        at -= 1
    return tuple(keep)


def blocks(start: int, total: int | None, deadline: float | None) -> Iterator[tuple[int, int]]:
    """First place and end of blocks, until so many inputs are handed out or the time is over."""
    while (total is None or start < total) and (deadline is None or time.monotonic() < deadline):
        stop = start + BLOCK if total is None else min(start + BLOCK, total)
        yield start, stop
        start = stop
