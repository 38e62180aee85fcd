"""Interactive figures hold the numbers of their results, in the colours of the still ones."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

from simulator import (
    InputError,
    compare,
    draw,
    explain,
    make_scenario,
    predict,
    what_if_acceptance,
    what_if_depth,
)
from simulator.plots.style import BOUND_COLOURS, MTP_COLOUR, OFF_COLOUR

pytest.importorskip("plotly", reason="pip install '.[web]'")

SWEEP = ["2:4,16", "4:4,16"]


def test_a_prediction_shows_every_row_with_its_band_and_its_columns() -> None:
    table = predict([make_scenario(mtp=k) for k in (0, 3)], sweep=SWEEP)
    figure = draw(table, interactive=True)
    front = [trace for trace in figure.data if trace.xaxis == "x" and trace.hovertext is not None]
    drawn = {(x, y) for trace in front for x, y in zip(trace.x, trace.y, strict=True)}
    assert drawn == {(row["interactivity_tok_s_user"], row["total_tok_s_gpu"]) for row in table.rows}
    assert {trace.name for trace in front} == {"TP2 Off", "TP2 MTP 3", "TP4 Off", "TP4 MTP 3"}
    assert {MTP_COLOUR, OFF_COLOUR} <= {trace.line.color for trace in front}
    ends = {y for trace in figure.data if trace.fill == "toself" and trace.xaxis == "x" for y in trace.y}
    assert ends == {row[f"total_tok_s_gpu{end}"] for row in table.rows for end in ("_lo", "_hi")}
    assert all(word in front[0].hovertext[0] for word in ("bound_by", "scope: inside", "method: des"))


def test_a_comparison_reads_where_the_table_does() -> None:
    matched = compare(make_scenario(mtp=3), sweep=SWEEP, at=[60, 100], intervals=False)
    figure = draw(matched, interactive=True)
    lines = {trace.name: trace for trace in figure.data if trace.mode == "lines" and trace.xaxis == "x"}
    assert {name: trace.line.color for name, trace in lines.items()} == {"MTP": MTP_COLOUR, "Off": OFF_COLOUR}
    for spec, name in (("mtp", "MTP"), ("off", "Off")):
        assert (lines[name].x[0], lines[name].x[-1]) == pytest.approx(matched.fronts[spec].band)
    read = next(trace for trace in figure.data if trace.name == "read at" and trace.xaxis == "x")
    known = [
        row for row in matched.rows if row["total_tok_s_gpu"] is not None and not math.isnan(row["total_tok_s_gpu"])
    ]
    assert list(zip(read.x, read.y, strict=True)) == [
        (row["interactivity_tok_s_user"], row["total_tok_s_gpu"]) for row in known
    ]


def test_the_map_of_acceptance_is_white_where_nothing_is_gained() -> None:
    study = what_if_acceptance(make_scenario(mtp=3), [4, 64], lengths=[1.0, 2.0, 3.0, 4.0], method="closed-form")
    measured = [{"concurrency": 16, "acceptance_length": 2.9, "lo": 2.7, "hi": 3.2}]
    figure = draw(study, measured=measured, interactive=True)
    heat = figure.data[0]
    gains = {(row["acceptance_length"], row["concurrency"]): row["gain_over_off"] for row in study.tables["points"]}
    for i, length in enumerate(heat.y):
        for k, place in enumerate(heat.x):
            assert heat.z[i][k] == gains[length, round(2**place)]
    (_, off), (zero, white), (_, mtp) = heat.colorscale
    assert (off, white, mtp) == (OFF_COLOUR, "#ffffff", MTP_COLOUR)
    assert heat.zmin + zero * (heat.zmax - heat.zmin) == pytest.approx(0.0, abs=1e-12)
    line = next(trace for trace in figure.data if trace.name == "break-even")
    assert list(line.y) == [row["acceptance_length"] for row in study.tables["break_even"]]
    pair = figure.data[-1]
    assert (pair.x[0], pair.y[0]) == (4.0, 2.9)
    assert (pair.error_y.array[0], pair.error_y.arrayminus[0]) == pytest.approx((0.3, 0.2))


def test_the_bars_of_an_explanation_add_up_to_the_pass() -> None:
    found = explain(make_scenario(mtp=3), 16)
    figure = draw(found, interactive=True)
    bars = [trace for trace in figure.data if trace.type == "bar"]
    total = sum(sum(trace.x) for trace in bars)
    assert total == pytest.approx(1000 * found.totals()["decode"]["seconds"], rel=1e-9)
    assert {trace.marker.color for trace in bars} >= {BOUND_COLOURS["memory"], BOUND_COLOURS["floor"]}
    dots = next(trace for trace in figure.data if trace.name == "operators")
    peak = max(max(trace.y) for trace in figure.data if trace.name.endswith("TFLOP/s"))
    assert max(dots.y) < peak


def test_text_is_shown_as_it_is() -> None:
    figure = draw(explain(make_scenario(), 4), title="<b>a & b</b>", interactive=True)
    assert figure.layout.title.text == "&lt;b&gt;a &amp; b&lt;/b&gt;"


def test_other_results_and_paths_are_refused(tmp_path: Path) -> None:
    study = what_if_depth(make_scenario(mtp=2), [4], method="closed-form")
    with pytest.raises(InputError, match="Study of depth; there are those of predict, compare, what_if_acceptance"):
        draw(study, interactive=True)
    with pytest.raises(InputError, match="write_html"):
        draw(explain(make_scenario(), 4), tmp_path / "a.html", interactive=True)  # type: ignore[call-overload]
    assert list(tmp_path.iterdir()) == []


def test_without_plotly_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("simulator.plots.interactive")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(InputError, match=r"pip install 'mtpsim\[web\]'"):
        draw(explain(make_scenario(), 4), interactive=True)
