"""Fit the kernel-sourced priors of ``simulator/cost/parameters.yaml`` to the published kernel times of MI355X.

    python benchmarks/fit_kernels.py          # table: fitted value, shipped value; errors of both combination rules
    python benchmarks/fit_kernels.py --check  # exit status 1 if a shipped value is more than 1 % off its fit

Least squares on log(model / measured). A kernel takes ``latency + combine(bytes / bandwidth, FLOPs / rate)``, where
``combine`` is the sum or the maximum. The fused MoE takes at least ``floor``, and its rate falls with narrow expert
shards: ``peak eff w / (w + half_width)``. An all-reduce over n GPUs of a full mesh takes
``latency + doubling log2(n) + 2 bytes / (n link eff)``. The published fused MoE runs use uniform random routing.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from simulator.cost.parameters import priors
from simulator.facts.formats import BYTES_PER_PARAM
from simulator.facts.reading import load_hardware, load_model
from simulator.units import MICRO

Array = NDArray[np.float64]
Combine = Callable[[Array, Array], Array]
RULES: dict[str, Combine] = {"sum": np.add, "max": np.maximum}
SHIPPED_RULE = "sum"
TOLERANCE = 0.01

MEASURED = "measurements/published/kernels_mi355x_qwen35.csv"
HARDWARE, MODEL = load_hardware("mi355x"), load_model("qwen3.5-397b-a17b")
EXPERT_PARAMS = 3.0 * MODEL.hidden * MODEL.moe.intermediate


@dataclass(frozen=True)
class Fit:
    """Fitted parameters of one kernel family and log(model / measured) at each published point."""

    family: str
    values: dict[str, float]
    errors: Array

    @property
    def rms(self) -> float:
        """Root mean square of the log errors."""
        return float(np.sqrt(np.mean(self.errors**2)))

    @property
    def worst(self) -> float:
        """Greatest absolute log error."""
        return float(np.abs(self.errors).max())


def rows(kernel: str, precision: str) -> list[dict[str, str]]:
    """Published rows of the kernels whose name starts with ``kernel``."""
    with resources.files("simulator").joinpath(MEASURED).open(encoding="utf-8") as file:
        return [r for r in csv.DictReader(file) if r["kernel"].startswith(kernel) and r["precision"] == precision]


def column(table: list[dict[str, str]], name: str) -> Array:
    """One numeric column."""
    return np.array([float(r[name]) for r in table])


def solve(family: str, start: dict[str, float], times: Array, model: Callable[..., Array]) -> Fit:
    """Least squares over the logarithms of the parameters; ``model`` takes them in order and returns seconds."""

    def residuals(x: Array) -> Array:
        return np.asarray(np.log(model(*np.exp(x)) / (times * MICRO)))

    answer = least_squares(residuals, np.log(list(start.values())), xtol=1e-12, ftol=1e-12)
    return Fit(family, dict(zip(start, np.exp(answer.x).tolist(), strict=True)), answer.fun)


def fit_moe(fmt: str, table: list[dict[str, str]], shared: float, combine: Combine, half_width: float | None) -> Fit:
    """Fused MoE. Without ``half_width`` it is fitted too, which takes more than one tensor parallelism."""
    tokens, tp, family = column(table, "tokens"), column(table, "tp"), "fp4" if fmt == "mxfp4" else fmt
    moe = MODEL.moe
    distinct = moe.experts * (1 - (1 - moe.top_k / moe.experts) ** tokens) + shared
    moved = distinct * EXPERT_PARAMS * BYTES_PER_PARAM[fmt] / tp
    flops = 2 * EXPERT_PARAMS * tokens * (moe.top_k + shared) / tp
    width, peak = moe.intermediate / tp, HARDWARE.peak(fmt) or np.nan
    prefix = f"moe.{family}."
    start = {f"{prefix}latency_us": 10.0, f"{prefix}floor_us": 30.0, f"{prefix}bandwidth_eff": 0.8}
    start[f"{prefix}compute_eff"] = 0.4
    if half_width is None:
        start["moe.half_width"] = 350.0

    def model(latency: float, floor: float, bandwidth: float, compute: float, half: float = half_width or 0.0) -> Array:
        memory = moved / (HARDWARE.hbm_bandwidth * bandwidth)
        math = flops / (peak * compute * width / (width + half))
        return np.maximum(floor * MICRO, latency * MICRO + combine(memory, math))

    return solve(f"fused MoE {fmt}", start, column(table, "time_us"), model)


def fit_dense(combine: Combine) -> Fit:
    """BF16 GEMMs; the shape N x K is in the kernel's name."""
    table = rows("gemm", "BF16")
    n, k = np.array([r["kernel"].rsplit("_", 1)[1].split("x") for r in table], dtype=float).T
    tokens, width = column(table, "tokens"), BYTES_PER_PARAM["bf16"]
    moved, flops = (n * k + tokens * (n + k)) * width, 2 * n * k * tokens

    def model(latency: float, bandwidth: float, compute: float) -> Array:
        memory, math = moved / (HARDWARE.hbm_bandwidth * bandwidth), flops / (HARDWARE.peak_flops.bf16 * compute)
        return latency * MICRO + combine(memory, math)

    start = {"dense.latency_us": 3.0, "dense.bandwidth_eff": 0.7, "dense.compute_eff": 0.6}
    return solve("GEMM bf16", start, column(table, "time_us"), model)


