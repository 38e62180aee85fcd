"""The exported file, opened from disk with every network blocked: it switches without a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator import make_scenario, predict, read_measurements
from simulator.measurements.rows import Row
from simulator.page.export import export
from simulator.page.grid import Ask
from simulator.page.state import State
from simulator.prediction.frontier import Frontier
from tests.browser.conftest import watched
from tests.browser.looking import SPEED, THROUGHPUT, at, cells, chart, points, settled, state_of
from tests.browser.test_check import NAME, ROWS, rows_of

DIGITS = 6
SWEEP = ["2:4,64", "4:4"]


def written(folder: Path, ask: Ask, measured: tuple[Row, ...] = ()) -> str:
    path = folder / "page.html"
    path.write_text(export(ask, measured, jobs=1).html, encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def switching(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A file of two precisions and two pairs of lengths, without the slider and the other tabs."""
    both = {"precisions": ("fp4", "fp8"), "lengths": ((1024, 1024), (8192, 1024)), "engines": ("sglang",)}
    ask = Ask(State(sweep=tuple(SWEEP)), steps=False, tabs=False, **both)
    file = written(tmp_path_factory.mktemp("page"), ask)
    with watched(chromium, file, offline=True) as page:
        page.goto(file)
        settled(page)
        yield page


