"""The benchmarks still run, and the work behind them is counted by hand instead of timed."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from simulator import kernels as kn
from simulator.cost.calibration import ACCEPTANCE, PRIORS, load_calibration
from simulator.cost.parameters import priors
from simulator.prediction import intervals
from simulator.serving import kept_tables
from simulator.serving import replica as plan
from simulator.serving.reduction import quantile
from simulator.serving.scenario import Scenario, resolve_deployment, resolve_workload
from simulator.speculation.acceptance import OFF, Speculation, from_rate
from simulator.speculation.rounds import draw_rounds

FOLDER = Path(__file__).parents[2] / "benchmarks"


@functools.cache
def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


# --- the benchmarks run -----------------------------------------------------------------------------------------------


def test_speed_runs_dry(capsys: pytest.CaptureFixture[str]) -> None:
    assert script("speed").main(["--quick", "--check"]) == 0
    text = capsys.readouterr().out
    for figure in ("closed form", "discrete events", "GB", "mtpsim predict", "mtpsim --help", "mtpsim simulate"):
        assert figure in text
    assert "MISSED" not in text  # nothing is judged by the clock here


@pytest.mark.parametrize(("large", "value", "status"), [(True, 199, 1), (True, 200, 0), (False, 201, 1)])
def test_speed_check_fails_on_a_missed_goal(
    large: bool, value: float, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    speed = script("speed")
    monkeypatch.setattr(speed, "lines", lambda size: iter([speed.Line("made", value, 200, large, "")]))
    assert speed.main(["--check"]) == status
    assert ("MISSED" in capsys.readouterr().out) == bool(status)
    assert speed.main([]) == 0


def test_kernel_fits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    # all accelerators take a quarter of a minute: the smallest table alone; its lines stand in the page
    module = script("fit_kernels")
    monkeypatch.setattr(module, "TABLES", {"mi300x": module.TABLES["mi300x"]})
    assert module.main(["--check"]) == 0
    assert module.main(["--markdown"]) == 0
    printed = capsys.readouterr().out
    page = (FOLDER.parent / "docs" / "accuracy.md").read_text(encoding="utf-8")
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 5
    assert all(line in page for line in lines)
    monkeypatch.setattr(module, "differences", lambda content, hardware: ["mi300x: moved"])
    assert module.main(["--check"]) == 1


def test_a_fit_to_one_shape_is_judged_by_the_others() -> None:
    module = script("fit_kernels")
    (fit,) = [f for f in module.build("mi300x").fits if (f.kind.title, f.kind.fmt) == ("fused MoE", "fp8")]
    chosen = module.most_measured(fit.rows)
    error, others = module.other_shapes(fit.kind, fit.rows, module.load_hardware("mi300x"), {})
    assert others == sum(module.shape_of(row) != chosen for row in fit.rows) < len(fit.rows)
    assert error > fit.rms  # which has seen them
    alone = tuple(row for row in fit.rows if module.shape_of(row) == chosen)
    assert module.other_shapes(fit.kind, alone, module.load_hardware("mi300x"), {}) is None


def test_accuracy_starts() -> None:
    # the whole table takes minutes: its data and its first lines only
    accuracy = script("accuracy")
    rows = list(accuracy.zero_shot({name: points[::8] for name, points in accuracy.shipped_rows().items()}))
    assert [name for name, *_ in rows] == ["zero-shot ATOM Off", "zero-shot ATOM MTP", "zero-shot SGLang"]


# --- work, counted by hand --------------------------------------------------------------------------------------------


def counts(
    prompt: int, output: int, rounds: list[float], clients: int = 0, send: list[float] | None = None
) -> tuple[float, float, float]:
    """Prefill passes, stretches of decode rounds and rounds of an engine whose rounds take 1 s and prefills nothing."""
    n = len(rounds)
    c = kn.zero(kn.Constants)
    c.verify = c.experts = c.top_k = c.host_step = c.split = c.poll = 1.0
    c.chunk = 1e9
    counters = kn.zero(kn.Counters)
    lengths = np.full(n, float(prompt)), np.full(n, float(output)), np.array(rounds)
    table = np.zeros((1, 14))
    table[:, 10:12] = np.inf
    arrivals = np.array(send) if send is not None else np.zeros(n)
    kn.serve(table, table, c, 1e9, kn.Requests(arrivals, *lengths, np.zeros(n), np.zeros(n)), clients, counters)
    return float(counters.prefills), float(counters.stretches), float(counters.rounds)


@pytest.mark.parametrize("output", [1024, 8192])
def test_a_lone_client_costs_two_passes_per_request(output: int) -> None:
    assert counts(1024, output, [output - 1.0] * 10, clients=1) == (10, 10, 10 * (output - 1))


@pytest.mark.parametrize("output", [1024, 8192])
def test_equal_requests_cost_two_passes_per_generation(output: int) -> None:
    # 64 clients in step: ten generations, each prefilled at once and decoded in one stretch
    assert counts(1024, output, [output - 1.0] * 640, clients=64) == (10, 10, 10 * (output - 1))


def test_each_completion_ends_a_stretch() -> None:
    # rounds 3, 5, 9 from the start: stretches 3, 2, 4
    assert counts(8, 10, [3.0, 5.0, 9.0], clients=3) == (1, 3, 9)


def test_an_arrival_cuts_a_stretch() -> None:
    # 10 rounds from 0 s, and 10 more from the end of the round in which 4.5 s falls: stretches 5, 5, 5
    assert counts(8, 11, [10.0, 10.0], send=[0.0, 4.5]) == (2, 3, 15)


class Counting(np.random.Generator):
    """A generator that notes how many requests it draws for at a time."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))
        self.drawn: list[int] = []

    def multinomial(self, n: Any, pvals: Any, size: Any = None) -> Any:
        self.drawn.append(np.size(n))
        return super().multinomial(n, pvals, size)


