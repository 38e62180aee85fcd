"""The tab Agentic draws the answers of the API, and its controls ask for others."""

from __future__ import annotations

import csv
import io
from typing import Any

from tests.browser.looking import api, at, chart, settled, state_of
from tests.browser.test_tabs import saved

STATE: dict[str, Any] = {"sweep": ["4:4"], "mtp": [0, 2], "agentic_concurrency": [1, 2, 4]}
LINK = "#tab=agentic&sweep=4:4&mtp=0,2&agentic_concurrency=1,2,4"


def drawn(page: Any, place: int) -> list[dict[str, Any]]:
    """Lines with markers of one of the charts."""
    found: list[dict[str, Any]] = page.evaluate(
        """(place) => [...document.querySelectorAll('#panel-agentic .js-plotly-plot')[place].data]
            .filter((t) => t.mode === 'lines+markers').map((t) => ({ x: [...t.x], y: [...t.y] }))""",
        place,
    )
    return found


def column(series: dict[str, Any], name: str) -> list[Any]:
    return [row[series["columns"].index(name)] for row in series["rows"]]


def test_it_draws_what_the_api_answers(quick: Any, server: str) -> None:
    at(quick, LINK)
    answer = api(server, "agentic", STATE)
    for place, name in enumerate(("total_tok_s_gpu", "p90_interactivity_tok_s_user", "hit_rate_gpu")):
        assert drawn(quick, place) == [{"x": [1, 2, 4], "y": column(one, name)} for one in answer["series"]]
    assert all(text in quick.inner_text("#panel-agentic .sentence") for text in answer["sentences"])
    assert answer["equivalent"]["command"] in quick.inner_text("#equal")
    assert quick.inner_text("#scope-word") == "not measured"
    assert any(trace["name"] == "Off" and trace["mode"] == "lines+markers" for trace in chart(quick, "agentic"))
    rows = list(csv.DictReader(io.StringIO(saved(quick, "CSV").decode())))
    wanted = [rate for one in answer["series"] for rate in column(one, "hit_rate_gpu")]
    assert [float(row["hit_rate_gpu"]) for row in rows] == wanted


def test_controls_stand_in_the_address_and_change_the_answer(quick: Any, server: str) -> None:
    at(quick, LINK)
    quick.select_option("#agentic-hosts", "1.5")
    settled(quick)
    assert "agentic_host_cache_ratio=1.5" in state_of(quick)
    assert "on the hosts" in quick.inner_text("#panel-agentic .sentence")
    quick.select_option("#agentic-cache", "off")
    settled(quick)
    assert "agentic_prefix_cache=off" in state_of(quick)
    assert "host" not in state_of(quick)
    assert quick.is_disabled("#agentic-hosts")
    assert {y for line in drawn(quick, 2) for y in line["y"]} == {0}
    quick.fill("#agentic-concurrency", "2, 1")
    quick.press("#agentic-concurrency", "Enter")
    settled(quick)
    assert drawn(quick, 0)[0]["x"] == [1, 2]


def test_a_point_shows_all_its_columns(quick: Any) -> None:
    at(quick, LINK)
    place = quick.evaluate(
        """() => {
            const chart = document.querySelector('#panel-agentic .js-plotly-plot');
            chart.scrollIntoView({ block: 'center' });
            const line = chart.data.find((t) => t.mode === 'lines+markers');
            const box = chart.getBoundingClientRect();
            const { xaxis, yaxis } = chart._fullLayout;
            const at = [xaxis._offset + xaxis.d2p(line.x[1]), yaxis._offset + yaxis.d2p(line.y[1])];
            return [box.left + at[0], box.top + at[1]];
        }"""
    )
    quick.mouse.move(*place)
    quick.wait_for_selector("#panel-agentic .hovercard:not([hidden])")
    told = quick.inner_text("#panel-agentic .hovercard")
    for words in ("2 live sessions", "hit rate ideal", "p90 ttft ms", "kv tokens capacity", "recorded sessions"):
        assert words in told
