"""Mistakes planted in predicted rows of a model that is not fitted: each is named, beyond a roof too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from simulator import make_scenario, predict
from simulator.measurements import MeasuredPoint
from simulator.validation import Report, causes, judge

H200: dict[str, Any] = {"hardware": "h200", "model": "llama-3.3-70b", "precision": "fp8", "engine": "vllm", "tp": 2}
Change = Callable[[MeasuredPoint], MeasuredPoint]


def runs(isl: int, osl: int, counts: Sequence[int], change: Change) -> list[MeasuredPoint]:
    """Predicted rows of 2 x H200, with one mistake each."""
    table = predict(make_scenario(isl=isl, osl=osl, **H200), counts, method="closed-form")
    return [
        change(
            MeasuredPoint(
                hardware="H200",
                model="Llama-3.3-70B-Instruct",
                precision="FP8",
                engine="vLLM",
                spec="off",
                isl=isl,
                osl=osl,
                tp=2,
                line=line,
                **{name: found[name] for name in FIGURES},
            )
        )
        for line, found in enumerate(table.rows, start=2)
    ]


FIGURES = ("concurrency", "total_tok_s_gpu", "output_tok_s_gpu", "mean_ttft_ms", "mean_tpot_ms")


def kinds(report: Report) -> list[str]:
    return [f.kind for f in report.findings if f.severity in ("suspicious", "impossible")]


def cached(share: float, isl: int) -> Change:
    """As a client counts that sees the whole prompt, of which a cache held ``share``."""

    def change(row: MeasuredPoint) -> MeasuredPoint:
        assert row.output_tok_s_gpu is not None
        assert row.isl == round((1 - share) * isl)
        total = row.output_tok_s_gpu * (isl + row.osl) / row.osl
        return replace(row, isl=isl, total_tok_s_gpu=total, output_tok_s_gpu=None, mean_ttft_ms=None)

    return change


@pytest.mark.parametrize("share", [0.8, 0.9])
def test_cached_tokens_beyond_the_roof(share: float) -> None:
    rows = runs(round((1 - share) * 32000), 500, [8, 16, 32], cached(share, 32000))
    report = judge(rows, method="closed-form")
    assert "above_roof" in kinds(report)
    (found,) = (f for f in report.findings if f.kind == "cached_tokens")
    assert found.data["cached_share"] == pytest.approx(share, abs=0.06)
    assert len(found.places) == 3


@pytest.mark.parametrize(("ranks", "counts"), [(8, (32, 64)), (16, (16, 32))])
def test_data_parallel_ranks_beyond_the_roof(ranks: int, counts: Sequence[int]) -> None:
    def change(row: MeasuredPoint) -> MeasuredPoint:
        assert row.total_tok_s_gpu is not None
        assert row.output_tok_s_gpu is not None
        total, output = ranks * row.total_tok_s_gpu, ranks * row.output_tok_s_gpu
        return replace(row, concurrency=ranks * row.concurrency, total_tok_s_gpu=total, output_tok_s_gpu=output)

    report = judge(runs(8192, 256, counts, change), method="closed-form")
    found = [f for f in report.findings if f.kind == "dp_as_one_gpu"]
    assert found
    assert found[0].data["ranks"] == ranks


@pytest.mark.parametrize(
    ("stated", "true", "fits"), [((1000, 1000), (8000, 1000), 8000), ((2048, 512), (8192, 512), 8192)]
)
def test_wrong_lengths_come_before_the_roof(stated: tuple[int, int], true: tuple[int, int], fits: int) -> None:
    rows = runs(*true, [8, 16], lambda row: replace(row, isl=stated[0], osl=stated[1]))
    report = judge(rows, method="closed-form")
    for row in report.rows:
        assert row.reasons[0].kind == "wrong_lengths"
        assert fits in row.reasons[0].data["isl"]
        assert "gpu_count" not in {reason.kind for reason in row.reasons}


@pytest.mark.parametrize("tokens", [3, 4, 10])
@pytest.mark.parametrize("throughput", ["total_tok_s_gpu", "output_tok_s_gpu"])
def test_chunks_are_seen_from_one_throughput_alone(tokens: int, throughput: str) -> None:
    def change(row: MeasuredPoint) -> MeasuredPoint:
        assert row.mean_tpot_ms is not None
        known = {name: None for name in ("total_tok_s_gpu", "output_tok_s_gpu") if name != throughput}
        return replace(row, mean_tpot_ms=tokens * row.mean_tpot_ms, mean_ttft_ms=None, **known)

    report = judge(runs(1024, 1024, [8, 64], change), method="closed-form")
    found = [f for f in report.findings if f.severity == "impossible"]
    assert len(found) == 2
    for one in found:
        # a power of two may as well be a number of GPUs
        assert one.kind == ("gpu_count" if tokens == 4 else "itl_of_chunks")
        assert "itl_of_chunks" in one.data["candidates"]
        assert f"a TPOT of {tokens} tokens" in one.message


@pytest.mark.parametrize(
    ("mean", "median", "few"), [(7225.0, 306.0, True), (6185.0, 6000.0, False), (7225.0, None, False)]
)
def test_a_few_late_requests_are_told_from_all(mean: float, median: float | None, few: bool) -> None:
    """DeepSeek-R1 on 8 x B200: a mean TTFT of 7.2 s over a median of 0.3 s is a warm-up, no queue."""
    late = MeasuredPoint(
        hardware="B200",
        model="DeepSeek-R1-0528",
        precision="FP4",
        engine="SGLang",
        spec="off",
        isl=1024,
        osl=8192,
        tp=8,
        ep=8,
        concurrency=32,
        line=2,
        total_tok_s_gpu=340.75,
        output_tok_s_gpu=303.1,
        mean_ttft_ms=mean,
        median_ttft_ms=median,
        mean_tpot_ms=11.93,
    )
    report = judge([late])
    (slow,) = (f for f in report.findings if f.kind == "slower_than_expected")
    assert (slow.data["causes"][0] == causes.FEW_LATE) == few
    assert any(f.kind == "ttft_outlier" for f in report.findings) == few
