"""Silence on the clean curves but for their real oddities, and one planted fault of each kind in shipped rows."""

from __future__ import annotations

import doctest
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from simulator.measurements import FrontierPoint, MeasuredPoint, Row, read_csv, select
from simulator.validation.consistency import Finding, check_rows, cost
from simulator.validation.consistency.cost import implied_price, implied_throughput

MEASURED = Path(str(resources.files("simulator") / "measurements" / "published"))
ATOM = read_csv(MEASURED / "atom_mi355x_tp4.csv").points
SGLANG = read_csv(MEASURED / "sglang_mi355x_8k1k.csv").points
FRONTIER = read_csv(MEASURED / "inferencex_frontier_fp4_1k1k.csv").frontier
PRICES = {"hyperscaler": 1.48, "neocloud": 1.90, "rental": 2.10}

CURVE = select(ATOM, "precision = FP8 and spec = off and isl = 8192 and date = 2026-05-24")
"""One clean nightly sweep of one image, concurrency 4 to 256."""
SHORT = select(ATOM, "precision = FP8 and spec = off and isl = 1024 and date = 2026-05-24")


def check(rows: Sequence[Row]) -> list[Finding]:
    return check_rows(rows, price=PRICES, all_in_kw=2.65)


def verdicts(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(f.severity, f.kind) for f in findings if f.severity != "note"]


def scaled(row: MeasuredPoint, factor: float) -> MeasuredPoint:
    assert row.total_tok_s_gpu is not None
    assert row.output_tok_s_gpu is not None
    return replace(row, total_tok_s_gpu=row.total_tok_s_gpu * factor, output_tok_s_gpu=row.output_tok_s_gpu * factor)


def at(rows: Sequence[MeasuredPoint], concurrency: int) -> MeasuredPoint:
    return next(row for row in rows if row.concurrency == concurrency)


# --- silence


def test_clean_sweeps_are_clean() -> None:
    assert len(CURVE) == len(SHORT) == 7
    assert check(CURVE) == []
    assert check(SHORT) == []


def test_sglang_file_is_silent() -> None:
    assert check(SGLANG) == []


def test_atom_file_shows_its_real_oddities_only() -> None:
    findings = check(ATOM)
    assert Counter(verdicts(findings)) == {
        ("suspicious", "ttft_outlier"): 8,
        ("suspicious", "ttft_bimodal"): 1,
        ("suspicious", "throughput_outlier"): 2,
    }
    (bimodal,) = (f for f in findings if f.kind == "ttft_bimodal")
    assert {(ATOM[line - 2].precision, ATOM[line - 2].isl, ATOM[line - 2].concurrency) for line in bimodal.lines} == {
        ("FP4", 1024, 4)
    }
    outliers = [ATOM[f.line - 2] for f in findings if f.kind == "ttft_outlier"]
    assert any(
        (r.date, r.spec, r.isl, r.concurrency, r.mean_ttft_ms) == ("2026-05-19", "mtp", 8192, 4, 497.2)
        for r in outliers
    )


def test_every_single_atom_sweep_is_possible() -> None:
    for day in {row.date for row in ATOM}:
        assert not [f for f in check(select(ATOM, f"date = {day}")) if f.severity == "impossible"]


def test_images_are_noted_once_per_curve() -> None:
    notes = [f for f in check(ATOM) if f.kind == "mixed_engine_version"]
    assert len(notes) == 6
    assert {f.severity for f in notes} == {"note"}
    assert sum(len(f.lines) for f in notes) == len(ATOM)


def test_frontier_table_reads_as_interpolated_and_nothing_worse() -> None:
    findings = check(FRONTIER)
    assert verdicts(findings) == []
    gpus = {f.line: f.data["nearest_gpus"] for f in findings if f.kind == "implied_gpus"}
    assert [gpus[row.line] for row in FRONTIER] == [2, 2, 2, 2, 2, 4]
    (readme,) = (f for f in findings if f.kind == "interpolated" and f.line == 4)
    assert "1.4607 USD/h against 1.48" in readme.message


# --- the number of GPUs


@pytest.mark.parametrize("rows", [CURVE, SHORT])
@pytest.mark.parametrize("concurrency", [4, 64, 256])
@pytest.mark.parametrize(
    ("ep", "factor", "kind", "gpus"),
    [
        (4, 1 / 4, "tp_times_ep", 16),
        (2, 1 / 2, "tp_times_ep", 8),
        (8, 8.0, "tp_times_ep", 0.5),
        (1, 4.0, "per_replica", 1),
        (1, 1 / 2, "gpu_count", 8),
        (1, 2.0, "gpu_count", 2),
    ],
)
def test_throughput_of_another_number_of_gpus(
    rows: Sequence[MeasuredPoint], concurrency: int, ep: int, factor: float, kind: str, gpus: float
) -> None:
    (found,) = check([replace(scaled(at(rows, concurrency), factor), ep=ep)])
    assert (found.severity, found.kind) == ("impossible", kind)
    assert found.data["implied_gpus"] == pytest.approx(gpus, rel=0.03)
    assert found.data["stated_gpus"] == 4


