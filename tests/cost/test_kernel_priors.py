"""Priors in layers: what an accelerator's own kernel tables say, else those of its vendor's, else nothing's."""

from __future__ import annotations

import csv
import math
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from simulator.cost.calibration import load_calibration
from simulator.cost.operator import LOADS, ONE, T
from simulator.cost.parameters import registry, values_of
from simulator.cost.priors import KernelPrior, KernelPriors, between, borrowed, layered, shipped
from simulator.cost.rates import KernelRates
from simulator.errors import InputError
from simulator.facts.reading import load_hardware, names

FOLDER = Path(str(resources.files("simulator"))) / "cost" / "kernel_priors"
PUBLISHED = Path(str(resources.files("simulator"))) / "measurements" / "published"


def written(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


def loads(tokens: float) -> np.ndarray[Any, Any]:
    out = np.zeros(LOADS)
    out[ONE], out[T] = 1.0, tokens
    return out


def gemm_by_hand(p: dict[str, Any], n: float, k: float, tokens: float, peak: float, hbm: float) -> float:
    """Start, one tile's walk over k, FLOPs, those of the first 512 rows at a speed of their own, and weights and
    activations in BF16."""

    def value(name: str) -> float:
        return float(p[f"dense.bf16.{name}"]["value"])

    start = value("latency_us") * 1e-6 + k * value("depth_ns") * 1e-9
    rows = min(tokens, 512) / value("first_speed") + max(tokens - 512, 0)
    flops, moved = 2 * n * k * rows, 2 * (n * k + tokens * (n + k))
    return start + flops / (peak * value("compute_eff")) + moved / (hbm * value("bandwidth_eff"))


# --- worked by hand from the numbers of the files and of the data sheets


@pytest.mark.parametrize(("name", "peak", "hbm"), [("b200", 2.25e15, 8e12), ("mi355x", 2.5e15, 8e12)])
@pytest.mark.parametrize("tokens", [1, 300, 8192])
def test_a_gemm(name: str, peak: float, hbm: float, tokens: int) -> None:
    hardware = load_hardware(name)
    assert (hardware.peak("bf16"), hardware.hbm_bandwidth) == pytest.approx((peak, hbm), rel=0.01)
    rates = KernelRates(hardware, values_of(layered(hardware).known))
    mine = gemm_by_hand(written(name)["parameters"], 10240, 4096, tokens, hardware.peak_flops.bf16, hbm)
    assert rates.gemm("gemm", 1.0, 4096, 10240, "bf16").seconds(loads(tokens)) == pytest.approx(mine, rel=1e-9)


def test_the_stated_error_is_that_of_the_table() -> None:
    """Every BF16 GEMM of B200 by hand, against its published time."""
    found = written("b200")
    with (PUBLISHED / "kernels_nvidia_b200.csv").open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["kernel"] == "gemm" and r["precision"] == "bf16"]
    peak = load_hardware("b200").peak_flops.bf16
    errors = [
        math.log(
            gemm_by_hand(found["parameters"], float(r["n"]), float(r["k"]), float(r["tokens"]), peak, 8e12)
            / (float(r["time_us"]) * 1e-6)
        )
        for r in rows
    ]
    (stated,) = [fit for fit in found["fits"] if (fit["operator"], fit["format"]) == ("GEMM", "bf16")]
    assert len(rows) == stated["rows"]
    assert math.sqrt(sum(e * e for e in errors) / len(errors)) == pytest.approx(stated["rms"], abs=1e-3)
    assert sum(errors) / len(errors) == pytest.approx(stated["bias"], abs=1e-3)


@pytest.mark.parametrize(("name", "gpus", "wire"), [("b200", 8, 2 * 7 / 8 / 900e9), ("mi355x", 4, 2 / 4 / 76.8e9)])
def test_an_all_reduce(name: str, gpus: int, wire: float) -> None:
    """A switch: twice (n - 1) / n of the message through one port. A full mesh: twice 1 / n over every link."""
    hardware = load_hardware(name)
    p = {key: entry["value"] for key, entry in written(name)["parameters"].items()}
    start = (p["comm.latency_us"] + p["comm.doubling_us"] * math.log2(gpus / 2)) * 1e-6
    message = 64 * 2**20
    op = KernelRates(hardware, values_of(layered(hardware).known)).collective("x", 1.0, {T: message}, gpus, passes=2)
    assert op.seconds(loads(1)) == pytest.approx(start + message * wire / p["comm.bandwidth_eff"], rel=1e-9)


