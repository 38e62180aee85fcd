"""What holds for any correct model: faster hardware and better drafts are never slower, useless drafts never help."""

from __future__ import annotations

import numpy as np
import pytest

from simulator import kernels as kn
from simulator.cost.parameters import priors
from simulator.facts.deployment import Deployment
from simulator.facts.hardware import Hardware
from simulator.facts.reading import load_engine, load_hardware, load_model
from simulator.serving.closed_loop import closed_form_load, closed_form_metrics, expected_metrics
from simulator.serving.replica import Replica, build_replica
from simulator.speculation.acceptance import OFF, Speculation, from_length, from_positions
from simulator.traffic.benchmark import Workload

MODEL, MI355X = load_model("qwen3.5-397b-a17b"), load_hardware("mi355x")
ENGINES = ("sglang", "atom", "vllm")
CONCURRENCIES = [1, 4, 16, 64, 256]
MTP = from_length(2.8, 3)
SLACK = 1 + 1e-9


def faster(what: str, factor: float) -> Hardware:
    if what == "hbm":
        return MI355X.model_copy(update={"hbm_bandwidth": MI355X.hbm_bandwidth * factor})
    if what == "links":
        links = MI355X.scale_up.model_copy(update={"bandwidth": MI355X.scale_up.bandwidth * factor})
        return MI355X.model_copy(update={"scale_up": links})
    peaks = {name: value * factor for name, value in MI355X.peak_flops.model_dump().items()}
    return MI355X.model_copy(update={"peak_flops": MI355X.peak_flops.model_copy(update=peaks)})


def plan_of(engine: str, spec: Speculation, hardware: Hardware = MI355X, tp: int = 4) -> Replica:
    deployment = Deployment(hardware=hardware, model=MODEL, checkpoint="mxfp4", engine=load_engine(engine), tp=tp)
    return build_replica(deployment, spec, priors())


def throughput(plan: Replica, spec: Speculation, isl: int = 1024) -> np.ndarray:
    """Total throughput by the closed form at each concurrency."""
    workload, n = Workload(isl=isl, osl=1024), len(CONCURRENCIES)
    loads = np.stack([closed_form_load(workload, spec, c, 10**6) for c in CONCURRENCIES])
    return closed_form_metrics([plan], np.zeros(n, int), loads, np.ones(n))["total_tok_s_gpu"]


def pass_times(plan: Replica) -> np.ndarray:
    """Rounds at small, medium and large batches, and prefills short, long and with decodes riding along."""
    p = (plan.target, plan.draft, plan.constants)
    rounds = [kn.round_time(*p, float(b), float(b * length)) for b in (1, 16, 256) for length in (100, 8192)]
    prefills = [kn.prefill_time(*p, 8192.0, 1.0, 8192.0**2 / 2, 0.0, b, 1000.0 * b) for b in (0.0, 64.0)]
    return np.array([*rounds, *prefills, kn.prefill_time(*p, 100.0, 1.0, 5000.0, 0.0, 0.0, 0.0)])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("spec", [OFF, MTP], ids=["off", "mtp"])
@pytest.mark.parametrize("what", ["hbm", "links", "flops"])
class TestFasterHardware:
    def test_passes_are_never_slower(self, engine: str, spec: Speculation, what: str) -> None:
        times = np.stack([pass_times(plan_of(engine, spec, faster(what, f))) for f in (0.5, 1.0, 1.5, 4.0)])
        assert (np.diff(times, axis=0) <= 1e-12).all()
        # a short prefill is bound by launches, all others gain from every resource
        assert (np.diff(times, axis=0)[:, :-1] < 0).all()

    @pytest.mark.parametrize("isl", [128, 8192])
    def test_throughput_is_never_lower(self, engine: str, spec: Speculation, what: str, isl: int) -> None:
        rates = np.stack(
            [throughput(plan_of(engine, spec, faster(what, f)), spec, isl) for f in (0.5, 0.8, 1.0, 1.2, 2.0)]
        )
        assert (rates[1:] * SLACK >= rates[:-1]).all()

    @pytest.mark.parametrize(("concurrency", "runs"), [(1, 1), (32, 20)])
    def test_discrete_events_with_the_same_draws(
        self, engine: str, spec: Speculation, what: str, concurrency: int, runs: int
    ) -> None:
        # one client: every run; many: the mean, since in one run a step that ends sooner may miss a batch (Graham 1969)
        workload = Workload(isl=1024, osl=256)
        slow, fast = (
            expected_metrics(
                plan_of(engine, spec, faster(what, f)), workload, spec, concurrency, 10**6, 4, seed=5, runs=runs
            )
            for f in (1.0, 1.5)
        )
        assert fast["total_tok_s_gpu"] > slow["total_tok_s_gpu"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("isl", [128, 8192])
def test_higher_acceptance_is_never_slower(engine: str, isl: int) -> None:
    specs = [from_length(length, 3) for length in np.linspace(1.0, 4.0, 13)]
    rates = np.stack([throughput(plan_of(engine, spec), spec, isl) for spec in specs])
    assert (rates[1:] * SLACK >= rates[:-1]).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_each_position_helps(engine: str, position: int) -> None:
    low, high = [0.8, 0.6, 0.5], [0.8, 0.6, 0.5]
    high[position] += 0.2
    rates = [throughput(plan_of(engine, s), s) for s in (from_positions(low, 3), from_positions(high, 3))]
    assert (rates[1] > rates[0]).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("tp", [2, 8])
def test_useless_drafts_are_never_faster_than_off(engine: str, k: int, tp: int) -> None:
    useless = from_length(1.0, k)
    with_drafts, off = plan_of(engine, useless, tp=tp), plan_of(engine, OFF, tp=tp)
    assert (pass_times(with_drafts) >= pass_times(off)).all()
    for isl in (128, 8192):
        assert (throughput(with_drafts, useless, isl) < throughput(off, OFF, isl)).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("concurrency", [1, 32])
def test_useless_drafts_in_discrete_events(engine: str, concurrency: int) -> None:
    workload = Workload(isl=1024, osl=256)
    with_drafts, off = (
        expected_metrics(plan_of(engine, s), workload, s, concurrency, 10**6, 4, seed=5, runs=2)
        for s in (from_length(1.0, 3), OFF)
    )
    assert with_drafts["total_tok_s_gpu"] < off["total_tok_s_gpu"]
