"""Public rows whose figures contradict their labels, and shipped rows relabelled: the right cause is named first.

Sources of the figures: sgl-project/sglang#34596, InferenceX#2714 and #870, AISBench#129, llm-d/llm-d docs
(amd-mi355x-perf); each as its report states it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from simulator import shipped_measurements
from simulator.measurements import MeasuredPoint, read_csv, select
from simulator.validation import Report, judge
from simulator.validation.consistency import check_rows

SGLANG = read_csv(shipped_measurements("sglang_mi355x_8k1k.csv")).points
ATOM = read_csv(shipped_measurements("atom_mi355x_tp4.csv")).points
CURVE = select(ATOM, "precision = FP8 and spec = off and isl = 8192 and date = 2026-05-24")


def row(**values: Any) -> MeasuredPoint:
    common = {"hardware": "MI355X", "model": "Qwen3.5-397B-A17B", "precision": "FP4", "engine": "SGLang", "spec": "off"}
    return MeasuredPoint(**{**common, "line": values.pop("line", 2), **values})


def only(report: Report) -> Any:
    (found,) = (f for f in report.findings if f.severity in ("suspicious", "impossible"))
    return found


# --- what arithmetic proves


@pytest.mark.parametrize(
    ("concurrency", "total", "output", "ttft", "tpot", "isl"),
    [
        (64, 3227.6, 189.9, 2440, 37.3, 4096),
        (128, 3356.6, 373.1, 1505, 39.2, 2048),
        (256, 3764.8, 418.5, 2296, 72.5, 2048),
    ],
)
def test_wrong_lengths_come_before_wrong_gpus(
    concurrency: int, total: float, output: float, ttft: float, tpot: float, isl: int
) -> None:
    """Llama 3.3 70B on 8 x MI355X: total over output is 17, 9, 9 where 1024/256 would give 5."""
    planted = row(
        model="Llama-3.3-70B-Instruct",
        precision="FP8",
        isl=1024,
        osl=256,
        tp=8,
        concurrency=concurrency,
        total_tok_s_gpu=total,
        output_tok_s_gpu=output,
        mean_ttft_ms=ttft,
        median_tpot_ms=tpot,
    )
    found = only(judge([planted]))
    assert (found.severity, found.kind) == ("impossible", "wrong_lengths")
    assert (found.data["isl"][0], found.data["osl"][0]) == (isl, 256)
    assert f"{isl}/256" in found.message
    assert "GPUs" not in found.message


def test_time_outside_decode() -> None:
    """(n - 1) TPOT over n c / X by hand: 1349 x 48.5 ms of 81.4 s, 1349 x 50.77 ms of 74.5 s."""
    common: dict[str, Any] = {"model": "unknown", "hardware": "unknown", "isl": 3500, "osl": 1500, "tp": 1}
    rows = [
        row(**common, line=2, concurrency=979, output_tok_s_gpu=16240.0, mean_tpot_ms=48.5),
        row(**common, line=3, concurrency=972, output_tok_s_gpu=17606.0, mean_tpot_ms=50.77),
    ]
    found = only(judge(rows))
    assert found.kind == "outside_decode"
    assert found.data["share"] == pytest.approx(1 - 1349 * 0.0485 / (979 * 1350 / 16240), abs=1e-6)
    assert found.data["share_before"] == pytest.approx(0.081, abs=0.001)
    assert "from 8.1 % to 19.6 %" in found.message


H200 = ((8, 148.6, 74.6, 330.6, 12.8), (16, 225.1, 111.9, 356.0, 17.2), (32, 301.7, 151.1, 426.5, 25.6))


@pytest.mark.parametrize("tokens", [3, 10, 20])
@pytest.mark.parametrize(("concurrency", "total", "output", "ttft", "tpot"), H200)
def test_latency_of_chunks_typed_as_tpot(
    tokens: int, concurrency: int, total: float, output: float, ttft: float, tpot: float
) -> None:
    """DeepSeek-R1 on 8 x H200: sound as published, ten times slower where each chunk holds ten tokens."""
    sound = row(
        model="DeepSeek-R1-0528",
        hardware="H200",
        precision="FP8",
        isl=1024,
        osl=1024,
        tp=8,
        concurrency=concurrency,
        total_tok_s_gpu=total,
        output_tok_s_gpu=output,
        mean_ttft_ms=ttft,
        mean_tpot_ms=tpot,
    )
    assert check_rows([sound]) == []
    (found,) = check_rows([replace(sound, mean_tpot_ms=tokens * tpot)])
    assert found.kind == "itl_of_chunks"
    assert f"a TPOT of {tokens} tokens" in found.message


def test_no_ttft_is_waiting_not_missing_gpus() -> None:
    """Half the clients wait: 64 in flight, 32 of them decoding, so a request waits as long as it decodes."""
    output, tpot, osl = 100.0, 18.0, 1024
    decode = (0.9 * osl - 1) * tpot / 1000
    rate = output / (0.9 * osl)
    decoding = rate * decode
    planted = row(isl=1024, osl=osl, tp=1, concurrency=round(4 * decoding), output_tok_s_gpu=output, mean_tpot_ms=tpot)
    (found,) = check_rows([planted])
    assert (found.severity, found.kind) == ("suspicious", "ttft_absent")
    assert found.data["in_flight"] == pytest.approx(decoding, rel=1e-6)
    wait = 0.976 * planted.concurrency / rate - decode
    assert f"a wait of {wait:.2f} s" in found.message


def test_a_client_that_keeps_fewer_requests() -> None:
    """From 64 clients on the same 64 requests are in flight: rows repeat those of 64 clients."""
    at_64 = next(r for r in CURVE if r.concurrency == 64)
    planted = [r for r in CURVE if r.concurrency <= 64]
    planted += [replace(at_64, concurrency=c, line=900 + c) for c in (128, 256)]
    found = [f for f in check_rows(planted) if f.kind == "client_limit"]
    assert {f.line for f in found} == {1028, 1156}
    assert all("the client keeps 6" in f.message for f in found)


def test_output_per_decode_gpu() -> None:
    """Five of eight GPUs decode; output is given for them, total for all."""
    sound = next(r for r in CURVE if r.concurrency == 64)
    wide = replace(sound, tp=8, concurrency=128, engine="Dynamo")
    assert [f for f in check_rows([wide]) if f.severity != "note"] == []
    (found,) = check_rows([replace(wide, output_tok_s_gpu=(wide.output_tok_s_gpu or 0.0) * 8 / 5)])
    assert found.kind == "per_decode_gpu"
    assert "5 of 8" in found.message


# --- what fits best


def test_cached_input_tokens_are_counted() -> None:
    planted = row(
        spec="mtp",
        spec_tokens=3,
        acceptance_length=3.39,
        isl=90000,
        osl=600,
        tp=4,
        ep=1,
        concurrency=32,
        total_tok_s_gpu=22000.0,
    )
    found = only(judge([planted]))
    assert found.kind == "cached_tokens"
    assert found.message.startswith("cached input tokens are counted")


def test_data_parallel_ranks_counted_as_one_gpu() -> None:
    planted = row(
        isl=8192,
        osl=1024,
        tp=1,
        concurrency=128,
        total_tok_s_gpu=52909.477,
        output_tok_s_gpu=5846.618,
        mean_ttft_ms=668.448,
        mean_tpot_ms=20.7965,
    )
    found = only(judge([planted]))
    assert found.kind == "dp_as_one_gpu"
    assert found.data["ranks"] == 8


MTP_SWEEPS = (
    select(ATOM, "precision = FP8 and spec = mtp and isl = 1024 and date = 2026-05-11"),
    select(SGLANG, "precision = FP4 and spec = mtp"),
    select(SGLANG, "precision = FP8 and spec = mtp"),
)


@pytest.mark.parametrize("rows", MTP_SWEEPS)
def test_mtp_runs_published_as_off(rows: Sequence[MeasuredPoint]) -> None:
    report = judge([replace(r, spec="off", spec_tokens=None, acceptance_length=None) for r in rows])
    bad = [f for f in report.findings if f.severity != "note"]
    assert {f.kind for f in bad} == {"mtp_as_off"}
    assert len(bad) == len({r.tp for r in rows})
    for found in bad:
        assert 1.5 <= found.data["acceptance_length"] <= 4.0
        assert "MTP runs labelled Off" in found.message
    named = {place for found in bad for place in found.places}
    assert len(named) >= len(rows) - len(bad)
    low = min(r.concurrency for r in rows)
    assert {(r.file, r.line) for r in rows if r.concurrency == low} <= named


def test_fp4_rows_called_fp8() -> None:
    rows = select(SGLANG, "precision = FP4 and spec = off and tp = 2")
    report = judge([replace(r, precision="FP8", checkpoint=None) for r in rows])
    (found,) = (f for f in report.findings if f.kind == "narrower_weights")
    assert found.message.startswith("FP4 runs labelled FP8")
    # the FP8 recipe looks for requests every 30 steps: at four clients no wait of that kind was measured
    others = [f for f in report.findings if f.severity in ("suspicious", "impossible") and f is not found]
    assert {f.kind for f in others} <= {"faster_than_expected"}
    assert all("TTFT" in f.message for f in others)


def test_sound_off_rows_stay_clean_beside_an_inflated_mtp_curve() -> None:
    off = select(SGLANG, "precision = FP4 and tp = 2 and spec = off")
    mtp = select(SGLANG, "precision = FP4 and tp = 2 and spec = mtp")
    inflated = [
        replace(
            r,
            total_tok_s_gpu=3.0 * (r.total_tok_s_gpu or 0.0),
            output_tok_s_gpu=r.output_tok_s_gpu and 3.0 * r.output_tok_s_gpu,
            mean_tpot_ms=r.mean_tpot_ms and r.mean_tpot_ms / 3.0,
            median_tpot_ms=r.median_tpot_ms and r.median_tpot_ms / 3.0,
            mean_ttft_ms=r.mean_ttft_ms and r.mean_ttft_ms / 3.0,
            median_ttft_ms=r.median_ttft_ms and r.median_ttft_ms / 3.0,
            interactivity_tok_s_user=r.interactivity_tok_s_user and 3.0 * r.interactivity_tok_s_user,
        )
        for r in mtp
    ]
    report = judge([*off, *inflated])
    assert {one.verdict for one in report.rows if one.row.spec == "off"} == {"clean"}
    assert not {one.verdict for one in report.rows if one.row.spec == "mtp"} & {"clean", "note"}


# --- curves of their own, and what was not checked


@pytest.mark.parametrize(
    "other", [{"engine": "vLLM"}, {"hardware": "MI300X"}, {"model": "GPT-9"}, {"engine_version": "x"}]
)
def test_other_engines_images_models_and_hardware_are_curves_of_their_own(other: dict[str, Any]) -> None:
    slower = [
        replace(
            r,
            total_tok_s_gpu=0.5 * (r.total_tok_s_gpu or 0.0),
            output_tok_s_gpu=0.5 * (r.output_tok_s_gpu or 0.0),
            mean_tpot_ms=2.0 * (r.mean_tpot_ms or 0.0),
            mean_ttft_ms=2.0 * (r.mean_ttft_ms or 0.0),
            line=r.line + 1000,
            **other,
        )
        for r in CURVE
        if r.concurrency >= 32
    ]
    found = [f for f in check_rows([*CURVE, *slower]) if f.severity != "note" and not f.kind.startswith("ttft")]
    assert found == []
    assert {one.verdict for one in judge([*CURVE, *slower]).rows[: len(CURVE)]} == {"clean"}


def test_two_models_are_named_in_their_curves() -> None:
    report = judge([*CURVE, *[replace(r, model="GPT-9", line=r.line + 1000) for r in CURVE]])
    assert len({one.curve for one in report.rows}) == 2
    assert any("GPT-9" in one.curve for one in report.rows)


@pytest.mark.parametrize("unknown", [{"hardware": "TPU9"}, {"model": "GPT-9"}])
def test_rows_without_a_profile_are_unchecked(unknown: dict[str, Any]) -> None:
    report = judge([replace(r, **unknown) for r in CURVE])
    assert report.verdict == "unchecked"
    assert report.unchecked == len(CURVE)
    assert not report.suspect
    assert not report.clean