# --- layers


def test_own_tables_go_before_the_vendor_and_the_vendor_before_none() -> None:
    found = layered(load_hardware("mi355x"))
    own = shipped()["mi355x"].parameters["dense.bf16.latency_us"]
    assert found.layers["dense.bf16.latency_us"] == "accelerator"
    assert (found.known["dense.bf16.latency_us"].value, found.known["dense.bf16.latency_us"].sd) == (own.value, own.sd)
    # packing was timed on MI300X alone
    assert "comm.codec_eff" not in shipped()["mi355x"].parameters
    assert (found.layers["comm.codec_eff"], found.givers["comm.codec_eff"]) == ("vendor", "mi300x")
    assert found.known["comm.codec_eff"].value == shipped()["mi300x"].parameters["comm.codec_eff"].value
    assert (found.layers["host.step_us"], found.known["host.step_us"]) == ("generic", registry()["host.step_us"])
    assert found.kernels == ("mi355x",)


@pytest.mark.parametrize("name", names("hardware"))
def test_what_is_borrowed_is_less_sure_than_where_it_was_measured(name: str) -> None:
    hardware = load_hardware(name)
    for found in (layered(hardware), borrowed(hardware)):
        for parameter, layer in found.layers.items():
            if layer == "vendor":
                giver = found.givers[parameter]
                assert load_hardware(giver).vendor == hardware.vendor
                assert giver != name
                assert found.known[parameter].sd > shipped()[giver].parameters[parameter].sd
                assert found.known[parameter].source.startswith(f"as {giver}, wider: ")
    assert "accelerator" not in borrowed(hardware).layers.values()


def test_the_nearest_generation_gives() -> None:
    assert borrowed(load_hardware("h100-pcie")).givers["dense.bf16.latency_us"] in ("h100", "h200")
    assert borrowed(load_hardware("gb300")).givers["dense.bf16.latency_us"] == "b300"
    assert borrowed(load_hardware("mi325x")).givers["comm.latency_us"] == "mi300x"


def made(hardware: str = "mi355x", **values: float) -> KernelPriors:
    parameters = {
        name: KernelPrior(value=value, unit=registry()[name].unit, sd=0.1, rows=9, source="kernels: made up")
        for name, value in values.items()
    }
    return KernelPriors(name="mine", hardware=hardware, cost_model=2, tables=[], fits=[], parameters=parameters)


def test_a_table_of_the_users_goes_before_those_that_ship_and_leaves_the_rest() -> None:
    found = layered(load_hardware("mi355x"), made(**{"comm.latency_us": 5.0})).known
    before = layered(load_hardware("mi355x")).known
    assert (found["comm.latency_us"].value, found["comm.latency_us"].sd) == (5.0, 0.1)
    assert {name for name in found if found[name] != before[name]} == {"comm.latency_us"}


def test_accelerators_that_differ_more_are_less_sure_of_each_other() -> None:
    same, far = (
        [made("a", **{"comm.latency_us": 5.0}), made("b", **{"comm.latency_us": value})] for value in (5.0, 20.0)
    )
    assert between("comm.latency_us", same) == 0.15
    assert between("comm.latency_us", far) == pytest.approx(math.log(4) / math.sqrt(2))
    assert between("comm.latency_us", same[:1]) == 0.3


# --- the file


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"cost_model": 1},
            "cost_model: fitted with version 1 of the cost model, expected 2. Fit it again: mtpsim fit-",
        ),
        (
            {"parameters": {"dense.x": {"value": 1.0, "unit": "us", "sd": 0.1, "rows": 1, "source": "s"}}},
            "no such parameter",
        ),
        (
            {"parameters": {"comm.latency_us": {"value": 1e9, "unit": "us", "sd": 0.1, "rows": 1, "source": "s"}}},
            "expected a number in [1, 60] us, found 1e+09",
        ),
        (
            {"parameters": {"comm.latency_us": {"value": 9.0, "unit": "ms", "sd": 0.1, "rows": 1, "source": "s"}}},
            "expected us, found 'ms'",
        ),
        ({"fits": 3}, "fits:"),
    ],
)
def test_a_faulty_file_is_refused(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    path = tmp_path / "priors.yaml"
    path.write_text(yaml.safe_dump(written("h200") | change), encoding="utf-8")
    with pytest.raises(InputError) as fault:
        load_calibration(str(path))
    assert told in str(fault.value)
