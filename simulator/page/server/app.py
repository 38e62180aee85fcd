"""The HTTP interface: the page at ``/``, and every tab as ``POST /api/NAME``."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import asynccontextmanager
from threading import Thread
from typing import Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulator.errors import InputError
from simulator.files.paths import shipped_files_only
from simulator.measurements.rows import Row
from simulator.page.choices import check_names, choices
from simulator.page.document import document, policy
from simulator.page.server.desk import Answer, BusyError, Desk, Once, key_of, pool_of
from simulator.page.server.guard import Guard, Guarded
from simulator.page.state import State, read_state
from simulator.page.tabs import TABS, Tab
from simulator.page.tabs.check import check, read
from simulator.page.work import CancelledError, Work

STATE_BYTES = 64_000
"""Most bytes of a state."""
FILE_BYTES = 2_000_000
"""Most bytes of a measured file, beside which stand a name and a state."""
KNOWN_LENGTH = 2000
"""Longest text of what a file does not hold."""
BODY_SECONDS = 20.0
"""Within which a body has to arrive."""
RETRY = {"Retry-After": "1"}
LOG = logging.getLogger("mtpsim.page")
NDJSON = "application/x-ndjson"


class Upload(BaseModel):
    """A measured file to check: its text, a name that is only shown, and what the file does not hold.

    ``known``: words such as ``hardware=h200 tp=4``.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(default="measurements.csv", max_length=400)
    text: str = Field(default="", max_length=FILE_BYTES)
    known: str = Field(default="", max_length=KNOWN_LENGTH)
    state: dict[str, Any] = Field(default_factory=dict)


class TooLargeError(Exception):
    """A body of more bytes than are taken."""


def make_app(
    token: str | None = None, measured: Sequence[Row] = (), start: State | None = None, ahead: bool = False
) -> FastAPI:
    """The application.

    Args:
        token: that every request has to bear; None: on loopback.
        measured: rows to lay over the curve, judged in Check.
        start: the state that the page begins with.
        ahead: compute the steps of its acceptance slider while nothing is asked.
    """
    desk, guard = Desk(), Guard(token)

    @asynccontextmanager
    async def alive(app: FastAPI) -> AsyncIterator[None]:
        if ahead:
            Thread(target=desk.ahead, args=(start or State(),), daemon=True).start()
        yield
        desk.close()

    app = FastAPI(
        title="mtpsim",
        version=choices()["version"],
        description="What the live chart shows, as JSON. Numbers are those of the command line and of Python.",
        docs_url=None,
        redoc_url=None,
        lifespan=alive,
    )
    app.state.desk = desk
    work = Work(measured=tuple(measured))
    page = document({"choices": choices(), "state": (start or State()).changed(), "token": token}, live=True).encode()

    app.add_middleware(Guarded, guard=guard)

    @app.exception_handler(InputError)
    async def bad_input(request: Request, fault: InputError) -> Response:
        return JSONResponse({"error": str(fault)}, 422)

    @app.exception_handler(BusyError)
    async def busy(request: Request, fault: BusyError) -> Response:
        return JSONResponse({"error": "too much is asked at once; try again"}, 503, RETRY)

    @app.exception_handler(TooLargeError)
    async def too_large(request: Request, fault: TooLargeError) -> Response:
        return JSONResponse({"error": str(fault)}, 413)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, fault: Exception) -> Response:
        LOG.error("%s: %s", request.url.path, type(fault).__name__, exc_info=fault)
        return JSONResponse({"error": "an error of mtpsim; the server's terminal says more"}, 500)

    @app.get("/", include_in_schema=False)
    async def the_page() -> Response:
        return Response(page, media_type="text/html", headers={"Content-Security-Policy": policy(True)})

    @app.get("/api/choices", summary="What the controls offer, and the default state")
    async def the_choices() -> Response:
        return JSONResponse(choices())

    def add(tab: Tab) -> None:
        async def answer(
            request: Request, intervals: bool = Query(True, description="90 % intervals, which take ten times as long")
        ) -> Response:
            state = read_state(await body_of(request, STATE_BYTES) or b"{}")
            with shipped_files_only():
                check_names(state)
            asked = Work(measured=work.measured, intervals=intervals)
            return await reply_to(
                request, desk, tab, key_of(tab, state, intervals), lambda own: tab.answer(state, own), asked
            )

        app.post(
            f"/api/{tab.name}",
            name=tab.name,
            summary=f"What the tab {tab.title} shows of a state",
            openapi_extra=_takes(State.model_json_schema()),
            responses=_errors(),
        )(answer)

    for tab in TABS.values():
        if tab.name != "check":
            add(tab)

    @app.post(
        "/api/check",
        summary="Verdicts on measured rows: those of a result file, or without text those that the server began with",
        openapi_extra=_takes(Upload.model_json_schema()),
        responses=_errors(),
    )
    async def the_check(request: Request) -> Response:
        upload = _upload(await body_of(request, 2 * FILE_BYTES))
        if len(upload.text.encode("utf-8", "surrogatepass")) > FILE_BYTES:
            raise TooLargeError(f"expected a file of at most {FILE_BYTES} bytes")

        def judged(own: Work) -> dict[str, Any]:
            rows = read(upload.text, upload.name, upload.known) if upload.text else own.measured
            return check(rows, own, upload.known) if rows else {"rows": [], "sentence": "no measured rows"}

        return await reply_to(request, desk, TABS["check"], Once(), judged, work)

    return app