def test_tp_column_that_holds_tp_times_ep() -> None:
    (found,) = check([replace(at(CURVE, 64), tp=16, ep=4)])
    assert (found.severity, found.kind) == ("impossible", "tp_times_ep")
    assert "the stated 16 GPUs are TP multiplied by EP 4" in found.message


def test_honest_expert_parallelism_is_silent() -> None:
    assert check([replace(row, ep=4) for row in CURVE]) == []


@pytest.mark.parametrize("rows", [CURVE, SHORT])
def test_output_tokens_labelled_total(rows: Sequence[MeasuredPoint]) -> None:
    row = at(rows, 32)
    for planted in (
        replace(row, total_tok_s_gpu=row.output_tok_s_gpu),
        replace(row, total_tok_s_gpu=row.output_tok_s_gpu, output_tok_s_gpu=None),
    ):
        (found,) = check([planted])
        assert (found.severity, found.kind) == ("impossible", "output_as_total")
        assert found.data["column"] == "total_tok_s_gpu"


def test_output_tokens_labelled_total_without_latencies() -> None:
    row = replace(at(CURVE, 32), mean_ttft_ms=None, mean_tpot_ms=None)
    (found,) = check([replace(row, total_tok_s_gpu=row.output_tok_s_gpu)])
    assert (found.severity, found.kind) == ("impossible", "output_as_total")
    assert found.data["expected"] == 9.0


def test_total_tokens_labelled_output() -> None:
    row = at(CURVE, 32)
    (found,) = check([replace(row, output_tok_s_gpu=row.total_tok_s_gpu)])
    assert (found.severity, found.kind) == ("impossible", "total_as_output")


def test_a_replica_is_found_without_ttft() -> None:
    row = at(CURVE, 32)
    tpot = row.mean_tpot_ms
    assert tpot is not None
    bare = replace(row, mean_ttft_ms=None, mean_tpot_ms=None, interactivity_tok_s_user=1000 / tpot)
    assert check([bare]) == []
    assert verdicts(check([scaled(bare, 4.0)])) == [("impossible", "per_replica")]
    assert verdicts(check([scaled(bare, 0.25)])) == [("suspicious", "ttft_absent")]


def test_a_ratio_that_nothing_explains() -> None:
    (found,) = check([scaled(at(CURVE, 32), 1.3)])
    assert (found.severity, found.kind) == ("impossible", "littles_law")
    (found,) = check([scaled(at(CURVE, 32), 0.85)])
    assert (found.severity, found.kind) == ("suspicious", "littles_law")
    assert "honest 0.90 to 1.03" in found.message


def test_throughputs_that_disagree() -> None:
    row = at(CURVE, 32)
    assert row.total_tok_s_gpu is not None
    (found,) = check([replace(row, total_tok_s_gpu=row.total_tok_s_gpu * 1.06)])
    assert (found.severity, found.kind) == ("suspicious", "token_ratio")


def test_interactivity_is_one_over_the_median_tpot() -> None:
    row = replace(at(CURVE, 32), median_tpot_ms=18.0)
    assert check([replace(row, interactivity_tok_s_user=55.6)]) == []
    assert verdicts(check([replace(row, interactivity_tok_s_user=40.0)])) == [("impossible", "interactivity")]


# --- cost and energy


def priced(row: MeasuredPoint, price: float, kw: float = 2.65) -> MeasuredPoint:
    assert row.total_tok_s_gpu is not None
    total = row.total_tok_s_gpu
    return replace(row, cost_usd_per_mtok=round(price / (total * 0.0036), 4), tok_s_per_mw=round(total * 1000 / kw))


@pytest.mark.parametrize("price", PRICES.values())
def test_honest_prices_are_silent(price: float) -> None:
    assert check([priced(row, price) for row in CURVE]) == []


def test_identities_are_those_of_the_readme() -> None:
    assert implied_price(0.258, 1572.7) == pytest.approx(1.4607, abs=1e-4)
    assert implied_throughput(593481, 2.65) == pytest.approx(1572.72, abs=0.01)
    assert doctest.testmod(cost) == doctest.TestResults(0, 2)