def fit_all_reduce() -> Fit:
    """All-reduce over a full mesh: no combination rule, since nothing is computed."""
    table = rows("all_reduce", "BF16")
    gpus, message = column(table, "tp"), column(table, "message_bytes")

    def model(latency: float, doubling: float, bandwidth: float) -> Array:
        wire = 2 * message / (gpus * HARDWARE.scale_up.bandwidth * bandwidth)
        return (latency + doubling * np.log2(gpus)) * MICRO + wire

    start = {"comm.latency_us": 9.0, "comm.doubling_us": 5.0, "comm.bandwidth_eff": 0.7}
    return solve("all-reduce", start, column(table, "time_us"), model)


def fit_all(rule: str = SHIPPED_RULE) -> list[Fit]:
    """All families under one combination rule; FP8 was published at one parallelism, so it takes FP4's half width."""
    combine = RULES[rule]
    fp4 = fit_moe("mxfp4", rows("fused_moe", "MXFP4"), 0.0, combine, None)
    fp8 = fit_moe("fp8", rows("fused_moe_with_shared_expert", "FP8"), 1.0, combine, fp4.values["moe.half_width"])
    return [fp4, fp8, fit_dense(combine), fit_all_reduce()]


def drift(fits: list[Fit]) -> dict[str, float]:
    """Shipped value over fitted value, minus one, of every fitted parameter."""
    return {name: priors()[name] / value - 1 for fit in fits for name, value in fit.values.items()}


def main() -> int:
    """Print the tables; with ``--check`` return 1 on drift."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="exit with 1 if a shipped value is more than 1 %% off")
    check = parser.parse_args().check
    fits = {rule: fit_all(rule) for rule in RULES}
    moved = drift(fits[SHIPPED_RULE])

    print(f"{'parameter':24}{'fitted':>10}{'shipped':>10}{'off':>9}")
    for fit in fits[SHIPPED_RULE]:
        for name, value in fit.values.items():
            print(f"{name:24}{value:10.4g}{priors()[name]:10.4g}{moved[name]:+9.2%}")
    print(f"\n{'log error':24}" + "".join(f"{f'{rule}: rms':>12}{'worst':>9}" for rule in RULES))
    for of_rules in zip(*fits.values(), strict=True):
        print(f"{of_rules[0].family:24}" + "".join(f"{fit.rms:12.1%}{fit.worst:9.1%}" for fit in of_rules))

    off = [name for name, by in moved.items() if abs(by) > TOLERANCE]
    if off:
        print(f"\nmore than {TOLERANCE:.0%} off its fit: {', '.join(off)}", file=sys.stderr)
    return 1 if check and off else 0


if __name__ == "__main__":
    sys.exit(main())
