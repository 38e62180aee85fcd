"""The splits that say what a step away from the data costs, and whether 90 % intervals hold 90 %."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from simulator.cost.calibration import Noise, load_calibration
from simulator.fitting.held_out import HeldOut, cost_of, held_out
from simulator.fitting.hosts import hardware_of, left_out, model_of
from simulator.fitting.splits import best_length, fit_rows, pick
from simulator.measurements import MeasuredPoint, read_csv
from simulator.measurements.cells import Cell, cells_of
from simulator.measurements.files import shipped_measurements
from simulator.prediction.intervals import Z90
from simulator.serving.steps import KINDS as COSTS

JOBS = 2
Rows = Sequence[MeasuredPoint]
Test = Callable[[MeasuredPoint], bool]

MEASURED = {
    "concurrency": "lowest and highest concurrency of ATOM and SGLang left out, per doubling",
    "tp": "SGLang FP4: TP2 and TP4 predict each other, per doubling",
    "isl": "ATOM Off: 1k/1k and 8k/1k predict each other, per doubling",
    "checkpoint": "ATOM Off: FP8 and MXFP4 predict each other",
    "kv_dtype": "no run of another KV format but with another engine: as another checkpoint",
    "engine": "ATOM FP8 and SGLang FP8 8k/1k predict each other",
}
"""Steps that the shipped data can show, in the order in which they are settled."""
LIKE = {"kv_dtype": "checkpoint"}
"""Of these, those never taken alone, and the step that stands in."""

IMAGE = 0.20
"""Published image bumps of one engine move TPOT by up to this: half the width of a 90 % interval."""
INSIDE = 0.9
"""Part of held-out values that an interval is to hold."""
OTHERS = {
    "model": ("atom_models.csv", model_of, "runs of six models under ATOM, each predicted with what the others gave"),
    "hardware": (
        "vllm_nvidia.csv",
        hardware_of,
        "runs under vLLM on four GPUs, each predicted with what the others gave",
    ),
}
"""Steps to what nothing was fitted to: runs that show them, and by what they are left out."""


def splits() -> list[HeldOut]:
    """Every held-out value of every split, about two minutes on two cores."""
    parts = Parallel(n_jobs=JOBS)(delayed(_predicted)(*split) for split in _splits())
    return [value for part in parts for value in part]


def shipped_rows() -> dict[str, list[MeasuredPoint]]:
    """The data of the three calibrations that are fitted to runs."""
    atom = list(read_csv(shipped_measurements("atom_mi355x_tp4.csv")).points)
    sglang = list(read_csv(shipped_measurements("sglang_mi355x_8k1k.csv")).points)
    return {
        "ATOM": atom,
        "SGLang FP4": pick(sglang, lambda r: r.precision == "FP4"),
        "SGLang FP8": pick(sglang, lambda r: r.precision == "FP8"),
    }


def _splits() -> Iterator[tuple[str, Rows, Rows, Noise, bool]]:
    """Name, rows fitted, rows predicted, noise of their calibration, whether one acceptance is fitted to the test."""
    parts = shipped_rows()
    atom, fp4, fp8 = parts["ATOM"], parts["SGLang FP4"], parts["SGLang FP8"]
    noise = {
        "ATOM": load_calibration("atom-mi355x").noise,
        "SGLang FP4": load_calibration("sglang-mi355x-fp4-2026-09").noise,
        "SGLang FP8": load_calibration("sglang-mi355x-fp8-2026-08").noise,
    }
    for name, every in parts.items():
        for c in sorted({row.concurrency for row in every}):
            left_out = [row for row in every if row.concurrency == c]
            rest = [row for row in every if row.concurrency != c]
            yield f"{name}: leave one concurrency out", rest, left_out, noise[name], False
    off = pick(atom, lambda r: r.spec == "off")
    pairs: list[tuple[str, str, Rows, str, Test]] = [
        ("8k/1k", "1k/1k", off, "ATOM", lambda r: r.isl == 8192),
        ("FP8", "FP4", off, "ATOM", lambda r: r.precision == "FP8"),
        ("TP2", "TP4", fp4, "SGLang FP4", lambda r: r.tp == 2),
    ]
    for a, b, rows, name, first in pairs:
        one, other = pick(rows, first), [row for row in rows if not first(row)]
        yield f"{name}: fit {a} -> predict {b}", one, other, noise[name], False
        yield f"{name}: fit {b} -> predict {a}", other, one, noise[name], False
    both = pick(atom, lambda r: r.precision == "FP8" and r.isl == 8192)
    yield "fit ATOM FP8 -> predict SGLang FP8", both, fp8, noise["ATOM"], False
    without = pick(both, lambda r: r.spec == "off")
    yield "fit SGLang FP8 -> predict ATOM FP8 Off 8k/1k", fp8, without, noise["SGLang FP8"], False
    eight = pick(atom, lambda r: r.precision == "FP8")
    known = pick(eight, lambda r: r.spec == "off" or r.acceptance_length == 1.0)
    unknown = pick(eight, lambda r: r.spec == "mtp" and r.acceptance_length is None)
    yield "ATOM FP8: fit Off and AL = 1 -> predict MTP", known, unknown, noise["ATOM"], True


def _predicted(name: str, train: Rows, test: Rows, noise: Noise, one_length: bool) -> list[HeldOut]:
    found = fit_rows(train)
    return held_out(name, found, train, test, noise, best_length(found, test) if one_length else None)


def costs(values: Sequence[HeldOut]) -> dict[str, dict[str, Any]]:
    """The content of ``steps.yaml``: what held-out values need, and for steps that nothing measured what stands in."""
    found: dict[str, dict[str, Any]] = {}
    for aspect, source in MEASURED.items():
        sizes = {kind: round(cost_of(aspect, kind, values, found), 4) for kind in COSTS}
        if aspect in LIKE:
            sizes = {kind: found[LIKE[aspect]][kind] for kind in COSTS}
        found[aspect] = {**sizes, "source": source}
    dearest = {kind: max(entry[kind] for entry in found.values()) for kind in COSTS}
    bump = {kind: round(IMAGE / Z90, 4) for kind in COSTS}
    return found | {
        "osl": found["isl"] | {"source": "no run of another output length: as ISL"},
        "spec_tokens": dearest | {"source": "no pair of draft depths: as the dearest measured step"},
        "ep": dearest | {"source": "no run with expert parallelism: as the dearest measured step"},
        "dp": dearest | {"source": "no run with attention data parallelism: as the dearest measured step"},
        "pp": dearest | {"source": "no run with pipeline stages: as the dearest measured step"},
        **{aspect: _elsewhere(file, of) | {"source": text} for aspect, (file, of, text) in OTHERS.items()},
        "image": bump | {"source": "published image bumps of one engine move TPOT by 20 %"},
        "pools": bump | {"source": "no run of pools: as another image, at least"},
        "calibration": dict.fromkeys(COSTS, 0.0) | {"source": "the priors' own spreads and noise"},
    }


def _elsewhere(file: str, of: Callable[[Cell], str]) -> dict[str, float]:
    """The spread that holds 90 % of what was left out; where no throughput was published, that of TPOT."""
    found = left_out(cells_of(read_csv(shipped_measurements(file)).points, allow_dequant=True), of)
    sizes: dict[str, float] = {}
    for kind, metric in (("tpot", "tpot"), ("ttft", "ttft"), ("throughput", "total_tok_s_gpu")):
        errors = [abs(error) for parts in found.values() for error in parts.get(metric, [])]
        sizes[kind] = round(float(np.quantile(errors, INSIDE)) / Z90, 4) if errors else sizes["tpot"]
    return {kind: sizes[kind] for kind in COSTS}
