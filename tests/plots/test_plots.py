"""Figures build from real results and say what they should; files appear whole or not at all."""

from __future__ import annotations

import itertools
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.text import Text

from simulator.cost.explain import explain_prefill, explain_round
from simulator.cost.parameters import priors
from simulator.errors import InputError
from simulator.facts.deployment import Deployment
from simulator.facts.reading import load_engine, load_hardware, load_model
from simulator.plots import (
    comparison_figure,
    curves_figure,
    measured_vs_predicted_figure,
    picture_format,
    roofline_figure,
    save,
)
from simulator.plots.labels import Label, place_labels
from simulator.plots.style import new_figure, plain
from simulator.prediction.frontier import Frontier
from simulator.prediction.matched import read_fronts
from simulator.speculation.acceptance import OFF, from_length

PNG = b"\x89PNG\r\n\x1a\n"


def deploy(hardware: str = "mi355x", checkpoint: str = "mxfp4", tp: int = 2) -> Deployment:
    return Deployment(
        hardware=load_hardware(hardware),
        model=load_model("qwen3.5-397b-a17b"),
        checkpoint=checkpoint,
        engine=load_engine("sglang"),
        tp=tp,
    )


def rows(scale: float, interval: float = 0.0) -> list[dict[str, float]]:
    """A sweep of plausible shape."""
    out = []
    for concurrency in (4, 16, 64, 256):
        tpot = 5.0 / scale * (1 + concurrency / 40)
        row = {
            "concurrency": concurrency,
            "interactivity_tok_s_user": 1000 / tpot,
            "total_tok_s_gpu": 1000 * concurrency / tpot,
            "mean_tpot_ms": tpot,
            "mean_ttft_ms": 100.0 + concurrency,
            "cost_usd_per_mtok": tpot / concurrency,
        }
        if interval:
            row |= {
                f"{key}_{end}": row[key] * (1 + sign * interval)
                for key in list(row)
                for end, sign in (("lo", -1), ("hi", 1))
            }
        out.append(row)
    return out


def frontier(scale: float, *, priced: bool = True) -> Frontier:
    table = rows(scale)
    names = [name for name in table[0] if priced or name != "cost_usd_per_mtok"]
    return Frontier.from_points({name: [row[name] for row in table] for name in names})


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text) if isinstance(text, Text))


@pytest.fixture
def figure() -> Figure:
    return curves_figure([{"label": "Off", "rows": rows(1.0)}], title="A title")


@pytest.mark.parametrize(
    ("hardware", "checkpoint", "tp", "formats"),
    [
        ("mi355x", "mxfp4", 2, {"BF16", "FP8", "FP4"}),
        ("mi300x", "fp8", 8, {"BF16", "FP8"}),
        ("mi355x", "mxfp4", 1, set()),
    ],
)
def test_roofline_names_ceilings_and_operators(hardware: str, checkpoint: str, tp: int, formats: set[str]) -> None:
    deployment = deploy(hardware, checkpoint, tp)
    picture = roofline_figure(explain_round(deployment, OFF, priors(), 8, 1000), deployment.hardware, "Title")
    text = words(picture)
    assert {name for name in ("BF16", "FP8", "FP4") if f"{name} " in text and "TFLOP/s" in text} >= formats
    assert ("FP4" in text) == (hardware == "mi355x")
    assert f"HBM {deployment.hardware.hbm_bandwidth / 1e12:g} TB/s" in text
    assert "moe routed experts" in text
    assert ("all-reduce" in text) == (tp > 1)
    assert "Title" in text


@pytest.mark.parametrize(("batch", "largest"), [(1, "lm head"), (64, "moe routed experts")])
def test_roofline_of_speculation_and_prefill(batch: int, largest: str) -> None:
    """The largest operator of the draft is named: a token reads 11 of 513 experts of 25 MB and 2 GB of lm head."""
    deployment, mtp = deploy(), from_length(2.8, 3)
    result = explain_round(deployment, mtp, priors(), batch, 1000)
    text = words(roofline_figure(result, deployment.hardware, "x"))
    assert "\ndraft\n" in text
    assert f"draft: {largest}" in text
    result = explain_prefill(deployment, mtp, priors(), 2, 4096)
    assert "prefill pass" in words(roofline_figure(result, deployment.hardware, "x"))


