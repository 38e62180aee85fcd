"""Colours and markers mean the same in every picture, and every picture uses its room."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import same_color, to_hex
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

import simulator.plots
from simulator import (
    compare,
    compare_against,
    draw,
    evaluate,
    explain,
    make_scenario,
    plan,
    predict,
    read_measurements,
    shipped_measurements,
    simulate,
    validate,
    what_if_acceptance,
    what_if_depth,
    what_if_sensitivity,
    what_if_workload,
)
from simulator.api import Parts
from simulator.plots.style import MARKERS, MTP_COLOUR, OFF_COLOUR, SPEC_COLOURS, looks, pale, shades

FAST: dict[str, Any] = {"method": "closed-form"}
LOADS = [4, 16, 64]
RUNS = shipped_measurements("sglang_mi355x_8k1k.csv")


def depths() -> Parts:
    found = [compare(make_scenario(mtp=k), LOADS, at=[60], **FAST) for k in (1, 3)]
    return Parts.of(found, [{"compared_spec_tokens": k} for k in (1, 3)])


WITH_BOTH: dict[str, Callable[[], Any]] = {
    "predict": lambda: predict([make_scenario(tp=tp, mtp=k) for tp in (2, 4) for k in (0, 3)], LOADS, **FAST),
    "compare": lambda: compare(make_scenario(mtp=3), LOADS, at=[60], **FAST),
    "depths": depths,
    "against": lambda: compare_against("inferencex-mi355x-fp4-1k1k", **FAST),
    "evaluate": lambda: evaluate(RUNS, **FAST),
    "validate": lambda: validate(read_measurements([str(RUNS)]), **FAST),
    "plan": lambda: plan(make_scenario(isl=8192), rate=4, promises=["ttft-p99=2s"], tp=(4,), mtp=(0, 3), spare=1),
}
OTHERS: dict[str, Callable[[], Any]] = {
    "explain": lambda: explain(make_scenario(mtp=3)),
    "simulate": lambda: simulate(make_scenario(), rate=2.0, duration="1min", promises=["ttft-p99=2s"]),
    "acceptance": lambda: what_if_acceptance(make_scenario(mtp=3), LOADS, rates=[0, 0.5, 1], **FAST),
    "depth": lambda: what_if_depth(make_scenario(mtp=4, acceptance=[0.9, 0.8, 0.6, 0.4]), LOADS, **FAST),
    "workload": lambda: what_if_workload([make_scenario(mtp=3, isl=n) for n in (1024, 8192)], LOADS, **FAST),
    "sensitivity": lambda: what_if_sensitivity(make_scenario(mtp=3), samples=16),
}
EVERY = WITH_BOTH | OTHERS


@functools.cache
def picture(name: str) -> Figure:
    return draw(EVERY[name]())


def legends(figure: Figure) -> list[Legend]:
    return [*figure.legends, *(one for axes in figure.axes if (one := axes.get_legend()) is not None)]


def colour_of(artist: Any) -> str:
    return to_hex(artist.get_color() if isinstance(artist, Line2D) else artist.get_facecolor())


@pytest.mark.parametrize("name", WITH_BOTH)
def test_mtp_has_one_colour_and_off_another(name: str) -> None:
    seen = set()
    for legend in legends(picture(name)):
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
            for spec in re.findall(r"\b(mtp|off)\b", text.get_text().lower()):
                family = {to_hex(shade) for count in range(1, 9) for shade in shades(SPEC_COLOURS[spec], count)}
                assert colour_of(handle) in family, text.get_text()
                seen.add(spec)
    assert seen == {"mtp", "off"}


@pytest.mark.parametrize("name", OTHERS)
def test_nothing_else_has_these_colours(name: str) -> None:
    drawn = [one for axes in picture(name).axes for one in (*axes.get_lines(), *axes.patches)]
    assert drawn
    for artist in drawn:
        assert not any(same_color(colour_of(artist), own) for own in SPEC_COLOURS.values())


def test_a_map_of_gains_is_off_below_and_mtp_above() -> None:
    mesh = picture("acceptance").axes[0].collections[0]
    assert [to_hex(mesh.get_cmap()(end)) for end in (0.0, 1.0)] == [OFF_COLOUR.lower(), MTP_COLOUR.lower()]


def test_one_place_names_the_colours() -> None:
    """No other module of the room writes them, so that none can use them for something else."""
    for module in Path(simulator.plots.__file__).parent.glob("*.py"):
        if module.name != "style.py":
            text = module.read_text(encoding="utf-8").lower()
            assert not any(own.lower() in text for own in SPEC_COLOURS.values()), module.name


def test_looks_of_labels() -> None:
    found = looks(["TP2 Off", "TP2 MTP 3", "TP4 MTP 3", "coding", "offset"])
    assert found["TP2 Off"][0] == OFF_COLOUR
    assert found["TP2 MTP 3"][0] == MTP_COLOUR
    assert found["TP4 MTP 3"][0] in shades(MTP_COLOUR, 2)[1:]
    assert not {found["coding"][0], found["offset"][0]} & set(SPEC_COLOURS.values())
    assert len({marker for _, marker in found.values()}) == 5
    many = looks([f"TP{tp} MTP {k}" for tp in (1, 2, 4, 8) for k in (1, 2, 3)])
    assert len(set(many.values())) == 12
    assert {marker for _, marker in many.values()} == set(MARKERS)
    assert pale(OFF_COLOUR) not in SPEC_COLOURS.values()


def hollow(line: Line2D) -> bool:
    face = line.get_markerfacecolor()
    return face == "none" or same_color(face, "white")


@pytest.mark.parametrize("name", ["validate", "against"])
def test_measured_is_hollow_and_predicted_is_not(name: str) -> None:
    for axes in picture(name).axes:
        points = [line for line in axes.get_lines() if line.get_linestyle() in ("None", "") and len(line.get_xdata())]
        lines = [line for line in axes.get_lines() if line.get_linestyle() == "-" and len(line.get_xdata())]
        assert any(hollow(line) for line in points)
        assert lines


def test_predicted_points_are_filled() -> None:
    for name in ("predict", "compare", "depths"):
        marked = [
            line for axes in picture(name).axes for line in axes.get_lines() if line.get_marker() not in ("None", "")
        ]
        assert marked
        assert not any(hollow(line) for line in marked)


# --- room


@pytest.mark.parametrize("name", EVERY)
def test_axes_are_labelled_and_no_panel_is_empty(name: str) -> None:
    for axes in picture(name).axes:
        if axes.get_label() == "<colorbar>":
            assert axes.get_ylabel()
            continue
        assert axes.get_xlabel(), axes.get_title()
        words = any(re.search("[a-z]", tick.get_text()) for tick in axes.get_yticklabels())
        assert axes.get_ylabel() or words or axes.get_shared_y_axes().get_siblings(axes) != [axes]
        sizes = [len(line.get_xdata()) for line in axes.get_lines()] + [
            bar.get_width() * bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle)
        ]
        assert any(sizes) or axes.collections, axes.get_title()


@pytest.mark.parametrize("file", ["sglang_mi355x_8k1k.csv", "inferencex_frontier_fp4_1k1k.csv"])
def test_measured_points_take_most_of_the_height_of_a_validation(file: str) -> None:
    figure = draw(validate(read_measurements([str(shipped_measurements(file))]), **FAST))
    for axes in figure.axes:
        heights = [float(y) for line in axes.get_lines() if hollow(line) for y in line.get_ydata()]
        if heights:
            low, high = axes.get_ylim()
            assert math.log(max(heights) / min(heights)) > 0.55 * math.log(high / low), axes.get_title()


def test_depths_are_whole_numbers() -> None:
    assert list(picture("depth").axes[0].get_xticks()) == [0, 1, 2, 3, 4]


def test_a_picture_of_workloads_names_the_model() -> None:
    assert "qwen3.5-397b-a17b" in picture("workload").get_suptitle()


def test_a_plan_says_what_its_bars_are() -> None:
    figure = picture("plan")
    axes = figure.axes[0]
    bars = [bar for bar in axes.patches if isinstance(bar, Patch)]
    assert len(bars) == len(axes.get_yticklabels()) == 2
    for bar, label in zip(bars, axes.get_yticklabels(), strict=True):
        spec = "off" if "Off" in label.get_text() else "mtp"
        own = SPEC_COLOURS[spec]
        assert colour_of(bar) in (to_hex(own), to_hex(pale(own)))
        assert "+ 1 spare" in label.get_text()
