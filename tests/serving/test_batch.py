"""Many configurations in one call give what each gives alone, on all threads and in chunks of any size."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulator.serving import batch
from simulator.serving.batch import Case, draw, expected_batch, generators, stretched
from simulator.serving.closed_loop import closed_form_load, metrics, run_closed_loop
from simulator.serving.replica import build_replica
from simulator.serving.scenario import make_scenario
from tests.serving.random_grid import random_cases


def one(**inputs: Any) -> Case:
    s = make_scenario(**({"tp": 4, "osl": 64} | inputs))
    replica = build_replica(s.deployment, s.speculation, s.calibration.values())
    return Case(replica, s.workload, s.speculation, 8, s.max_concurrency, s.deployment.tp, seed=3)


@pytest.fixture(scope="module")
def mixture() -> list[Case]:
    """Different tables, lengths and clients in one call, and three that ask the same."""
    same = [one(mtp=3), one(mtp=3, precision="fp8", acceptance_length=2.5), one(mtp=3, acceptance_length=2.5)]
    return [*same, one(isl=128, osl=1), one(osl=2), *random_cases(12, seed=2)]


@pytest.mark.parametrize("threads", [1, 2, None])
def test_the_same_bits_as_alone_whatever_runs_beside(mixture: list[Case], threads: int | None) -> None:
    assert expected_batch(mixture, threads) == [expected_batch([case])[0] for case in mixture]


@pytest.mark.parametrize("size", [1, 100, 3000])
def test_the_same_bits_in_chunks_of_any_size(mixture: list[Case], size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = expected_batch(mixture)
    monkeypatch.setattr(batch, "CHUNK_REQUESTS", size)
    assert expected_batch(mixture) == whole


def test_the_mean_over_runs_of_the_single_kernel(mixture: list[Case]) -> None:
    """The long way: one run after the other through :func:`run_closed_loop` and numpy."""
    for case, found in zip(mixture, expected_batch(mixture), strict=True):
        runs = [
            metrics(
                run_closed_loop(case.replica, case.workload, case.speculation, case.concurrency, case.cap, rng),
                case.gpus,
            )
            for rng in generators(case.ask)
        ]
        for name in ("total_tok_s_gpu", "p99_ttft_ms", "median_e2e_ms", "decode_batch", "prefill_share"):
            assert found[name] == np.mean([run[name] for run in runs])


def test_one_token_has_no_time_per_token() -> None:
    (found,) = expected_batch([one(osl=1)])
    assert "mean_ttft_ms" in found
    assert not any("tpot" in name for name in found)


def test_memory_is_bounded_by_chunks_not_by_configurations() -> None:
    case = one(mtp=3)
    few, many = [case] * 50, [case] * 800
    peaks = []
    for cases in (few, many):
        expected_batch(cases, threads=1)
        tracemalloc.start()
        expected_batch(cases, threads=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # 800 cases of 1280 requests hold 8 MB in each of a dozen arrays; a chunk holds half
    results = 800 * 40 * 100  # bytes of the answers themselves, 40 numbers with their names and boxes
    assert peaks[1] < 2 * peaks[0] + results


def test_stretched_rounds_keep_the_mean_and_the_bounds() -> None:
    """Against the exact mean of another acceptance: 40,000 requests, standard error 0.1 %."""
    drawn = draw(replace(one(mtp=3, osl=1024), concurrency=4000).ask)
    for factor in (0.7, 1.0, 1.3):
        longer = stretched(drawn.rounds, drawn.luck, factor)
        assert longer.mean() == pytest.approx(factor * drawn.rounds.mean(), rel=1e-4)
        assert np.array_equal(longer, np.rint(longer))
    assert np.array_equal(stretched(drawn.rounds, drawn.luck, 1.0), drawn.rounds)
    assert stretched(np.array([1.0, 0.0]), np.array([0.1, 0.9]), 0.5).tolist() == [1.0, 0.0]


def test_a_stretch_stands_for_another_acceptance() -> None:
    """Rounds stretched by the ratio of their means against rounds drawn anew at the other acceptance."""
    base, other = one(mtp=3, acceptance_length=2.8), one(mtp=3, acceptance_length=2.4)
    base, other = (replace(case, concurrency=128) for case in (base, other))
    rounds = [closed_form_load(c.workload, c.speculation, 1, 1)[4] for c in (base, other)]
    found, anew = expected_batch([replace(base, stretch=rounds[1] / rounds[0]), other])
    for name in ("total_tok_s_gpu", "mean_tpot_ms"):
        assert found[name] == pytest.approx(anew[name], rel=0.01)