def test_ridge_is_where_the_roofs_meet() -> None:
    """MI355X: 2516 TFLOP/s over 8 TB/s is 314.5 FLOP/byte."""
    deployment = deploy()
    picture = roofline_figure(explain_round(deployment, OFF, priors(), 8, 1000), deployment.hardware, "x")
    ends = [tuple(np.asarray(line.get_xydata())[0]) for line in picture.axes[0].get_lines() if line.get_marker() == "o"]
    assert ends == [pytest.approx((314.5, 2516.0)), pytest.approx((629.125, 5033.0)), pytest.approx((1258.25, 10066.0))]


def test_curves_show_every_series() -> None:
    series = [{"label": "MTP 3", "rows": rows(1.5, 0.1)}, {"label": "Off", "rows": rows(1.0)}]
    measured = [{"label": "Off", "rows": rows(0.9)}]
    picture = curves_figure(series, measured, title="MI355X")
    text = words(picture)
    for word in ("MI355X", "MTP 3", "Off, measured", "Interactivity (tok/s/user)", "Mean TTFT (ms)", "256"):
        assert word in text
    front = picture.axes[0]
    assert len(front.collections) == 1
    hollow = [line for line in front.get_lines() if line.get_markerfacecolor() == "none"]
    assert len(hollow) == 1
    assert list(np.asarray(hollow[0].get_ydata())) == pytest.approx(
        sorted((r["total_tok_s_gpu"] for r in rows(0.9)), reverse=True)
    )


def test_curves_leave_out_what_is_not_known() -> None:
    table = rows(1.0)
    del table[0]["mean_ttft_ms"]
    table[1]["mean_ttft_ms"] = float("nan")
    picture = curves_figure([{"label": "Off", "rows": table}])
    assert [np.size(axes.get_lines()[0].get_xdata()) for axes in picture.axes] == [4, 4, 2]
    assert "no points" in words(curves_figure([{"label": "Off", "rows": []}]))
    assert "no points" in words(curves_figure([]))


def test_comparison_marks_gains() -> None:
    mtp, off = frontier(1.25), frontier(1.0)
    low, high = off.band[0] * 1.3, off.band[1] * 0.8
    result = read_fronts(mtp, off, [low, high, 1e6])
    pairs = zip(result.points[:4:2], result.points[1:4:2], strict=True)
    gains = [a.total_tok_s_gpu / b.total_tok_s_gpu - 1 for a, b in pairs]
    text = words(comparison_figure(mtp, off, result))
    for gain in gains:
        assert f"MTP +{100 * gain:.0f} %" in text
    assert "both exist" in text
    assert "Cost ($ per million tokens)" in text


def test_comparison_credits_the_better_side() -> None:
    slow, fast = frontier(0.9), frontier(1.0)
    at = (slow.band[0] + slow.band[1]) / 2
    result = read_fronts(slow, fast, [at])
    text = words(comparison_figure(slow, fast, result))
    assert "Off +" in text
    assert "Off \N{MINUS SIGN}" in text
    assert "MTP +" not in text


def test_comparison_without_price_or_overlap() -> None:
    assert (
        len(
            comparison_figure(
                frontier(1.2, priced=False), frontier(1.0), read_fronts(frontier(1.2), frontier(1.0), [])
            ).axes
        )
        == 1
    )
    far, near = frontier(100.0), frontier(1.0)
    assert "do not overlap" in words(comparison_figure(far, near, read_fronts(far, near, [50.0])))


