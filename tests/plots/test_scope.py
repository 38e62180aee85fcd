"""What nothing measured stands behind is marked in pictures."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.text import Text

from simulator import draw, explain, make_scenario, predict
from simulator.plots.scope import LABEL, LINE


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]


def test_points_beyond_the_data_have_a_cross_and_a_line_below() -> None:
    scenario = make_scenario(tp=2, isl=8192)
    table = predict(scenario, [32, 256], method="closed-form", intervals=False)
    assert [row["scope"] for row in table.rows] == ["inside", "extrapolated"]
    figure = draw(table)
    crosses = [line for axes in figure.axes for line in axes.lines if line.get_label() == LABEL]
    assert len(crosses) == 3
    assert all(len(line.get_xdata()) == 1 for line in crosses)
    assert crosses[1].get_xdata()[0] == 256
    assert any("concurrency 256 beyond 4 to 128" in text for text in texts(figure))


def test_what_was_measured_has_neither() -> None:
    figure = draw(predict(make_scenario(tp=2, isl=8192), [4, 32], method="closed-form", intervals=False))
    assert LABEL not in texts(figure)
    assert not any(text.startswith("scope:") for text in texts(figure))


def test_every_picture_says_it_in_one_line() -> None:
    figure = draw(explain(make_scenario(tp=8, ep=8, isl=60000, checkpoint="mxfp4", kv_dtype="bf16"), 32))
    (line,) = (text for text in texts(figure) if text.startswith("scope:"))
    assert "EP 8, measured 1" in line
    assert len(line) <= LINE
