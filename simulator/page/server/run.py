"""Run the server until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence

from simulator.errors import InputError
from simulator.measurements.rows import Row
from simulator.page.server.guard import is_loopback, new_token
from simulator.page.state import State
from simulator.page.tabs import TABS
from simulator.page.work import Work

BACKLOG = 256
MOST_CONNECTIONS = 512
"""Open connections; a further one is told that the server is busy."""


def serve(
    host: str = "127.0.0.1",
    port: int = 8000,
    measured: Sequence[Row] = (),
    start: State | None = None,
    say: Callable[[str], None] = print,
    warn: Callable[[str], None] = print,
) -> None:
    """Serve the page and its API until interrupted.

    Args:
        host: to listen on; anything but loopback needs the token that is then printed.
        port: to listen on; 0: a free one.
        measured: rows to lay over the curve.
        start: the state that the page begins with; None: the default one.
        say: told where the page is.
        warn: told what is risky.

    Raises:
        InputError: the port cannot be listened on.
    """
    import socket

    import uvicorn

    from simulator.page.server.app import make_app

    if not host.strip():
        raise InputError("--host: expected an address to listen on, found nothing")
    try:
        listener = socket.create_server((host, port), backlog=BACKLOG)
    except (OSError, OverflowError, ValueError) as fault:
        raise InputError(f"--host {host} --port {port}: cannot be listened on: {fault}") from None
    token = None if is_loopback(host) else new_token()
    app = make_app(token, measured, start, ahead=True)
    warm(start or State())
    gc.enable()  # short commands go without; what lasts must not
    gc.freeze()
    found = listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    if token is None:
        say(f"the page is at http://{shown}:{found}/ (Ctrl-C ends it)")
    else:
        warn(f"WARNING: {host} is not loopback: whoever reaches this port and has the token can compute here")
        say(f"the page is at http://{shown}:{found}/?token={token} (Ctrl-C ends it)")
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        server_header=False,
        date_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=32_768,
    )
    server = uvicorn.Server(config)
    with listener:
        asyncio.run(server.serve(sockets=[listener]))


def warm(state: State) -> None:
    """Compile or load the kernels, and fill what is read once, before the first request waits for it."""
    TABS["curve"].answer(state, Work(intervals=False))
