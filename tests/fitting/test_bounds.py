"""Parameters on a bound are reported where a calibration is made and where it is used."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from simulator import calibrate, cli, shipped_measurements
from simulator.cost.calibration import digest, load_calibration
from simulator.cost.parameters import on_bounds, registry
from simulator.fitting.calibrate import as_calibration
from simulator.fitting.shipped import RECIPES
from simulator.fitting.writing import write

FILE = str(shipped_measurements("sglang_mi355x_8k1k.csv"))
FEW = "precision=FP4 and concurrency=4"


def test_a_value_within_a_hundredth_of_the_range_is_on_the_bound() -> None:
    p = registry()["routing.correlation"]
    assert on_bounds({p.name: p.high - 0.005 * (p.high - p.low)}) == [
        "routing.correlation is on its upper bound, 0.98 fraction: the data would have it beyond"
    ]
    assert on_bounds({p.name: p.low})[0].startswith("routing.correlation is on its lower bound, 0 fraction")
    assert on_bounds({p.name: p.high - 0.02 * (p.high - p.low)}) == []


def test_no_shipped_calibration_is_on_a_bound() -> None:
    assert [load_calibration(recipe.name).on_bounds() for recipe in RECIPES] == [[]] * len(RECIPES)


def test_evaluate_says_what_is_on_a_bound(tmp_path: Path) -> None:
    content = calibrate(FILE, select=FEW, cross_validate=False).content
    content["parameters"]["routing.correlation"]["value"] = 0.98
    content["hash"] = digest(content)
    write(content, tmp_path / "fit.yaml")
    assert as_calibration(content).on_bounds()
    found = CliRunner().invoke(
        cli.group, ["evaluate", FILE, "--select", FEW, "--calibration", str(tmp_path / "fit.yaml")]
    )
    assert found.exit_code == 0, found.output
    assert "routing.correlation is on its upper bound" in " ".join(found.output.split())
