"""Where answers are made: in threads of their own, each once, and not at all when nobody waits any more."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import threading
from collections.abc import AsyncIterator, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from simulator.errors import InputError
from simulator.files.paths import shipped_files_only
from simulator.page.kept import Kept
from simulator.page.series import Series, computed, series_of
from simulator.page.sessions import Played, replayed
from simulator.page.state import State
from simulator.page.tabs import Tab
from simulator.page.work import CancelledError, Work
from simulator.prediction.several import BYTES_OF_POINT
from simulator.results.table import ResultTable

KEPT_BYTES = 64_000_000
"""Of answers, and as much again of points and of replays."""
MOST_JOBS = 128
"""Most different answers that are being made or wait; a further one is refused."""
THREADS = {"points": 2, "bands": 1, "long": 1}
"""Threads by the kind of work: what a slider waits for never stands behind what takes seconds."""
STEP = 0.05
"""Of the slider, tokens per round."""
PAUSE = 0.05
"""Seconds between two looks whether anything is asked."""
VIEW = ("tab", "x", "y", "logx", "logy", "pins")
"""Keys of a state that change the picture and no answer."""

Answer = Callable[[Work], dict[str, Any]]
Line = dict[str, Any]


class Once:
    """A key of its own: what is asked under it is shared with nobody, and not kept."""


class BusyError(Exception):
    """Too much is asked at once."""


@dataclass
class Job:
    """An answer that is being made.

    Attributes:
        done: what comes of it: JSON.
        stop: set once nobody waits.
        waiting: how many do.
        told: the latest progress, and ``news`` when there is some.
    """

    done: asyncio.Future[bytes]
    stop: threading.Event = field(default_factory=threading.Event)
    waiting: int = 0
    told: Line = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Desk:
    """Takes questions, hands out answers as JSON."""

    def __init__(self) -> None:
        """With nothing kept."""
        self.answers: Kept[bytes] = Kept(KEPT_BYTES, len)
        self.points: Kept[ResultTable] = Kept(KEPT_BYTES, lambda table: BYTES_OF_POINT * len(table.rows))
        self.replays: Kept[ResultTable] = Kept(KEPT_BYTES, lambda table: BYTES_OF_POINT * len(table.rows))
        self._closed = threading.Event()
        self._jobs: dict[Hashable, Job] = {}
        self._pools = {name: ThreadPoolExecutor(count, f"page-{name}") for name, count in THREADS.items()}

    def close(self) -> None:
        """Stop what runs; threads end with their work."""
        self._closed.set()
        for job in self._jobs.values():
            job.stop.set()
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)

    def series(self, series: Series, intervals: bool) -> ResultTable:
        """Points of a series, kept from before or computed."""
        return self.points.get((series, intervals), lambda: computed(series, intervals))

    def ahead(self, state: State) -> None:
        """Compute the steps of the acceptance slider of a state, one after the other while nothing is asked.

        For a thread of its own; ends with :meth:`close`.
        """
        for step in slider(state):
            for series in series_of(step):
                while self._jobs and not self._closed.is_set():
                    self._closed.wait(PAUSE)
                if self._closed.is_set():
                    return
                with shipped_files_only(), contextlib.suppress(InputError):
                    self.series(series, False)

    async def ask(self, key: Hashable, pool: str, answer: Answer, work: Work) -> bytes:
        """An answer as JSON.

        Raises:
            BusyError: too much is asked at once.
            InputError: what is asked for cannot be.
        """
        if (found := self.answers.peek(key)) is not None:
            return found
        job = self._job(key, pool, answer, work)
        job.waiting += 1
        try:
            return await asyncio.shield(job.done)
        finally:
            self._leave(key, job)

    async def stream(self, key: Hashable, pool: str, answer: Answer, work: Work) -> AsyncIterator[Line | bytes]:
        """Lines of progress, then the answer as JSON; the same exceptions."""
        if (found := self.answers.peek(key)) is not None:
            yield found
            return
        job = self._job(key, pool, answer, work)
        job.waiting += 1
        try:
            while not job.done.done():
                news = asyncio.ensure_future(job.news.wait())
                both: set[asyncio.Future[Any]] = {job.done, news}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                if job.news.is_set() and not job.done.done():
                    job.news.clear()
                    yield job.told
            yield job.done.result()
        finally:
            self._leave(key, job)

    def _job(self, key: Hashable, pool: str, answer: Answer, work: Work) -> Job:
        """The job that makes an answer: the one that is at it, or a new one."""
        if (job := self._jobs.get(key)) is not None and not job.stop.is_set():
            return job
        if len(self._jobs) >= MOST_JOBS:
            raise BusyError
        loop = asyncio.get_running_loop()
        job = Job(loop.create_future())

        def tell(text: str, part: float | None) -> None:
            if job.stop.is_set():
                raise CancelledError
            loop.call_soon_threadsafe(_told, job, {"progress": text, "part": part})

        def points(series: Series, intervals: bool) -> ResultTable:
            if job.stop.is_set():
                raise CancelledError
            return self.series(series, intervals)

        def replays(played: Played, intervals: bool) -> ResultTable:
            if job.stop.is_set():
                raise CancelledError
            return self.replays.get((played, intervals), lambda: replayed(played, intervals))

        def run() -> bytes:
            if job.stop.is_set():
                raise CancelledError
            own = Work(points=points, replays=replays, tell=tell, measured=work.measured, intervals=work.intervals)
            with shipped_files_only():
                return json.dumps(answer(own), allow_nan=False, separators=(",", ":")).encode()

        running = loop.run_in_executor(self._pools[pool], contextvars.copy_context().run, run)
        running.add_done_callback(lambda done: self._finish(key, job, done))
        self._jobs[key] = job
        return job

    def _finish(self, key: Hashable, job: Job, done: asyncio.Future[bytes]) -> None:
        if self._jobs.get(key) is job:
            del self._jobs[key]
        if job.done.done():
            return
        fault = CancelledError() if done.cancelled() else done.exception()
        if fault is not None:
            job.done.set_exception(fault)
            job.done.exception()
        else:
            if not isinstance(key, Once):
                self.answers.get(key, done.result)
            job.done.set_result(done.result())

    def _leave(self, key: Hashable, job: Job) -> None:
        job.waiting -= 1
        if not job.waiting and not job.done.done():
            job.stop.set()
            if self._jobs.get(key) is job:
                del self._jobs[key]


def slider(state: State) -> list[State]:
    """The state at every step of the acceptance slider, the middle ones first."""
    deepest = max(state.mtp)
    lengths = [1 + i * STEP for i in range(round(deepest / STEP) + 1)]
    middle = 1 + 0.7 * deepest
    ordered = sorted(lengths, key=lambda length: abs(length - middle))
    return [state.model_copy(update={"acceptance": f"length:{length:.10g}"}) for length in ordered if deepest]


def _told(job: Job, line: Line) -> None:
    job.told = line
    job.news.set()


def key_of(tab: Tab, state: State, intervals: bool) -> Hashable:
    """What an answer is kept by: the tab and whatever of the state it can depend on."""
    return tab.name, intervals, state.model_dump_json(exclude=set(VIEW))


def pool_of(tab: Tab, intervals: bool) -> str:
    """Whose threads make an answer."""
    return "long" if tab.streams else "bands" if tab.name == "curve" and intervals else "points"
