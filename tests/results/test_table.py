"""The one class of results: what a notebook shows, and that every form of a result has the same rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from simulator import (
    Parts,
    Result,
    ResultTable,
    calibrate,
    compare,
    compare_against,
    compare_agentic,
    convert,
    describe_trace,
    evaluate,
    explain,
    fit_kernels,
    import_model,
    infer_acceptance,
    make_scenario,
    plan,
    predict,
    profiles,
    replay,
    shipped_measurements,
    simulate,
    suggest,
    validate,
    what_if_acceptance,
    what_if_cache,
    what_if_depth,
    what_if_sensitivity,
    what_if_sweep,
    what_if_workload,
)
from simulator.results.table import SHOWN

FILE = shipped_measurements("sglang_mi355x_8k1k.csv")
TRACE, SESSIONS = (
    str(Path(__file__).parents[1] / "traffic" / "data" / name) for name in ("mooncake.jsonl", "weka_tree.json")
)
FEW = "precision=FP4 and concurrency=4"
FAST: dict[str, Any] = {"method": "closed-form", "intervals": False}
MTP = make_scenario(mtp=3)


class Page(HTMLParser):
    """The rows of the tables of a page, each a list of cells, the tags in it, and the units of the headers."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[str] = []
        self.units: list[str | None] = []
        self.after = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "th":
            self.units.append(dict(attrs)["title"])

    def handle_data(self, data: str) -> None:
        if self.tags[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        elif self.tags[-1] == "p":
            self.after += data


def shown(*rows: dict[str, Any]) -> Page:
    return Page(ResultTable({}, rows)._repr_html_())


def test_a_header_per_column_with_its_unit() -> None:
    page = shown({"concurrency": 4, "mean_tpot_ms": 8.0}, {"concurrency": 8, "mean_tpot_ms_lo": 7.0, "remark": "far"})
    assert page.rows[0] == ["concurrency", "mean_tpot_ms", "mean_tpot_ms_lo", "remark"]
    assert page.units == ["requests", "ms", "ms", ""]


def test_what_does_not_exist_is_blank_and_never_a_guess() -> None:
    page = shown({"a": None, "b": float("nan"), "c": 0}, {"b": float("inf"), "c": False})
    assert page.rows[1:] == [["", "", "0"], ["", "", "False"]]


def test_numbers_to_four_digits() -> None:
    assert shown({"x": 1234.5678, "n": 1234567, "s": 1e-9 / 3}).rows[1] == ["1235", "1234567", "3.333e-10"]


def test_markup_in_a_cell_or_a_name_is_text() -> None:
    cell, name = "<script>alert('&')</script>", "<b>'"
    page = shown({name: cell})
    assert page.rows == [[name], [cell]]
    assert not {"script", "b"} & set(page.tags)


@pytest.mark.parametrize(("rows", "after"), [(0, ""), (SHOWN, ""), (SHOWN + 7, "7 more rows")])
def test_a_long_table_says_how_much_is_not_shown(rows: int, after: str) -> None:
    page = shown(*({"n": i} for i in range(rows)))
    assert len(page.rows) == 1 + min(rows, SHOWN)
    assert page.after == after


CONFIG = str(Path(__file__).parents[1] / "facts" / "importing" / "configs" / "zai-org--GLM-5.2.config.json")
Document = dict[str, Any]
Kind = tuple[Callable[[], Result], Callable[[Document], Any]]


def rows_of(document: Document) -> Any:
    return document["rows"]


KINDS: dict[str, Kind] = {
    "predict": (lambda: predict(MTP, [4, 8], **FAST), rows_of),
    "profiles": (lambda: profiles("hardware"), rows_of),
    "compare": (lambda: compare(MTP, [4, 8, 16, 32], **FAST), rows_of),
    "compare_against": (lambda: compare_against("inferencex-mi355x-fp4-1k1k"), rows_of),
    "compare_agentic": (
        lambda: compare_agentic(MTP, SESSIONS, concurrency=[1, 2], duration="2min", intervals=False),
        rows_of,
    ),
    "explain": (lambda: explain(MTP, phase="both"), rows_of),
    "several explained": (
        lambda: Parts.of([explain(MTP, c) for c in (4, 8)], [{"concurrency": c} for c in (4, 8)]),
        rows_of,
    ),
    "suggest": (lambda: suggest(MTP, top=3), rows_of),
    "evaluate": (lambda: evaluate(FILE, select=FEW, method="closed-form"), lambda d: d["points"]),
    "convert": (lambda: convert(FILE), rows_of),
    "validate": (lambda: validate(FILE, select=FEW, method="closed-form"), rows_of),
    "infer_acceptance": (
        lambda: infer_acceptance(FILE, FILE, select=FEW, method="closed-form"),
        lambda d: d["points"],
    ),
    "calibrate": (
        lambda: calibrate(FILE, select=f"{FEW} and spec=off", cross_validate=False),
        lambda d: d["parameters"],
    ),
    "fit_kernels": (
        lambda: fit_kernels(shipped_measurements("kernels_amd_more.csv"), "mi355x"),
        lambda d: d["parameters"],
    ),
    "import_model": (lambda: import_model(CONFIG), rows_of),
    "simulate": (lambda: simulate(rate=1.0, duration="1min", promises=["ttft-p99=2s"]), lambda d: [d["figures"]]),
    "describe_trace": (lambda: describe_trace(TRACE), lambda d: [d["figures"]]),
    "sessions described": (lambda: describe_trace(SESSIONS), lambda d: [d["figures"]]),
    "replay": (lambda: replay(MTP, SESSIONS, concurrency=[1], duration="2min", intervals=False), rows_of),
    "plan": (
        lambda: plan(rate=2.0, promises=["ttft-p99=2s"], tp=(2, 4), mtp=(0,)),
        lambda d: [d["winner"], *d["runners_up"]],
    ),
    "what_if_acceptance": (lambda: what_if_acceptance(MTP, [4, 8], rates=[0, 1], **FAST), lambda d: d["points"]),
    "what_if_cache": (
        lambda: what_if_cache(MTP, SESSIONS, concurrency=[1], duration="2min"),
        lambda d: d["points"],
    ),
    "what_if_depth": (lambda: what_if_depth(MTP, [4, 8], method="closed-form"), lambda d: d["best"]),
    "what_if_workload": (lambda: what_if_workload([MTP], [4, 8], **FAST), lambda d: d["points"]),
    "what_if_sensitivity": (lambda: what_if_sensitivity(MTP, samples=16), lambda d: d["indices"]),
    "what_if_sweep": (lambda: what_if_sweep([MTP], [4, 8], [0.2, 0.8]), lambda d: d["columns"]["tp"]),
}
"""Public function -> one of its results, and the main table in the JSON of it."""


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    return {name: make() for name, (make, _) in KINDS.items()}


def test_every_kind_of_result_is_here(results: dict[str, Result]) -> None:
    assert {type(result) for result in results.values()} == set(Result.__subclasses__())


@pytest.mark.parametrize("name", KINDS)
def test_every_form_has_the_same_rows(results: dict[str, Result], name: str) -> None:
    result = results[name]
    count = len(result.records())
    assert count > 0
    assert len(result.to_frame()) == count
    assert len(list(csv.DictReader(io.StringIO(result.to_csv())))) == count
    assert len(KINDS[name][1](json.loads(result.to_json()))) == count
    assert len(Page(result._repr_html_()).rows) == 1 + min(count, SHOWN)


@pytest.mark.parametrize("name", KINDS)
def test_every_form_has_the_same_columns(results: dict[str, Result], name: str) -> None:
    result = results[name]
    columns = list(result.to_frame().columns)
    assert next(csv.reader(io.StringIO(result.to_csv()))) == columns
    assert Page(result._repr_html_()).rows[0] == columns
    assert result.column(columns[0]) == [row.get(columns[0]) for row in result.records()]


def test_a_path_may_be_a_string_or_a_path() -> None:
    found, same = (infer_acceptance(f, f, select=FEW, method="closed-form") for f in (Path(FILE), str(FILE)))
    assert found.to_json() == same.to_json()
