"""An answer is made once, for whoever waits, and for nobody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs pip install 'mtpsim[web]'")

from simulator.errors import InputError
from simulator.files.paths import user_path
from simulator.page.kept import Kept
from simulator.page.server.desk import Desk, Once
from simulator.page.work import PLAIN, CancelledError, Work


def with_desk(body: Callable[[Desk], Any]) -> Any:
    async def main() -> Any:
        desk = Desk()
        try:
            return await body(desk)
        finally:
            desk.close()

    # in a thread of its own: a browser driven from this process keeps an event loop on the main one
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, main()).result()


def test_who_asks_the_same_at_once_gets_one_answer() -> None:
    calls: list[int] = []
    go = threading.Event()

    def answer(work: Work) -> dict[str, Any]:
        calls.append(1)
        go.wait(10)
        return {"a": 1}

    async def body(desk: Desk) -> list[bytes]:
        asked = [asyncio.ensure_future(desk.ask("key", "points", answer, PLAIN)) for _ in range(5)]
        await asyncio.sleep(0.05)
        go.set()
        return [*await asyncio.gather(*asked), await desk.ask("key", "points", answer, PLAIN)]

    assert with_desk(body) == [b'{"a":1}'] * 6
    assert calls == [1]


def test_what_nobody_waits_for_is_not_begun() -> None:
    begun: list[str] = []
    go = threading.Event()

    def blocking(work: Work) -> dict[str, Any]:
        go.wait(10)
        return {}

    def second(work: Work) -> dict[str, Any]:
        begun.append("second")
        return {}

    async def body(desk: Desk) -> None:
        first = asyncio.ensure_future(desk.ask("first", "long", blocking, PLAIN))
        waiting = asyncio.ensure_future(desk.ask("second", "long", second, PLAIN))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.sleep(0.05)
        go.set()
        await first

    with_desk(body)
    assert begun == []


def test_long_work_stops_when_the_last_reader_leaves() -> None:
    stopped = threading.Event()

    def answer(work: Work) -> dict[str, Any]:
        try:
            for i in range(10_000):
                work.tell("at it", i / 10_000)
                threading.Event().wait(0.005)
        except CancelledError:
            stopped.set()
            raise
        return {}

    async def body(desk: Desk) -> None:
        lines = desk.stream("key", "long", answer, PLAIN)
        assert (await anext(lines))["progress"] == "at it"  # type: ignore[index]
        await lines.aclose()  # type: ignore[attr-defined]
        await asyncio.to_thread(stopped.wait, 10)

    with_desk(body)
    assert stopped.is_set()


def test_a_fault_reaches_who_asked_and_is_not_kept() -> None:
    faults = iter([InputError("no"), None])

    def answer(work: Work) -> dict[str, Any]:
        if (fault := next(faults)) is not None:
            raise fault
        return {"a": 1}

    async def body(desk: Desk) -> bytes:
        with pytest.raises(InputError, match="no"):
            await desk.ask("key", "points", answer, PLAIN)
        return await desk.ask("key", "points", answer, PLAIN)

    assert with_desk(body) == b'{"a":1}'


def test_answers_open_no_file() -> None:
    def answer(work: Work) -> dict[str, Any]:
        user_path("a file", "mine.yaml")
        return {}

    async def body(desk: Desk) -> None:
        with pytest.raises(InputError, match="no file is read here"):
            await desk.ask(Once(), "points", answer, PLAIN)

    with_desk(body)
    assert user_path("a file", "mine.yaml").name == "mine.yaml"


def test_what_is_kept_is_bounded_and_the_unused_goes_first() -> None:
    kept: Kept[bytes] = Kept(10, len)
    for name in "abc":
        kept.get(name, lambda: b"1234")
    assert kept.bytes <= 10
    assert kept.peek("a") is None
    assert kept.peek("b") == kept.peek("c") == b"1234"
    kept.get("large", lambda: b"x" * 11)
    assert kept.bytes == 0