def test_parity_states_the_error() -> None:
    points = [
        {
            "predicted": 110.0,
            "measured": 100.0,
            "metric": "mean_tpot_ms",
            "group": "Off",
            "concurrency": 4,
            "lo": 100,
            "hi": 120,
        },
        {"predicted": 60.0, "measured": 80.0, "metric": "mean_tpot_ms", "group": "MTP", "concurrency": 8},
        {"predicted": 1000.0, "measured": 1000.0, "metric": "total_tok_s_gpu", "group": "MTP", "concurrency": 8},
    ]
    picture = measured_vs_predicted_figure(points)
    text = words(picture)
    assert "MAPE 17.5 %\nworst 25 %\n2 points" in text
    assert "Mean TPOT (ms)" in text
    assert len(picture.axes) == 4
    without = [{key: value for key, value in point.items() if key != "concurrency"} for point in points]
    assert len(measured_vs_predicted_figure(without).axes) == 2


def test_parity_refuses_what_it_cannot_plot() -> None:
    with pytest.raises(InputError, match="at least one point"):
        measured_vs_predicted_figure([])
    with pytest.raises(InputError, match="measured mean_tpot_ms must be finite and positive"):
        measured_vs_predicted_figure([{"predicted": 1.0, "measured": 0.0, "metric": "mean_tpot_ms", "group": "Off"}])


def test_labels_do_not_overlap() -> None:
    picture = new_figure("x")
    axes = picture.subplots()
    axes.set_xlim(0, 10)
    axes.set_ylim(0, 10)
    place_labels(axes, [Label(5 + 0.05 * i, 5 + 0.04 * i, f"operator number {i}", 4.0) for i in range(8)])
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
    assert len(boxes) == 8
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


@pytest.mark.parametrize(
    ("value", "text"), [(12000.0, "12,000"), (350.4, "350"), (2.5, "2.5"), (0.123456, "0.123"), (2.0, "2")]
)
def test_plain_numbers(value: float, text: str) -> None:
    assert plain(value) == text


def test_saves_png_svg_and_pdf(figure: Figure, tmp_path: Path) -> None:
    for name in ("a.png", "b.SVG", "c.svg", "d.pdf", "e.pdf"):
        save(figure, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)
    assert ET.parse(tmp_path / "b.SVG").getroot().tag.endswith("svg")
    assert (tmp_path / "b.SVG").read_bytes() == (tmp_path / "c.svg").read_bytes()
    assert (tmp_path / "d.pdf").read_bytes().startswith(b"%PDF-")
    assert (tmp_path / "d.pdf").read_bytes() == (tmp_path / "e.pdf").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.SVG", "c.svg", "d.pdf", "e.pdf"]


def test_saving_replaces(figure: Figure, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG + b"old")
    save(figure, str(path))
    assert path.read_bytes().startswith(PNG)
    assert not path.read_bytes().endswith(b"old")


@pytest.mark.parametrize(
    ("name", "found"), [("a.gif", "the suffix '.gif'"), ("picture", "no suffix"), ("a.png.txt", "'.txt'")]
)
def test_bad_suffix(figure: Figure, tmp_path: Path, name: str, found: str) -> None:
    with pytest.raises(
        InputError, match=rf"--plot .*{name}: expected a file name that ends in \.png, \.svg or \.pdf, found .*{found}"
    ):
        save(figure, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError):
        picture_format(name)


@pytest.fixture
def unwritable(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "folder.png"
    folder.mkdir()
    (folder / "kept").touch()
    yield folder
    assert [path.name for path in folder.iterdir()] == ["kept"]


def test_unwritable_path(figure: Figure, tmp_path: Path, unwritable: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "missing" / "a.png", unwritable, tmp_path / "file" / "a.png"):
        with pytest.raises(InputError, match=r"--plot .*\.png: cannot be written: "):
            save(figure, path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.png"]


def test_interruption_leaves_the_old_file(figure: Figure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG + b"old")

    def interrupt(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(figure, "savefig", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(figure, path)
    assert path.read_bytes() == PNG + b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_global_state_is_left_alone() -> None:
    before = dict(rcParams)
    curves_figure([{"label": "Off", "rows": rows(1.0)}])
    assert dict(rcParams) == before
    code = "import sys, simulator.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
