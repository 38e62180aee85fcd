"""Every shipped accelerator with every checkpoint that fits: nothing beats its data sheet, and more work takes longer.

Roofs come from the data sheets alone: each operator at the greater of its FLOPs at the peak and its bytes at the peak,
and :mod:`simulator.validation.roofs` for whole runs, in which nothing is fitted.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from simulator.cost.account import Account
from simulator.errors import InputError
from simulator.facts.checkpoint import group_formats
from simulator.facts.formats import BYTES_PER_PARAM
from simulator.facts.reading import load_hardware, load_model, names
from simulator.facts.weights import checkpoint_bytes, total_checkpoint_bytes
from simulator.prediction.explain import explain
from simulator.prediction.predict import predict_one
from simulator.serving.closed_loop import closed_form_load, closed_form_metrics
from simulator.serving.replica import build_replica
from simulator.serving.scenario import Scenario, make_scenario
from simulator.validation.roofs import roofs

MODEL = load_model("qwen3.5-397b-a17b")
ACCELERATORS = names("hardware")
TPS = (8, 4, 2)
DEPTHS = (0, 3)
BATCHES = (1.0, 16.0, 256.0)
LENGTHS = (128, 1024, 8192, 32_768)
CLIENTS = tuple(2**i for i in range(10))
ROUNDING = 1 + 1e-9
NOISE = 1.01
"""The closed form joins its branches within this."""

DRAFT = {"draft_experts", "draft_dense"}
"""Groups of weights that a decode step without speculation never reads."""

every_accelerator = pytest.mark.parametrize("hardware", ACCELERATORS)


def scenario(hardware: str, checkpoint: str, tp: int, mtp: int = 0, isl: int = 1024) -> Scenario:
    return make_scenario(
        hardware=hardware, checkpoint=checkpoint, tp=tp, mtp=mtp, isl=isl, allow_dequant=True, force=True
    )


@functools.cache
def running(hardware: str) -> tuple[Scenario, ...]:
    """What fits, weights and the caches of one request: every checkpoint at every TP, with and without drafts."""
    return tuple(
        made
        for checkpoint, tp, mtp in itertools.product(MODEL.checkpoints, TPS, DEPTHS)
        if (made := scenario(hardware, checkpoint, tp, mtp)).max_concurrency >= 1
    )


def label(s: Scenario) -> str:
    d = s.deployment
    return f"{d.checkpoint} on {d.tp} x {d.hardware.name}, depth {s.speculation.tokens}"


def accounts(s: Scenario) -> Iterator[Account]:
    """Decode rounds at several batches, and a short and a long prefill pass, with short and with long inputs."""
    for batch in BATCHES:
        yield explain(s, 1, batch=batch).accounts["decode"]
    yield explain(s, 1, phase="prefill").accounts["prefill"]
    yield explain(s, 1, phase="prefill", prompts=8).accounts["prefill"]
    long = with_input(s, LENGTHS[-1])
    if long.max_concurrency >= 1:
        yield from explain(long, 1, batch=16, phase="both").accounts.values()


def with_input(s: Scenario, isl: int) -> Scenario:
    d = s.deployment
    return scenario(d.hardware.name, d.checkpoint, d.tp, s.speculation.tokens, isl)


def wire(s: Scenario) -> float:
    """Message bytes that one byte on the links may carry.

    Messages are counted in BF16. Published images that a calibration was fitted to send them in 8 bits.
    """
    return 2.0 if s.calibration.data else 1.0


def closed_form(s: Scenario, clients: tuple[int, ...]) -> dict[str, np.ndarray]:
    """The metrics of the closed form, one value for each number of clients."""
    plan = build_replica(s.deployment, s.speculation, s.calibration.values())
    loads = np.stack([closed_form_load(s.workload, s.speculation, c, s.max_concurrency) for c in clients])
    n = len(clients)
    return closed_form_metrics([plan], np.zeros(n, int), loads, np.full(n, float(s.deployment.tp)))


@every_accelerator
def test_something_runs_where_memory_allows_it(hardware: str) -> None:
    # four fifths of the HBM of the largest node asked for, the share that engines leave to weights and caches
    room = 0.8 * max(TPS) * load_hardware(hardware).hbm_capacity
    for name, checkpoint in MODEL.checkpoints.items():
        if 1.05 * total_checkpoint_bytes(MODEL, checkpoint) < room:
            assert any(s.deployment.checkpoint == name for s in running(hardware)), name


@every_accelerator
def test_a_format_without_a_peak_is_refused_in_words(hardware: str) -> None:
    found = load_hardware(hardware)
    for name, checkpoint in MODEL.checkpoints.items():
        missing = {fmt for fmt in group_formats(checkpoint).values() if found.peak(fmt) is None}
        if not missing:
            make_scenario(hardware=hardware, checkpoint=name, tp=8)
            continue
        with pytest.raises(InputError) as caught:
            make_scenario(hardware=hardware, checkpoint=name, tp=8)
        for part in (name, hardware, "--allow-dequant", *(fmt.upper() for fmt in missing)):
            assert part in str(caught.value)


APART = ("moe routed experts", "attention (KV cache)", "gated delta rule (state)", "lm head")
"""Kernels whose compute and memory times add up in every pass."""


@every_accelerator
def test_no_account_beats_the_data_sheet(hardware: str) -> None:
    found = load_hardware(hardware)
    peaks = {found.peak(fmt) for fmt in BYTES_PER_PARAM} - {None}
    for s in running(hardware):
        for account in accounts(s):
            roof = 0.0
            for row in account.rows:
                where = f"{label(s)}: {account.kind}: {row.group} {row.name}"
                assert 0.0 <= row.seconds < 1e3, where
                if row.bound == "host":
                    continue
                assert row.peak_flops in peaks, where
                if row.name == "moe routed experts" and not row.group.startswith("draft"):
                    assert row.peak_flops == found.compute_peak(s.deployment.weights.routed_experts), where
                limit = found.scale_up.bandwidth * wire(s) if row.message_bytes else found.hbm_bandwidth
                compute, transfer = row.flops / row.peak_flops, (row.bytes + row.message_bytes) / limit
                # each efficiency is at most 1, whatever the latency beside it; arithmetic may hide behind bytes
                assert compute <= (row.compute_seconds + row.transfer_seconds) * ROUNDING, where
                assert transfer <= row.transfer_seconds * ROUNDING, where
                if row.name in APART:
                    assert compute <= row.compute_seconds * ROUNDING, where
                roof += max(compute, transfer)
            assert 0.0 < roof <= account.device_seconds * ROUNDING, label(s)
            assert 0.0 < account.mbu <= 1.0, label(s)
            assert account.mfu is not None, label(s)
            assert 0.0 < account.mfu <= 1.0, label(s)


@every_accelerator
def test_no_account_is_without_its_weights(hardware: str) -> None:
    # a large batch touches nearly every expert, so it reads the routed experts of the target from HBM at its peak
    for s in running(hardware):
        d = s.deployment
        stored = checkpoint_bytes(MODEL, d.weights)["routed_experts"]
        account = explain(s, 1, batch=4096).accounts["decode"]
        assert account.device_seconds >= 0.95 * stored / d.tp / d.hardware.hbm_bandwidth, label(s)


@every_accelerator
def test_no_run_beats_the_roofs(hardware: str) -> None:
    for s in running(hardware):
        w, clients = s.workload, tuple(c for c in CLIENTS if c <= s.max_concurrency)
        found, limits = closed_form(s, clients), roofs(s.deployment, w.isl, w.osl, s.speculation.tokens)
        for name in ("total_tok_s_gpu", "mean_tpot_ms", "mean_ttft_ms"):
            assert np.isfinite(found[name]).all(), (label(s), name)
            assert (found[name] > 0.0).all(), (label(s), name)
        for i, c in enumerate(clients):
            total = float(found["total_tok_s_gpu"][i])
            assert total <= min(limits.total_tok_s_gpu(c).values()), label(s)
            assert found["mean_tpot_ms"][i] >= max(limits.tpot_ms(c, total).values()), label(s)
            assert found["mean_ttft_ms"][i] >= max(limits.ttft_ms().values()), label(s)


@every_accelerator
def test_more_clients_never_lower_the_throughput(hardware: str) -> None:
    for s in running(hardware):
        total = closed_form(s, tuple(c for c in CLIENTS if c <= s.max_concurrency))["total_tok_s_gpu"]
        assert (total[1:] * NOISE >= total[:-1]).all(), (label(s), total)


@every_accelerator
def test_a_longer_input_never_has_its_first_token_sooner(hardware: str) -> None:
    for s in running(hardware):
        longer = [with_input(s, isl) for isl in LENGTHS]
        waits = [closed_form(one, (1,))["mean_ttft_ms"][0] for one in longer if one.max_concurrency >= 1]
        assert (np.diff(waits) > 0.0).all(), (label(s), waits)


def narrower(one: str, other: str) -> bool:
    """Whether no group of a checkpoint's weights has more bytes than in another, and some group fewer."""
    a, b = (
        {g: BYTES_PER_PARAM[f] for g, f in group_formats(MODEL.checkpoints[name]).items() if g not in DRAFT}
        for name in (one, other)
    )
    return a != b and all(a[g] <= b[g] for g in a)


