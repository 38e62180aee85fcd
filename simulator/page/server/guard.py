"""What every request has to pass: the right host, no other site behind it, a token where one is asked for."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'",
}
"""On every reply."""


def is_loopback(host: str) -> bool:
    """Whether a server bound there is reachable from its own machine alone.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0"), is_loopback("localhost")
        (True, False, True)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(24)


class Guard:
    """Judges the headers of a request."""

    def __init__(self, token: str | None) -> None:
        """``token`` None: on loopback, where the host in the address has to be loopback too."""
        self.token = token

    def refusal(self, headers: Mapping[str, str], query_token: str | None = None) -> tuple[int, str] | None:
        """Status and sentence for a request that is not served; None: it is.

        Args:
            headers: of the request, names in lower case.
            query_token: a token in the address, as the first visit of a browser has it.
        """
        host = headers.get("host", "")
        if self.token is None and _name(host) not in LOOPBACK:
            return 403, "this server answers on loopback alone"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return 403, "requests of other sites are not answered"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return 403, "requests of other sites are not answered"
        if self.token is not None:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            found = given if scheme.lower() == "bearer" else query_token or ""
            if not secrets.compare_digest(found.encode(), self.token.encode()):
                return 401, "expected the token that the server printed: Authorization: Bearer TOKEN, or ?token=TOKEN"
        return None


class Guarded:
    """The application behind the guard, with the headers on every reply."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        """An application, and who judges what it is asked."""
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        request = Request(scope)
        refused = self._guard.refusal(request.headers, request.query_params.get("token"))
        app = self._app if refused is None else JSONResponse({"error": refused[1]}, refused[0])
        await app(scope, receive, with_headers)


def _name(host: str) -> str:
    """The name in a Host header, without the port."""
    return host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