def test_a_splined_row_among_the_runs() -> None:
    row = priced(at(CURVE, 32), 1.48 * 0.987)
    (found,) = check([row])
    assert (found.severity, found.kind) == ("suspicious", "interpolated")
    assert "a splined frontier point, not a run" in found.message


def test_a_price_off_the_list_is_not_called_interpolated() -> None:
    (found,) = check([priced(at(CURVE, 32), 3.20)])
    assert (found.severity, found.kind) == ("suspicious", "cost_identity")
    (found,) = check([priced(at(CURVE, 32), 1.48, kw=1.4)])
    assert (found.severity, found.kind) == ("suspicious", "mw_identity")


def test_rounding_is_allowed_for() -> None:
    row = replace(at(CURVE, 4), cost_usd_per_mtok=0.5)
    assert row.total_tok_s_gpu is not None
    assert check([replace(row, cost_usd_per_mtok=round(1.48 / (row.total_tok_s_gpu * 0.0036), 2))]) == []


def test_without_prices_the_cost_is_not_judged() -> None:
    assert check_rows([priced(at(CURVE, 32), 9.0, kw=1.0)]) == []
    assert verdicts(check_rows([priced(at(CURVE, 32), 9.0)], price=1.48)) == [("suspicious", "cost_identity")]


# --- shape


@pytest.mark.parametrize(("concurrency", "factor", "found"), [(64, 0.65, True), (64, 0.99, False), (8, 0.48, True)])
def test_throughput_that_falls(concurrency: int, factor: float, found: bool) -> None:
    planted = [
        replace(scaled(row, factor), mean_ttft_ms=None, mean_tpot_ms=None) if row.concurrency == concurrency else row
        for row in CURVE
    ]
    findings = check(planted)
    assert {f.kind for f in findings} == ({"not_monotone"} if found else set())
    assert all(planted[0].file == f.file and f.line == at(CURVE, concurrency).line for f in findings)


def test_tpot_that_falls() -> None:
    low = at(CURVE, 64)
    planted = [
        replace(low, mean_tpot_ms=15.0, output_tok_s_gpu=None, total_tok_s_gpu=None) if row is low else row
        for row in CURVE
    ]
    (found,) = check(planted)
    assert (found.severity, found.kind, found.line) == ("suspicious", "not_monotone", low.line)


def test_two_labels_are_two_curves() -> None:
    slower = [replace(row, tp=2, engine="SGLang") for row in CURVE if row.concurrency >= 128]
    assert not [f for f in check([*CURVE, *slower]) if f.kind == "not_monotone"]


def test_a_frontier_that_rises() -> None:
    rows: list[FrontierPoint] = [
        replace(r, total_tok_s_gpu=3000.0, cost_usd_per_mtok=None, tok_s_per_mw=None) if r.line == 6 else r
        for r in FRONTIER
    ]
    assert ("impossible", "not_a_front") in verdicts(check(rows))


# --- TTFT


def with_ttft(row: MeasuredPoint, ttft_ms: float) -> MeasuredPoint:
    return replace(row, mean_ttft_ms=ttft_ms)


@pytest.mark.parametrize("concurrency", [4, 16, 64])
def test_a_ttft_that_sticks_out_of_one_curve(concurrency: int) -> None:
    planted = [
        with_ttft(row, 2.0 * (row.mean_ttft_ms or 0.0)) if row.concurrency == concurrency else row for row in CURVE
    ]
    (found,) = check(planted)
    assert (found.severity, found.kind, found.line) == ("suspicious", "ttft_outlier", at(CURVE, concurrency).line)


def test_a_ttft_that_sticks_out_of_repeated_runs() -> None:
    repeats = select(ATOM, "precision = FP8 and spec = off and isl = 1024 and concurrency = 16 and mean_ttft_ms > 0")
    assert verdicts(check(repeats)) == []
    planted = [with_ttft(repeats[0], 300.0), *repeats[1:]]
    (found,) = (f for f in check(planted) if f.severity != "note")
    assert (found.kind, found.lines, found.data["ttft_ms"]) == ("ttft_outlier", (repeats[0].line,), 300.0)


@pytest.mark.parametrize("factor", [0.88, 1.12])
def test_a_throughput_that_sticks_out_of_repeated_runs(factor: float) -> None:
    repeats = select(ATOM, "precision = FP8 and spec = off and isl = 1024 and concurrency = 16")
    assert verdicts(check(repeats)) == []
    planted = [scaled(repeats[0], factor), *repeats[1:]]
    (found,) = (f for f in check(planted) if f.kind == "throughput_outlier")
    assert (found.severity, found.lines, found.data["total_tok_s_gpu"]) == (
        "suspicious",
        (repeats[0].line,),
        planted[0].total_tok_s_gpu,
    )