@every_accelerator
def test_fewer_bytes_are_never_slower_for_one_request(hardware: str) -> None:
    """Start-ups are each kernel's own, and those of narrow formats are longer in the tables: beside them, that is."""
    seconds = {
        (s.deployment.tp, s.deployment.checkpoint): sum(
            row.compute_seconds + row.transfer_seconds for row in explain(s, 1, batch=1).accounts["decode"].rows
        )
        for s in running(hardware)
        if not s.speculation.tokens
    }
    fused = {(s.deployment.tp, s.deployment.checkpoint): s.deployment.fused_shared_expert for s in running(hardware)}
    found = load_hardware(hardware)
    for tp, (one, other) in itertools.product(TPS, itertools.permutations(MODEL.checkpoints, 2)):
        own = all(found.peak(fmt) is not None for fmt in group_formats(MODEL.checkpoints[one]).values())
        # computed in a wider format, weights take time to widen; a shared expert apart moves activations of its own
        if own and narrower(one, other) and (tp, other) in seconds and fused[tp, one] == fused[tp, other]:
            assert seconds[tp, one] <= seconds[tp, other] * ROUNDING, (tp, one, other)


@every_accelerator
def test_a_whole_prediction_is_finite_and_says_where_it_stands(hardware: str) -> None:
    for s in (*running(hardware)[:1], *running(hardware)[-1:]):
        (row,) = predict_one(s, [1], method="closed-form").rows
        assert np.isfinite([v for v in row.values() if isinstance(v, float)]).all(), label(s)
        if not s.calibration.data:  # the priors alone: no run of this model on this hardware is behind them
            assert row["scope"] == "unmeasured", label(s)
            assert hardware in " ".join(map(str, row["scope_reasons"])), label(s)
