"""The tabs beside Curve, pins, exports, the keyboard and the phone."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.browser.looking import SMALL, SWEEP, api, at, chart, settled, state_of

TABS = ("curve", "break-even", "why", "plan", "agentic", "check")


def test_break_even_draws_the_map_and_the_line_of_the_api(quick: Any, server: str) -> None:
    at(quick, f"#tab=break-even&{SMALL[1:]}&why_tp=4")
    answer = api(server, "break-even", {"sweep": SWEEP, "why_tp": 4})
    heat, *others = chart(quick, "break-even")
    assert heat["type"] == "heatmap"
    assert heat["y"] == answer["lengths"]
    drawn = quick.evaluate("document.querySelector('#panel-break-even .js-plotly-plot').data[0].z")
    assert drawn == answer["gain"]
    line = next(trace for trace in others if trace["name"].startswith("break-even"))
    most = answer["lengths"][-1]
    assert line["y"] == [row["acceptance_length"] or most for row in answer["break_even"]]
    said = quick.inner_text("#panel-break-even .sentence")
    assert all(text in said for text in answer["sentences"])


def test_why_draws_the_operators_of_the_api_for_both_passes(quick: Any, server: str) -> None:
    at(quick, f"#tab=why&{SMALL[1:]}&why_concurrency=16")
    answer = api(server, "why", {"sweep": SWEEP, "why_concurrency": 16})
    for phase in ("decode", "prefill"):
        quick.check(f'#panel-why input[value="{phase}"]')
        bars = [trace for trace in chart(quick, "why") if trace["type"] == "bar"]
        total = sum(sum(trace["x"]) for trace in bars)
        assert total == pytest.approx(1000 * answer["phases"][phase]["totals"]["seconds"], rel=1e-6)
    assert answer["memory_text"] in quick.inner_text("#panel-why")
    quick.select_option("#why-concurrency", "64")
    settled(quick)
    assert "why_concurrency=64" in state_of(quick)
    assert api(server, "why", {"sweep": SWEEP, "why_concurrency": 64})["memory_text"] in quick.inner_text("#panel-why")


def test_plan_tells_progress_and_answers_as_the_api_does(quick: Any, server: str) -> None:
    small = {"sweep": ["4:4,16"], "mtp": [0], "promises": ["tpot-p95=40ms"], "rate": 2.0}
    at(quick, "#tab=plan&sweep=4:4,16&mtp=0&promises=tpot-p95=40ms&rate=2")
    assert quick.input_value("#plan-promises") == "tpot-p95=40ms"
    quick.click("#panel-plan button.primary")
    quick.wait_for_selector("#panel-plan .split:not([hidden])")
    answer = api(server, "plan", small)
    assert answer["sentence"] in quick.inner_text("#panel-plan")
    assert chart(quick, "plan")[0]["x"][0] == answer["winner"]["gpus"]
    assert "mtpsim plan" in quick.inner_text("#equal")


def test_a_plan_can_be_cancelled(quick: Any) -> None:
    at(quick, "#tab=plan&sweep=2:4..64&promises=tpot-p95=30ms&rate=37")
    gone: list[str] = []
    quick.on("requestfailed", lambda request: gone.append(request.url))
    quick.click("#panel-plan button.primary")
    quick.click("#panel-plan button:has-text('Cancel')")
    quick.wait_for_selector("#panel-plan button.primary:enabled")
    assert "Cancelled" in quick.inner_text("#panel-plan .form")
    assert [url.rpartition("/")[2] for url in gone] == ["plan"]


def test_a_promise_that_is_none_is_refused(quick: Any) -> None:
    at(quick, "#tab=plan&sweep=4:4,16&mtp=0")
    quick.fill("#plan-promises", "ttft-p99=soon")
    quick.press("#plan-promises", "Enter")
    quick.click("#panel-plan button.primary")
    quick.wait_for_selector("#panel-plan .message.bad")
    assert "soon" in quick.inner_text("#panel-plan .message.bad")
    quick.complaints.clear()


def test_pinned_series_stay_while_the_rest_changes(quick: Any, server: str) -> None:
    quick.click("#panel-curve button:has-text('Pin these')")
    settled(quick)
    quick.check('[data-control="sequence"] input[value="8k/1k"]')
    settled(quick)
    pins = [trace for trace in chart(quick) if trace["name"].startswith("pin 1")]
    rows = api(server, "curve", {"sweep": SWEEP})["series"]
    speeds = {row[one["columns"].index("interactivity_tok_s_user")] for one in rows for row in one["rows"]}
    assert len(pins) == 2
    assert all({pin["x"][0], pin["x"][-1]} <= speeds for pin in pins)
    quick.click("#panel-curve button:has-text('Unpin 1')")
    settled(quick)
    assert not any(trace["name"].startswith("pin") for trace in chart(quick))


def saved(page: Any, name: str) -> bytes:
    with page.expect_download() as found:
        page.click(f"#exports button:text-is('{name}')")
    return Path(found.value.path()).read_bytes()


def test_exports_hold_what_is_shown(quick: Any, server: str) -> None:
    answer = api(server, "curve", {"sweep": SWEEP})
    assert saved(quick, "PNG").startswith(b"\x89PNG")
    assert b"<svg" in saved(quick, "SVG")[:500]
    kept = json.loads(saved(quick, "JSON"))
    assert kept["series"] == answer["series"]
    assert kept["state"]["sweep"] == SWEEP
    rows = list(csv.DictReader(io.StringIO(saved(quick, "CSV").decode())))
    wanted = [row[one["columns"].index("total_tok_s_gpu")] for one in answer["series"] for row in one["rows"]]
    assert [float(row["total_tok_s_gpu"]) for row in rows] == wanted


def test_the_command_the_python_and_the_link_can_be_copied(quick: Any, server: str) -> None:
    quick.context.grant_permissions(["clipboard-read", "clipboard-write"])
    read = "navigator.clipboard.readText()"
    equal = api(server, "curve", {"sweep": SWEEP})["equivalent"]
    quick.click("#equal button[aria-label='Copy the Command']")
    assert quick.evaluate(read) == equal["command"]
    quick.click("#equal button[aria-label='Copy the Python']")
    assert quick.evaluate(read) == equal["python"]
    quick.click("#exports button:text-is('Link')")
    assert quick.evaluate(read) == quick.url


def test_scope_version_and_calibration_are_always_there(quick: Any) -> None:
    for tab in ("curve", "break-even", "why"):
        at(quick, f"#tab={tab}&{SMALL[1:]}")
        assert quick.inner_text("#scope-word") == "inside measured"
        assert "inferencex-mi355x-fp4-1k1k" in quick.inner_text("#version")
    at(quick, SMALL)
    quick.click("#scope summary")
    assert "calibration inferencex-mi355x-fp4-1k1k" in quick.inner_text("#scope-reasons")
    quick.keyboard.press("Escape")
    assert not quick.is_visible("#scope-reasons")


def test_tabs_follow_the_arrow_keys(quick: Any) -> None:
    quick.focus("#tab-curve")
    for key, tab in (("ArrowRight", "break-even"), ("End", "check"), ("ArrowRight", "curve"), ("ArrowLeft", "check")):
        quick.keyboard.press(key)
        assert quick.evaluate("document.activeElement.id") == f"tab-{tab}"
        assert quick.get_attribute(f"#tab-{tab}", "aria-selected") == "true"
        assert quick.locator("#tabs [tabindex='0']").count() == 1
    settled(quick)


def test_a_change_is_announced(quick: Any) -> None:
    quick.check('[data-control="sequence"] input[value="8k/1k"]')
    settled(quick)
    said = quick.inner_text("#panel-curve .said")
    quick.wait_for_function("(said) => document.getElementById('live').textContent === said", arg=said)


def test_the_curve_fits_a_laptop_and_a_phone_has_no_sideways_scroll(live: Any) -> None:
    heights = (
        "(() => { const main = document.getElementById('main'); return [main.scrollHeight, main.clientHeight]; })()"
    )
    inner, outer = live.evaluate(heights)
    assert inner <= outer
    live.set_viewport_size({"width": 390, "height": 844})
    assert not live.is_visible("#controls")
    live.click("#menu")
    assert live.is_visible("#control-model")
    assert live.get_attribute("#menu", "aria-expanded") == "true"
    live.click("#menu")
    for tab in TABS:
        live.click(f"#tab-{tab}")
        settled(live)
        assert live.evaluate("document.documentElement.scrollWidth") <= 390
