"""A dropped file gets the verdicts that validate gives, and nothing in it or in its name does anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator import read_measurements, shipped_measurements, validate
from tests.browser.looking import SMALL, at, cells, chart, settled

HOSTILE = "<img src=x onerror=alert(1)>"
NAME = f"{HOSTILE}.csv"
ROWS = 6


def rows_of(*, hostile: bool = False) -> str:
    """A few published rows; one of them with a throughput that no hardware reaches."""
    lines = Path(shipped_measurements("sglang_mi355x_8k1k.csv")).read_text().splitlines()
    header, *rows = [line for line in lines if not line.startswith("#")][: ROWS + 1]
    names = header.split(",")
    cells = rows[-1].split(",")
    for name in ("total_tok_s_gpu", "output_tok_s_gpu"):
        cells[names.index(name)] = "900000" if name.startswith("total") else "100000"
    rows[-1] = ",".join(cells)
    if hostile:
        rows = [row.replace("SemiAnalysisAI", HOSTILE) for row in rows]
        rows = [",".join([*row.split(",")[:-1], HOSTILE]) for row in rows]
    return "\n".join([header, *rows]) + "\n"


def drop(page: Any, name: str, text: str) -> None:
    page.evaluate(
        """([name, text]) => {
            const data = new DataTransfer();
            data.items.add(new File([text], name, { type: 'text/csv' }));
            const place = document.querySelector('#panel-check .drop');
            place.dispatchEvent(new DragEvent('dragover', { dataTransfer: data, bubbles: true, cancelable: true }));
            place.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        [name, text],
    )
    page.wait_for_selector("#panel-check .inner[aria-busy=false]")


@pytest.fixture
def check(quick: Any) -> Any:
    at(quick, f"#tab=check&{SMALL[1:]}")
    return quick


def test_a_dropped_file_gets_the_verdicts_of_validate(check: Any, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(rows_of())
    report = validate(read_measurements(path))
    drop(check, path.name, path.read_text())
    rows = cells(check, "#panel-check tbody tr")
    assert [row[1] for row in rows] == [one.verdict for one in report.rows]
    assert [int(row[0]) for row in rows] == [one.row.line for one in report.rows]
    assert {row[1] for row in rows} >= {"clean", "impossible"}
    said = [row[-2] for row in rows]
    for one, text in zip(report.rows, said, strict=True):
        assert text == "; ".join(reason.message for reason in one.reasons)
    assert check.inner_text("#panel-check .sentence .verdict") == report.verdict == "impossible"


def test_a_row_is_shown_on_the_curve(check: Any) -> None:
    drop(check, "mine.csv", rows_of())
    check.click("#panel-check tbody tr:first-child button")
    settled(check)
    assert check.get_attribute("#tab-curve", "aria-selected") == "true"
    assert "isl=8192" in check.evaluate("location.hash")
    check.select_option("#control-x", "concurrency")
    settled(check)
    marked = next(trace for trace in chart(check) if trace["name"] == "selected row")
    assert (marked["x"], marked["y"]) == ([4], [2001.03])
    own = next(trace for trace in chart(check) if trace["name"] == "your rows")
    assert len(own["x"]) == ROWS


def test_hostile_names_and_cells_are_shown_and_do_nothing(check: Any) -> None:
    drop(check, NAME, rows_of(hostile=True))
    shown = check.inner_text("#panel-check")
    assert HOSTILE in shown
    check.click("#panel-check tbody tr:first-child button")
    settled(check)
    check.select_option("#control-x", "concurrency")
    settled(check)
    assert check.locator("img").count() == 0
    assert check.evaluate("document.querySelectorAll('[onerror]').length") == 0


def test_what_is_no_measured_file_is_refused_in_the_readers_words(check: Any) -> None:
    drop(check, NAME, f"a,b\n{HOSTILE},=1+1\n")
    said = check.inner_text("#panel-check .inner .fault")
    assert HOSTILE in said
    assert "column" in said
    assert check.locator("#panel-check tbody tr").count() == 0
    check.complaints.clear()


def test_a_file_that_is_too_large_is_not_sent(check: Any) -> None:
    drop(check, "large.csv", "x" * 2_000_001)
    assert "at most 2,000,000" in check.inner_text("#panel-check .inner .fault")


def test_the_same_file_can_be_chosen(check: Any) -> None:
    check.set_input_files("#check-file", {"name": "mine.csv", "mimeType": "text/csv", "buffer": rows_of().encode()})
    check.wait_for_selector("#panel-check tbody tr")
    assert check.locator("#panel-check tbody tr").count() == ROWS
