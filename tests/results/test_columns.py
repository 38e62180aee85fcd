"""Every column of every result is declared, with its meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import simulator as sim
from simulator.measurements import FRONTIER_COLUMNS, POINT_COLUMNS
from simulator.results.columns import COLUMNS, declared
from simulator.results.table import Result, ResultTable
from simulator.serving.delivered import request_rows

RUNS = str(sim.shipped_measurements("sglang_mi355x_8k1k.csv"))
FRONTIER = str(sim.shipped_measurements("inferencex_frontier_fp4_1k1k.csv"))
ONE_PAIR = "precision=FP4 and tp=2 and concurrency=32"
OFF = sim.make_scenario(tp=2)
MTP = sim.make_scenario(tp=2, mtp=2, acceptance_length=2.2)
LONG = sim.make_scenario(tp=2, mtp=3, checkpoint="mxfp4-attnfp8", isl=8192)
TRACE = str(Path(__file__).parents[1] / "traffic" / "data" / "mooncake.jsonl")
SESSIONS = str(Path(__file__).parents[1] / "traffic" / "data" / "weka_tree.jsonl")
FAST = "closed-form"
PROMISES = ("ttft-p99=2s", "tpot-p95=25ms")


@cache
def simulation() -> sim.Simulation:
    return sim.simulate(MTP, rate=1.0, duration="5min", promises=PROMISES)


CASES: dict[str, Callable[[], Result]] = {
    "predict": lambda: sim.predict([OFF, MTP], [4]),
    "predict closed form": lambda: sim.predict(MTP, [4], method=FAST),
    "compare": lambda: sim.compare(MTP, [4, 16, 64], at=[40], method=FAST),
    "compare against": lambda: sim.compare_against(FRONTIER, method=FAST),
    "compare agentic": lambda: sim.compare_agentic(MTP, SESSIONS, concurrency=[1, 2], duration="2min"),
    "explain": lambda: sim.explain(MTP, 16, phase="both"),
    "several depths": lambda: sim.Parts.of(
        [sim.compare(MTP, [4, 16, 64], at=[40], method=FAST)], [{"compared_spec_tokens": 3}]
    ),
    "evaluate": lambda: sim.evaluate(RUNS, select=ONE_PAIR, method=FAST),
    "evaluate frontier": lambda: sim.evaluate(FRONTIER, "inferencex-mi355x-fp4-1k1k"),
    "convert": lambda: sim.convert(RUNS),
    "validate": lambda: sim.validate(RUNS, select="precision=FP4 and tp=2", method=FAST),
    "validate with findings": lambda: sim.validate(FRONTIER),
    "suggest": lambda: sim.suggest(LONG, top=2, tp=(2,), concurrencies=(64,), workloads=()),
    "profiles": lambda: sim.profiles(),
    "profiles hardware": lambda: sim.profiles("hardware", "mi355x"),
    "profiles parameters": lambda: sim.profiles("parameters"),
    "profiles priors": lambda: sim.profiles("priors"),
    "profiles priors mi355x": lambda: sim.profiles("priors", "mi355x"),
    "simulate": simulation,
    "describe-trace": lambda: sim.describe_trace(TRACE),
    "describe-trace sessions": lambda: sim.describe_trace(SESSIONS),
    "plan": lambda: sim.plan(MTP, rate=2.0, promises=PROMISES, tp=(2,), mtp=(0, 2)),
    "plan pools": lambda: sim.plan(
        LONG, rate=10.0, promises=PROMISES, lengths="fixed", tp=(2, 4), mtp=(0, 3), pools=True, confidence=0.0
    ),
    "plan rate": lambda: sim.plan(MTP, gpus=4, promises=["ttft-p99=2s"], tp=(2,), mtp=(0,)),
    "plan impossible": lambda: sim.plan(MTP, rate=2.0, promises=["ttft-p99=170ms"], tp=(2,), mtp=(0,)),
    "what-if acceptance": lambda: sim.what_if_acceptance(MTP, [8], rates=[0, 1], method=FAST),
    "what-if cache": lambda: sim.what_if_cache(MTP, SESSIONS, concurrency=[1], duration="2min"),
    "what-if depth": lambda: sim.what_if_depth(MTP, [8], method=FAST),
    "what-if workload": lambda: sim.what_if_workload([MTP], [8], method=FAST),
    "what-if sensitivity": lambda: sim.what_if_sensitivity(MTP, 8, samples=16),
    "what-if sweep": lambda: sim.what_if_sweep([MTP], [8], [0.0, 1.0]),
    "infer-acceptance": lambda: sim.infer_acceptance(RUNS, RUNS, select=ONE_PAIR, method=FAST),
    "simulate --requests": lambda: ResultTable({}, tuple(request_rows(simulation().run))),
}

KEYED = {"totals", "seconds_by_cause", "mape", "coverage90", "counts", "expected", "bands", "frontier"}
"""Entries whose keys are words (a phase, a cause, a metric, a verdict, off or mtp) and not columns."""
FREE = {"meta", "data", "roofs"}
"""Inputs, the numbers of a finding, which its kind names, and limits by metric and resource."""


@cache
def result(case: str) -> Result:
    return CASES[case]()


def tables(value: Any, key: str = "") -> Iterator[Mapping[str, Any]]:
    """Every mapping of columns in a document."""
    if key in FREE:
        return
    if isinstance(value, Mapping):
        if key and key not in KEYED:
            yield value
        for name, inner in value.items():
            yield from tables(inner, str(name) if key not in KEYED else "of " + key)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            if isinstance(inner, Mapping):
                yield from tables(inner, "" if key == "parts" else "row of " + key)


@pytest.mark.parametrize("case", CASES)
def test_every_column_of_a_result_is_declared(case: str) -> None:
    found = {name for row in result(case).records() for name in row}
    found |= {name for table in tables(result(case).document()) for name in table}
    assert found
    assert {name for name in found if declared(name) is None} == set()


def test_pools_win_where_their_columns_are_asked_for() -> None:
    assert "prefill_replicas" in result("plan pools").records()[0]


def test_the_columns_of_a_calibration_are_declared() -> None:
    """The document of a fit is its file, whose format the loader declares."""
    select = "precision=FP4 and tp=2 and spec=off and concurrency>16"
    session = sim.calibrate(RUNS, name="two", select=select, cross_validate=False)
    assert {name for row in session.records() for name in row if declared(name) is None} == set()


def test_the_columns_of_a_kernel_fit_are_declared() -> None:
    """The document of a fit is its file, whose format the loader declares."""
    found = sim.fit_kernels(sim.shipped_measurements("kernels_amd_more.csv"), "mi355x")
    assert {name for row in found.records() for name in row if declared(name) is None} == set()


def test_the_columns_of_measured_files_are_declared() -> None:
    assert {name for name in (*POINT_COLUMNS, *FRONTIER_COLUMNS) if declared(name) is None} == set()


def test_every_declaration_says_something() -> None:
    assert all(column.meaning for column in COLUMNS.values())
    assert declared("no_such_column") is None
    assert declared("no_such_column_lo") is None


def test_units_that_a_name_states_are_the_declared_ones() -> None:
    said = {"_ms": "ms", "_s": "s", "_per_s": "1/s", "_tok_s": "tok/s"}
    said |= {"_tok_s_gpu": "tok/s/GPU", "_tok_s_user": "tok/s/user"}
    for column in COLUMNS.values():
        end = max((e for e in said if column.name.endswith(e)), key=len, default=None)
        if end is not None and not column.name.startswith("achieved"):
            assert column.unit == said[end], column.name
