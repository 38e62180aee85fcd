"""What the page shows, as numbers, and what the API answers."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

SPEED, THROUGHPUT = "interactivity_tok_s_user", "total_tok_s_gpu"


SMALL = "#sweep=2:4,16,64;4:4,16"
"""Few runs: answers come at once."""
SWEEP = ["2:4,16,64", "4:4,16"]


def at(page: Any, state: str) -> None:
    """Follow a link to a state of the page that is open."""
    page.evaluate("(state) => { if (location.hash !== state) location.hash = state; }", state)
    page.wait_for_timeout(20)
    settled(page)


def settled(page: Any) -> None:
    """Wait until the open tab shows the answer to the state in the address."""
    page.wait_for_function(
        """() => {
            const panel = document.querySelector('.panel[role=tabpanel]:not([hidden])');
            return panel && panel.getAttribute('aria-busy') === 'false';
        }"""
    )


def chart(page: Any, tab: str = "curve") -> list[dict[str, Any]]:
    """What the first chart of a tab draws: name, mode and numbers of every trace."""
    found: list[dict[str, Any]] = page.evaluate(
        """(tab) => [...document.querySelector(`#panel-${tab} .js-plotly-plot`).data].map((t) => ({
            name: t.name ?? '', mode: t.mode ?? '', x: [...(t.x ?? [])], y: [...(t.y ?? [])], type: t.type,
            colour: typeof t.line?.color === 'string' ? t.line.color : null, dash: t.line?.dash ?? null,
            symbol: t.marker?.symbol ?? null }))""",
        tab,
    )
    return found


def points(page: Any) -> set[tuple[float, float]]:
    """Every predicted point of the curve."""
    marks = [t for t in chart(page) if t["mode"] == "markers" and isinstance(t["symbol"], list)]
    return {(x, y) for trace in marks for x, y in zip(trace["x"], trace["y"], strict=True)}


def cells(page: Any, rows: str) -> list[list[str]]:
    """The texts of the cells of table rows."""
    found: list[list[str]] = page.evaluate(
        "(rows) => [...document.querySelectorAll(rows)].map((r) => [...r.children].map((c) => c.innerText.trim()))",
        rows,
    )
    return found


def state_of(page: Any) -> str:
    """The part of the address that carries the state."""
    text: str = page.evaluate("location.hash")
    return text


def api(server: str, kind: str, state: dict[str, Any]) -> Any:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    body = json.dumps(state).encode()
    query = "?intervals=false" if kind == "curve" else ""
    request = urllib.request.Request(f"{server}api/{kind}{query}", data=body, headers=headers)
    with urllib.request.urlopen(request) as reply:
        return json.loads(reply.read())


def api_points(server: str, state: dict[str, Any], x: str, y: str) -> set[tuple[float, float]]:
    found = set()
    for series in api(server, "curve", state)["series"]:
        at = [series["columns"].index(name) for name in (x, y)]
        found |= {(row[at[0]], row[at[1]]) for row in series["rows"]}
    return {(a, b) for a, b in found if a is not None and b is not None}