@pytest.fixture(scope="module")
def whole(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A file of one cell with everything: the slider, Break-even, Why, and rows of a user under a hostile name."""
    folder = tmp_path_factory.mktemp("page")
    rows = folder / NAME
    rows.write_text(rows_of(hostile=True))
    one = {"precisions": ("fp4",), "lengths": ((1024, 1024),), "engines": ("sglang",)}
    file = written(folder, Ask(State(sweep=("4:4,16",), mtp=(0, 1)), **one), tuple(read_measurements(rows)))
    with watched(chromium, file, offline=True) as page:
        page.goto(file)
        settled(page)
        yield page


@pytest.fixture
def page(switching: Any) -> Any:
    at(switching, "")
    return switching


@pytest.fixture
def full(whole: Any) -> Any:
    at(whole, "")
    return whole


def short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def predicted(**stated: Any) -> set[tuple[float, float]]:
    found = set()
    for mtp in stated.pop("depths", (0, 3)):
        table = predict(make_scenario(mtp=mtp, **stated), sweep=SWEEP, intervals=False, over_memory="leave-out")
        found |= {(short(row[SPEED]), short(row[THROUGHPUT])) for row in table.rows}
    return found


def choose(page: Any, name: str, value: object, on: bool = True) -> None:
    page.set_checked(f'[data-control="{name}"] input[value="{value}"]', on)
    settled(page)


def test_sequence_precision_and_drafts_switch_without_a_server(page: Any) -> None:
    assert points(page) == predicted()
    choose(page, "sequence", "8k/1k")
    assert points(page) == predicted(isl=8192)
    choose(page, "precision", "fp8")
    assert points(page) == predicted(isl=8192, precision="fp8")
    choose(page, "mtp", 0, on=False)
    assert points(page) == predicted(isl=8192, precision="fp8", depths=(3,))
    assert state_of(page) == "#precision=fp8&isl=8192&mtp=3"


def test_metrics_switch(page: Any) -> None:
    page.select_option("#control-y", "mean_ttft_ms")
    settled(page)
    table = [predict(make_scenario(mtp=mtp), sweep=SWEEP, intervals=False).rows for mtp in (0, 3)]
    assert points(page) == {(short(r[SPEED]), short(r["mean_ttft_ms"])) for rows in table for r in rows}


def test_one_replica_size_can_be_switched_off(page: Any) -> None:
    choose(page, "tp", 2, on=False)
    assert points(page) == {
        (short(row[SPEED]), short(row[THROUGHPUT]))
        for mtp in (0, 3)
        for row in predict(make_scenario(mtp=mtp, tp=4), [4], intervals=False).rows
    }


def test_the_slider_snaps_to_what_the_file_holds(full: Any) -> None:
    full.fill("#acceptance-slider", "1.45")
    settled(full)
    held = state_of(full)
    assert held in ("#acceptance=length:1.4", "#acceptance=length:1.5")
    stated = make_scenario(mtp=1, tp=4, acceptance_length=float(held.rpartition(":")[2]))
    rows = predict(stated, [4, 16], intervals=False).rows
    assert points(full) >= {(short(row[SPEED]), short(row[THROUGHPUT])) for row in rows}


def test_a_reading_elsewhere_is_that_of_the_front_in_python(page: Any) -> None:
    at(page, "#at=44,57.5")
    rows = cells(page, "#panel-curve .readings tbody tr")
    columns = (SPEED, THROUGHPUT, "cost_usd_per_mtok", "concurrency")
    for mtp, name in ((0, "Off"), (3, "MTP 3")):
        table = predict(make_scenario(mtp=mtp), sweep=SWEEP, intervals=False)
        own = Frontier.from_points({column: table.column(column) for column in columns}).at(57.5)
        shown = next(row for row in rows if row[:2] == ["57.5", name])
        assert shown[2] == f"{own[THROUGHPUT]:,.0f}"
        assert shown[4] == f"{own['cost_usd_per_mtok']:.3f}"
        assert shown[6] == f"{own['concurrency']:,.0f}"


def test_what_needs_a_server_says_so(page: Any) -> None:
    assert page.is_disabled("#control-isl")
    assert page.get_attribute('[data-control="mtp"] label:has(input[value="5"])', "title") == "needs mtpsim serve"
    assert page.is_disabled('[data-control="sequence"] input[value="1k/8k"]')
    page.click("#tab-plan")
    settled(page)
    assert "needs mtpsim serve" in page.inner_text("#panel-plan")


def test_break_even_and_why_are_there(full: Any) -> None:
    for tab, kind in (("break-even", "heatmap"), ("why", "bar")):
        full.click(f"#tab-{tab}")
        settled(full)
        assert full.inner_text(f"#panel-{tab} .fault") == ""
        assert chart(full, tab)[0]["type"] == kind


def test_replayed_sessions_are_there_and_snap_to_what_the_file_holds(full: Any) -> None:
    at(full, "#tab=agentic")
    lines = [trace for trace in chart(full, "agentic") if trace["mode"] == "lines+markers"]
    assert [trace["x"] for trace in lines] == [list(State().agentic_concurrency)] * 2
    full.select_option("#agentic-hosts", "1.5")
    settled(full)
    assert "on the hosts" in full.inner_text("#panel-agentic .sentence")
    full.select_option("#control-acceptance", "length")
    settled(full)
    assert any(f"acceptance=length:{length}" in state_of(full) for length in (1.4, 1.6, 1.8))
    assert full.inner_text("#panel-agentic .fault") == ""
    assert "undefined" not in full.inner_text("#controls")


def test_rows_of_the_user_came_with_the_file(full: Any) -> None:
    full.click("#tab-check")
    settled(full)
    assert NAME in full.inner_text("#panel-check")
    assert full.locator("#panel-check tbody tr").count() == ROWS
    assert full.locator("img").count() == 0
    assert full.is_disabled("#check-file")


def test_a_link_to_what_the_file_does_not_hold_says_so(page: Any) -> None:
    at(page, "#isl=3333")
    assert "mtpsim serve" in page.inner_text("#panel-curve .fault")
    at(page, "")
    assert points(page) == predicted()


def test_a_hostile_link_is_shown_as_text(page: Any) -> None:
    hostile = "<img src=x onerror=alert(1)><a href='https://example.org'>here</a>"
    for name in ("x", "y", "hardware", "model", "acceptance", "pins", "sweep", "why_hardware"):
        at(page, f"#{name}={hostile.replace(' ', '%20')}")
        assert page.locator("img, main a[href^=http], main svg a").count() == 0
    at(page, "")
    assert points(page) == predicted()


def test_nothing_of_the_file_is_elsewhere(page: Any) -> None:
    addresses = page.evaluate(
        "[...document.querySelectorAll('[src], [href]')].map((e) => e.getAttribute('src') ?? e.getAttribute('href'))"
    )
    assert [one for one in addresses if not one.startswith(("#", "data:"))] == []
    policy = page.get_attribute("meta[http-equiv='Content-Security-Policy']", "content")
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    assert "unsafe-eval" not in policy