def test_another_engine_is_no_disturbed_run() -> None:
    """A third of the repeats 12 % faster: an image came between."""
    repeats = select(ATOM, "precision = FP8 and spec = off and isl = 1024 and concurrency = 16")
    faster = [scaled(row, 1.12) for row in repeats[::3]]
    kept = [row for i, row in enumerate(repeats) if i % 3]
    assert not [f for f in check(faster + kept) if f.kind == "throughput_outlier"]


def test_two_clusters_of_ttft() -> None:
    repeats = select(ATOM, "precision = FP8 and spec = off and isl = 1024 and concurrency = 16 and mean_ttft_ms > 0")
    planted = [with_ttft(row, 2.0 * (row.mean_ttft_ms or 0.0)) if i < 5 else row for i, row in enumerate(repeats)]
    (found,) = (f for f in check(planted) if f.severity != "note")
    assert (found.kind, len(found.lines)) == ("ttft_bimodal", len(repeats))


# concurrency, mean and median TTFT in s: DeepSeek-R1 FP4, 8 x B200, 1024/8192, SGLang v0.5.6, three nights of the
# InferenceX aggregated results (January 2026; data by SemiAnalysis, Apache-2.0)
NIGHTS = (
    *((32, 7.2255, 0.3063), (16, 0.4066, 0.3031), (8, 0.2675, 0.1685), (128, 6.1846, 0.4987), (4, 0.3901, 0.1746)),
    *((32, 7.7502, 0.3515), (64, 7.4466, 0.3973), (16, 0.4406, 0.3165), (128, 0.7490, 0.5146), (8, 0.2463, 0.1529)),
    *((4, 0.3815, 0.1762), (16, 0.5331, 0.2929), (8, 0.2834, 0.1804), (32, 7.1001, 0.3229)),
)


def test_warm_up_inside_the_timed_run() -> None:
    """The rows whose mean is 6 s or more are named, and no other."""
    rows = [
        replace(
            CURVE[0], line=i, concurrency=c, mean_ttft_ms=1e3 * mean, median_ttft_ms=1e3 * middle, mean_tpot_ms=None
        )
        for i, (c, mean, middle) in enumerate(NIGHTS)
    ]
    rows = [replace(row, total_tok_s_gpu=None, output_tok_s_gpu=None) for row in rows]
    found = [f for f in check(rows) if f.severity != "note"]
    assert {f.kind for f in found} == {"ttft_outlier"}
    assert {line for f in found for line in f.lines} == {i for i, (_, mean, _) in enumerate(NIGHTS) if mean > 6.0}
    assert any("warm-up inside the timed run" in f.message for f in found)


# --- labels


@pytest.mark.parametrize(
    "label",
    [{"engine": "SGLang"}, {"precision": "FP4"}, {"tp": 8}, {"spec": "mtp"}, {"date": "2026-06-01"}, {"isl": 4096}],
)
def test_a_curve_under_two_labels(label: dict[str, Any]) -> None:
    copies = [replace(row, line=row.line + 1000, **label) for row in CURVE]
    (found,) = (f for f in check([*CURVE, *copies]) if f.kind == "duplicate_curve")
    assert found.severity == "suspicious"
    assert found.data["differ"] == list(label)
    assert found.data["pairs"] == 7
    assert set(found.lines) == {row.line for row in (*CURVE, *copies)}


def test_a_coincidence_of_one_figure_is_no_duplicate() -> None:
    bare = replace(at(CURVE, 32), output_tok_s_gpu=None, mean_ttft_ms=None, mean_tpot_ms=None)
    assert check([bare, replace(bare, precision="FP4", line=999)]) == []


def test_two_engines_on_one_curve() -> None:
    other = [replace(scaled(row, 0.991), engine="vLLM", engine_version="v1", line=row.line + 1000) for row in CURVE]
    findings = check([*CURVE, *other])
    assert [(f.severity, f.kind) for f in findings] == [
        ("note", "mixed_engine"),
        ("note", "mixed_engine_version"),
    ]
    assert findings[0].message.startswith("2 engines under one label are curves of their own")


def test_the_worst_comes_first() -> None:
    planted = [
        scaled(at(CURVE, 4), 4.0),
        replace(at(CURVE, 8), engine="vLLM"),
        with_ttft(at(CURVE, 16), 2000.0),
        *CURVE[3:],
    ]
    severities = [f.severity for f in check(planted)]
    assert severities == sorted(severities, key=["impossible", "suspicious", "note"].index)
    assert severities[0] == "impossible"
