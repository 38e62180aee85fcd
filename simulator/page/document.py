"""The page as one HTML document that needs nothing else: template, styles, scripts, plotly.js and data in one text."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from simulator.page.bundle import bundle
from simulator.results.table import clean

STATIC = "static"
ORDER = "order.txt"
"""File beside the scripts that names them, one a line, in the order in which they are joined into one module."""


def static() -> Traversable:
    """The folder of the template, the styles and the scripts."""
    return resources.files("simulator.page").joinpath(STATIC)


@functools.cache
def script() -> str:
    """The page's own scripts, as one module."""
    folder = static()
    names = folder.joinpath(ORDER).read_text(encoding="utf-8").split()
    return bundle({name: folder.joinpath(*name.split("/")).read_text(encoding="utf-8") for name in names})


@functools.cache
def styles() -> str:
    """The page's own styles."""
    return static().joinpath("page.css").read_text(encoding="utf-8")


@functools.cache
def plotly() -> str:
    """plotly.js, as its Python package carries it.

    The attributions of its maps have links, which a page without maps never shows; so that a file can be searched for
    addresses of the network and has none, their first letter is written by its number.
    """
    from plotly.offline import get_plotlyjs

    return re.sub(r'((?:src|href)=")h(?=ttps?://)', r"\1\\x68", get_plotlyjs())


def embedded(content: Any) -> str:
    """JSON that can stand inside a script element: no character of it can end the element or begin a comment."""
    text = json.dumps(clean(content), allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def digest(text: str) -> str:
    """The source expression by which a policy allows an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@functools.cache
def policy(live: bool) -> str:
    """The content security policy: only the scripts of the page run, and only its own server is asked, if any.

    plotly.js writes style attributes, which no digest can name, so styles are free; pictures are what it exports.
    """
    server = "'self'" if live else "'none'"
    scripts = " ".join(digest(text) for text in (plotly(), script()))
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {scripts}",
            "style-src 'unsafe-inline'",
            "img-src data: blob:",
            f"connect-src {server}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def packed(content: Any) -> str:
    """JSON, deflated and in base64: a tenth of its size, and nothing in it is markup."""
    text = json.dumps(clean(content), allow_nan=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def document(data: Mapping[str, Any], *, live: bool, grid: Mapping[str, Any] | None = None) -> str:
    """The page.

    Args:
        data: what it begins with: ``choices``, ``state`` (what differs from the default) and, with a server, ``token``.
        live: whether a server answers; otherwise the page looks in ``grid`` alone.
        grid: ``answers``, ``series`` and ``check``; see :mod:`simulator.page.grid`.
    """
    from jinja2 import Environment, select_autoescape

    template = static().joinpath("page.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=select_autoescape(default=True, default_for_string=True))
    return environment.from_string(template).render(
        policy=policy(live),
        plotly=plotly(),
        script=script(),
        styles=styles(),
        data=embedded({**data, "live": live}),
        grid=None if grid is None else packed(grid),
        version=data["choices"]["version"],
    )