async def reply_to(request: Request, desk: Desk, tab: Tab, key: Hashable, answer: Answer, work: Work) -> Response:
    """The answer, as JSON or as lines with its progress; none is made for a client that has gone."""
    pool = pool_of(tab, work.intervals)
    if tab.streams and request.headers.get("accept", "*/*") != "application/json":
        return StreamingResponse(_lines(desk, key, pool, answer, work), media_type=NDJSON)
    asked = asyncio.ensure_future(desk.ask(key, pool, answer, work))
    gone = asyncio.ensure_future(_gone(request))
    await asyncio.wait({asked, gone}, return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    if not asked.done():
        asked.cancel()
        return Response(status_code=499)
    return Response(await asked, media_type="application/json")


async def _gone(request: Request) -> None:
    while not await request.is_disconnected():
        await asyncio.sleep(0.1)


async def _lines(desk: Desk, key: Hashable, pool: str, answer: Answer, work: Work) -> AsyncIterator[bytes]:
    try:
        async for line in desk.stream(key, pool, answer, work):
            if isinstance(line, bytes):
                yield b'{"answer":' + line + b"}\n"
            else:
                yield json.dumps(line).encode() + b"\n"
    except InputError as fault:
        yield json.dumps({"error": str(fault)}).encode() + b"\n"
    except BusyError:
        yield json.dumps({"error": "too much is asked at once; try again"}).encode() + b"\n"
    except CancelledError:
        yield json.dumps({"error": "cancelled"}).encode() + b"\n"


async def body_of(request: Request, most: int) -> bytes:
    """The body of a request.

    Raises:
        TooLargeError: more bytes than are taken.
        InputError: not JSON by its type, or too slow.
    """
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise InputError(f"Content-Type: expected application/json, found {kind[:80]}")
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise TooLargeError(f"expected a body of at most {most} bytes")
                parts.append(part)
    except TimeoutError:
        raise InputError(f"expected the whole body within {BODY_SECONDS:g} seconds") from None
    return b"".join(parts)


def _upload(body: bytes) -> Upload:
    try:
        return Upload.model_validate_json(body or b"{}")
    except ValidationError as fault:
        told = [f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in fault.errors()]
        raise InputError("\n".join(told)) from None


def _takes(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


def _errors() -> dict[int | str, dict[str, Any]]:
    told = {422: "bad input", 413: "too many bytes", 503: "too much at once"}
    schema = {"type": "object", "properties": {"error": {"type": "string"}}}
    return {
        status: {"description": text, "content": {"application/json": {"schema": schema}}}
        for status, text in told.items()
    }
