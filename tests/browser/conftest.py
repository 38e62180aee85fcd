"""The page in Debian's Chromium, all networks but its own blocked. Without Chromium all of it is skipped."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.looking import SMALL, at, settled

CHROMIUM = os.environ.get("MTPSIM_CHROMIUM", "/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
NEEDED = ("playwright", "axe_playwright_python", "plotly", "fastapi", "uvicorn", "jinja2")
HOW = "browser tests skipped: apt-get install chromium and pip install '.[test]', then python -m pytest tests/browser"
PATIENCE_MS = 60_000
START = 120
"""Seconds in which a server has to say where it is."""


def missing() -> list[str]:
    """What is not installed."""
    packages = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    return packages + ([] if Path(CHROMIUM).exists() else [CHROMIUM])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if lacking := missing():
        skip = pytest.mark.skip(reason=f"{HOW} (missing: {', '.join(lacking)})")
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@contextlib.contextmanager
def watched(chromium: Any, allowed: str, **options: Any) -> Iterator[Any]:
    """A page that reaches nothing but ``allowed``, and on which nothing may be complained of."""
    wrong: list[str] = []
    context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, "accept_downloads": True, **options})
    context.set_default_timeout(PATIENCE_MS)

    def judged(route: Any) -> None:
        if route.request.url.startswith((allowed, "data:", "blob:")):
            route.continue_()
        else:
            wrong.append(f"asked for {route.request.url}")
            route.abort()

    context.route("**/*", judged)
    page = context.new_page()
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda fault: wrong.append(str(fault)))
    page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.complaints = wrong
    yield page
    context.close()
    assert wrong == []


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a page with a server behind it."""
    command = [sys.executable, "-m", "simulator", "serve", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    stop = threading.Timer(START, process.kill)
    stop.start()
    said = []
    for line in process.stdout:
        said.append(line)
        if found := re.search(r"http://\S+/", line):
            break
    else:
        raise AssertionError(f"the server ended: {''.join(said)}")
    stop.cancel()
    yield found[0]
    process.terminate()
    process.wait(timeout=30)


@pytest.fixture
def live(chromium: Any, server: str) -> Iterator[Any]:
    """The served page, freshly opened."""
    with watched(chromium, server) as page:
        page.goto(server)
        settled(page)
        yield page


@pytest.fixture(scope="module")
def opened(chromium: Any, server: str) -> Iterator[Any]:
    """One served page for the tests of a module, quick: intervals that it asks for come without their ends."""
    with watched(chromium, server) as page:
        page.route(
            "**/api/curve?intervals=true", lambda route: route.continue_(url=route.request.url.replace("true", "false"))
        )
        page.goto(f"{server}{SMALL}")
        settled(page)
        yield page


@pytest.fixture
def quick(opened: Any) -> Any:
    """That page, at few runs."""
    at(opened, SMALL)
    return opened