def drawn(spec: Speculation, tokens: list[int]) -> list[int]:
    rng = Counting()
    draw_rounds(rng, np.array(tokens), spec)
    return rng.drawn


def test_draws_per_request_grow_with_the_logarithm_of_its_length() -> None:
    never, always = from_rate(0.0, 3), from_rate(1.0, 3)
    assert drawn(OFF, [16]) == []
    # all accepted: every block hits the end
    assert drawn(always, [4**6]) == [1]
    # none accepted: 16 - 4 - 3 - 2, then seven single rounds; the request of one token is done after the first
    assert drawn(never, [16, 0, 1]) == [2] + [1] * 9
    # each further block leaves three quarters: log(8) / log(4/3) = 7.2 more for eight times the tokens
    assert len(drawn(never, [8192])) - len(drawn(never, [1024])) == 7


COUNT_PASSES = """
import json
import numpy as np
from simulator import kernels as kn
from simulator.kernels import passes

calls = 0
work = passes.work_time

def counting(*arguments):
    global calls
    calls += 1
    return work(*arguments)

passes.work_time = counting
c = kn.zero(kn.Constants)
c.verify = c.experts = c.top_k = c.host_step = c.split = c.poll = 1.0
c.chunk = 1e9
table = np.full((1, 14), 1e-3)
table[:, 9:] = 0.0, np.inf, np.inf, 0.0, 0.0
seen = []
for clients, output in ((64, 1024), (64, 8192), (256, 1024)):
    calls = 0
    load = float(clients), 10.0, 1024.0, float(output), output - 1.0, 50.0, float(clients)
    kn.closed_form(table, table, c, kn.Load(*load), kn.zero(kn.ClosedForm))
    seen.append(calls)
print(json.dumps(seen))
"""


def test_closed_form_costs_the_same_whatever_the_sizes() -> None:
    # slope 2, opening, decode, single; 12 iterations of a round and 3 parts x 2 prefills of 2 whole numbers of prompts;
    # full, half and last batch
    answer = subprocess.run(
        [sys.executable, "-c", COUNT_PASSES],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert json.loads(answer.stdout) == [2 + 3 + 12 * (1 + 3 * 2 * 2) + 3] * 3


def made_scenario(k: int) -> Scenario:
    deployment = resolve_deployment(
        hardware="mi355x", model="qwen3.5-397b-a17b", engine="sglang", tp=4, precision="fp4"
    )
    spec = from_rate(0.8, k) if k else OFF
    return Scenario(deployment, resolve_workload(1024, 1024), spec, load_calibration(PRIORS))


@pytest.mark.parametrize("k", [0, 3])
def test_intervals_build_tables_only_for_what_is_in_them(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def counting(*arguments: Any) -> plan.Tables:
        built.append(1)
        return made(*arguments)

    made = plan.build_tables
    monkeypatch.setattr(kept_tables, "build_tables", counting)
    names, _covariance, _slopes = intervals.jacobian(made_scenario(k), [4, 64])
    outside = {"attention.verify_reload", ACCEPTANCE}
    inside = [n for n in names if n.split(".")[0] not in ("host", "frontend", "routing") and n not in outside]
    assert len(built) == 2 * len(inside) + 1  # those of the point itself serve all others
    assert 0 < len(inside) < len(names)


# --- the shortcuts give what the long way gives -----------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 7, 640])
def test_quantile_is_numpys(size: int) -> None:
    values = np.sort(np.random.default_rng(size).lognormal(size=size))
    for q in (0.0, 0.5, 0.9, 0.99, 1.0):
        assert quantile(values, q) == pytest.approx(np.quantile(values, q), rel=1e-14)


@pytest.mark.parametrize("name", ["host.step_us", "host.launch_us", "frontend.delay_ms", "routing.skew"])
def test_reused_tables_give_the_same_plan(name: str) -> None:
    scenario, changed = made_scenario(3), {**priors(), name: 1.1 * priors()[name]}
    tables = plan.build_tables(scenario.deployment, 3, priors())
    reused = plan.build_replica(scenario.deployment, scenario.speculation, changed, tables)
    anew = plan.build_replica(scenario.deployment, scenario.speculation, changed)
    for part in ("target", "draft"):
        np.testing.assert_array_equal(getattr(reused, part), getattr(anew, part))
    assert reused.constants == anew.constants
