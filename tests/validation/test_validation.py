"""Validation: silent on honest rows, each planted fault found, roofs by hand, implied acceptance recovered."""

from __future__ import annotations

import doctest
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import Report, validate
from simulator.cli import run
from simulator.cost.calibration import load_calibration
from simulator.errors import InputError
from simulator.measurements import MeasuredPoint, Row, read_csv, select, write_csv
from simulator.measurements.configuration import configuration
from simulator.plots import save
from simulator.plots.validation import RED, validation_figure
from simulator.prediction.predict import predict_one
from simulator.serving.scenario import Scenario, resolve_deployment, resolve_speculation, resolve_workload
from simulator.speculation.stated import Acceptance
from simulator.validation import causes, reason, roofs
from simulator.validation.expectation import Expected
from simulator.validation.roofs import Roofs, roofs_of

MEASURED = Path(str(resources.files("simulator") / "measurements" / "published"))
ATOM = read_csv(MEASURED / "atom_mi355x_tp4.csv").points
SGLANG = read_csv(MEASURED / "sglang_mi355x_8k1k.csv").points
FRONTIER = read_csv(MEASURED / "inferencex_frontier_fp4_1k1k.csv").frontier
CURVE = select(ATOM, "precision = FP8 and spec = off and isl = 8192 and date = 2026-05-24")
"""One clean nightly sweep of one image, concurrency 4 to 256."""
MTP = select(ATOM, "precision = FP8 and spec = mtp and isl = 1024 and date = 2026-05-12")
OFF = select(ATOM, "precision = FP8 and spec = off and isl = 1024 and date = 2026-05-12")


Change = Callable[[MeasuredPoint], MeasuredPoint]


def plant(rows: Sequence[MeasuredPoint], concurrency: int, change: Change) -> list[Row]:
    """The rows with one of them changed."""
    return [change(row) if row.concurrency == concurrency else row for row in rows]


def scaled(row: MeasuredPoint, throughput: float = 1.0, tpot: float = 1.0, ttft: float = 1.0) -> MeasuredPoint:
    factors = {
        "total_tok_s_gpu": throughput,
        "output_tok_s_gpu": throughput,
        "mean_tpot_ms": tpot,
        "mean_ttft_ms": ttft,
    }
    known = {name: getattr(row, name) for name in factors if getattr(row, name) is not None}
    return replace(row, **{name: value * factors[name] for name, value in known.items()})


def slowed(row: MeasuredPoint, extra_ms: float) -> MeasuredPoint:
    """A row whose tokens take so much longer, throughput by Little's law."""
    assert row.mean_tpot_ms is not None
    assert row.mean_ttft_ms is not None
    latency = row.mean_ttft_ms + 921.0 * row.mean_tpot_ms
    return scaled(row, latency / (latency + 921.0 * extra_ms), 1 + extra_ms / row.mean_tpot_ms)


def bad(report: Report) -> list[tuple[int, str]]:
    """(line, kind) of every finding that is more than a note."""
    return [(f.places[0][1], f.kind) for f in report.findings if f.severity != "note"]


def kinds(report: Report, concurrency: int) -> set[str]:
    (row,) = (r for r in report.rows if r.row.concurrency == concurrency)
    return {r.kind for r in row.reasons if r.severity != "note"}


# --- silence


def test_clean_sweep_is_clean() -> None:
    report = validate(CURVE)
    assert report.verdict == "clean"
    assert report.clean
    assert report.counts == {"clean": 7, "note": 0, "unchecked": 0, "suspicious": 0, "impossible": 0}
    assert report.findings == ()
    assert report.meta["calibration"][report.rows[0].curve]["name"] == "atom-mi355x"


def test_atom_file_shows_its_real_oddities_only() -> None:
    """Runs with a late first token, nearly all of which the check among repeats sees too, and two of one slow day."""
    report = validate(ATOM)
    odd = {kind: {line for line, found in bad(report) if found == kind} for _, kind in bad(report)}
    assert set(odd) == {"ttft_outlier", "ttft_bimodal", "throughput_outlier", "slower_than_expected"}
    assert {(ATOM[line - 2].date, ATOM[line - 2].concurrency) for line in odd["throughput_outlier"]} == {
        ("2026-05-15", 4),
        ("2026-05-15", 128),
    }
    (twice,) = (f for f in report.findings if f.kind == "ttft_bimodal")
    slow = {f.places[0][1] for f in report.findings if f.kind == "slower_than_expected"}
    rest = slow - odd["ttft_outlier"] - odd["throughput_outlier"] - {line for _, line in twice.places}
    assert {(ATOM[line - 2].date, ATOM[line - 2].concurrency) for line in rest} <= {
        ("2026-05-18", 64),
        ("2026-05-12", 128),  # 1.4 x the median of its repeats
    }
    assert odd["ttft_outlier"] <= slow
    assert report.counts["impossible"] == 0
    assert report.counts["clean"] > 440


@pytest.mark.parametrize("day", sorted({str(row.date) for row in ATOM}))
def test_sweeps_of_one_day_show_late_first_tokens_only(day: str) -> None:
    for f in validate(select(ATOM, f"date = {day}"), method="closed-form").findings:
        if f.kind == "slower_than_expected":
            assert "mean_ttft_ms" in f.data or f.places[0][1] == 449
        else:
            assert f.severity == "note" or f.kind == "ttft_outlier"


def test_sglang_file_is_clean() -> None:
    assert bad(validate(SGLANG)) == []


def test_frontier_gets_notes_and_no_physics() -> None:
    report = validate(FRONTIER)
    assert report.verdict == "note"
    assert {f.kind for f in report.findings} == {"no_physics", "implied_gpus", "interpolated"}
    assert all(not row.expected and not row.limits for row in report.rows)


def test_most_values_lie_inside_their_interval() -> None:
    assert all(share > 0.85 for share in validate(ATOM).coverage.values())


# --- planted faults, without a model


@pytest.mark.parametrize(
    ("change", "kind", "verdict"),
    [
        (lambda r: replace(scaled(r, 0.25), ep=4), "tp_times_ep", "impossible"),
        (lambda r: replace(r, tp=16, ep=4), "tp_times_ep", "impossible"),
        (lambda r: scaled(r, 4.0), "per_replica", "impossible"),
        (lambda r: replace(r, total_tok_s_gpu=r.output_tok_s_gpu), "output_as_total", "impossible"),
        (lambda r: scaled(r, ttft=1e-3), "wrong_units", "impossible"),
        (lambda r: replace(r, cost_usd_per_mtok=3.0 / (r.total_tok_s_gpu * 3600 / 1e6)), "cost_identity", "suspicious"),
        (lambda r: replace(r, tok_s_per_mw=r.total_tok_s_gpu * 1000 / 1.8), "mw_identity", "suspicious"),
        (lambda r: scaled(r, ttft=1.6), "ttft_outlier", "suspicious"),
        (lambda r: scaled(r, 0.65, 1 / 0.65, 1 / 0.65), "not_monotone", "suspicious"),
    ],
)
def test_planted_fault(change: Change, kind: str, verdict: str) -> None:
    report = validate(plant(CURVE, 32, change))
    assert kind in kinds(report, 32)
    assert report.verdict == verdict
    assert not report.clean
    assert {r.row.concurrency for r in report.rows if r.verdict != "clean"} == {32}


def test_interpolated_row() -> None:
    row = replace(CURVE[3], concurrency=25, total_tok_s_gpu=1572.7, output_tok_s_gpu=None)
    row = replace(row, cost_usd_per_mtok=0.258, tok_s_per_mw=593481.0)
    report = validate([row])
    assert "interpolated" in kinds(report, 25)


def test_duplicate_curve_under_two_labels_across_files() -> None:
    copies = [replace(row, precision="FP4", checkpoint=None, file="other.csv", line=row.line + 90) for row in CURVE]
    (found,) = (f for f in validate([*CURVE, *copies]).findings if f.kind == "duplicate_curve")
    assert set(found.places) == {(row.file, row.line) for row in (*CURVE, *copies)}
    assert "precision FP8 and FP4" in found.message
    assert "(lines" not in found.message


def test_mixed_engines() -> None:
    mixed = [replace(row, engine="SGLang") if row.concurrency > 32 else row for row in CURVE]
    report = validate(mixed)
    (found,) = (f for f in report.findings if f.kind == "mixed_engine")
    assert found.severity == "note"
    assert report.counts["suspicious"] == report.counts["impossible"] == 0
    assert len({row.curve for row in report.rows}) == 2


def test_rows_that_no_profile_knows_get_the_rest() -> None:
    for unknown in ({"hardware": "TPU9"}, {"model": "GPT-9"}, {"engine": "Ollama"}):
        rows = [replace(row, **unknown) for row in plant(CURVE, 32, lambda r: scaled(r, 4.0))]
        report = validate(rows)
        (note,) = (f for f in report.findings if f.kind == "no_physics")
        assert next(iter(unknown.values())).lower() in note.message
        assert len(note.places) == 7
        assert kinds(report, 32) == {"per_replica"}
        assert kinds(report, 64) == set()


# --- roofs


def best(found: Roofs, concurrency: int) -> float:
    return min(found.total_tok_s_gpu(concurrency).values())


@pytest.mark.parametrize("rows", [ATOM, SGLANG])
def test_no_shipped_row_is_near_a_roof(rows: Sequence[MeasuredPoint]) -> None:
    for row in rows:
        found = roofs_of(configuration(row))
        assert row.total_tok_s_gpu is not None
        assert row.total_tok_s_gpu < 0.2 * best(found, row.concurrency)
        if row.mean_tpot_ms is not None:
            assert row.mean_tpot_ms > 5 * max(found.tpot_ms(row.concurrency, row.total_tok_s_gpu).values())


def test_weights_of_a_round_by_hand() -> None:
    """Dense tensors of facts.md in BF16, ten MXFP4 experts of 6.685 MB in each of 60 layers, by 4 x 8 TB/s."""
    d = resolve_deployment(hardware="mi355x", model="qwen3.5-397b-a17b", engine="atom", tp=4, precision="fp4")
    dense = 104_858_112 * 15 + 118_014_208 * 45 + (12_582_912 + 2_097_152) * 60 + 1.0171e9
    by_hand = (2 * dense + 60 * 10 * 6.685e6) / (4 * 8e12)
    assert roofs(d, 8192, 1024, 0).weights == pytest.approx(by_hand, rel=1e-3)


def test_caches_of_a_request_by_hand() -> None:
    """97.7 MB of BF16 state, read and written, and 15,360 B of FP8 KV cache per token of 7,372.5 + 921 / 2."""
    d = resolve_deployment(hardware="mi355x", model="qwen3.5-397b-a17b", engine="atom", tp=1, precision="fp4")
    by_hand = (2 * 97.7e6 + (7372.5 + 460.75) * 15_360) / 8e12
    assert roofs(d, 8192, 1024, 0).request == pytest.approx(by_hand, rel=1e-3)


def test_reductions_by_hand() -> None:
    """facts.md: 8,192 tokens take 154 ms at TP2 with BF16 at 52 GB/s; here with 8 bit at 76.8 GB/s."""
    d = resolve_deployment(hardware="mi355x", model="qwen3.5-397b-a17b", engine="sglang", tp=2, precision="fp4")
    found = roofs(d, 8192, 1024, 0)
    assert 8192 * found.token["communication"] == pytest.approx(0.154 / 2 * 52 / 76.8, rel=0.01)


@pytest.mark.parametrize(
    ("tp", "isl", "concurrency", "spec_tokens", "roof"),
    [(4, 1024, 4, 0, "memory"), (4, 8192, 256, 0, "communication"), (1, 8192, 256, 3, "compute")],
)
def test_above_each_roof(tp: int, isl: int, concurrency: int, spec_tokens: int, roof: str) -> None:
    base = replace(CURVE[0], precision="FP4", checkpoint=None, tp=tp, isl=isl, concurrency=concurrency)
    base = replace(base, spec="mtp" if spec_tokens else "off", spec_tokens=spec_tokens or None)
    found = roofs_of(configuration(base))
    for factor, impossible in ((0.97, False), (1.10, True)):
        total = best(found, concurrency) * factor
        requests = total * tp / (0.9 * (isl + 1024))
        latency = 1000 * 0.975 * concurrency / requests
        row = replace(
            base,
            total_tok_s_gpu=total,
            output_tok_s_gpu=total * 1024 / (isl + 1024),
            mean_ttft_ms=0.1 * latency,
            mean_tpot_ms=0.9 * latency / 920.6,
        )
        above = [f for f in validate([row]).findings if f.kind == "above_roof"]
        above = [f for f in above if f.data["metric"] == "total_tok_s_gpu"]
        assert [f.data["roof"] for f in above] == ([roof] if impossible else [])
        assert all(f.severity == "impossible" and f"the {roof} roof" in f.message for f in above)


def test_tpot_below_reading_the_weights() -> None:
    row = replace(CURVE[0], total_tok_s_gpu=None, output_tok_s_gpu=None, mean_tpot_ms=None, median_tpot_ms=0.5)
    (found,) = (f for f in validate([row]).findings if f.kind == "above_roof")
    assert found.data["metric"] == "median_tpot_ms"
    assert found.data["roof"] == "memory"


def test_weights_that_do_not_fit() -> None:
    assert "does_not_fit" in kinds(validate([replace(CURVE[0], tp=1)]), 4)


@settings(max_examples=40)
@given(
    tp=st.sampled_from([1, 2, 4, 8]),
    k=st.integers(0, 5),
    precision=st.sampled_from(["fp4", "fp8"]),
    isl=st.sampled_from([128, 1024, 8192]),
    concurrency=st.sampled_from([1, 4, 32, 256, 1024]),
)
def test_predictions_stay_under_the_roofs(tp: int, k: int, precision: str, isl: int, concurrency: int) -> None:
    """The model, with all drafts accepted, is slower than what nothing can beat."""
    d = resolve_deployment(hardware="mi355x", model="qwen3.5-397b-a17b", engine="sglang", tp=tp, precision=precision)
    priors = load_calibration("kernel-priors")
    acceptance = Acceptance(length=k + 1.0) if k else Acceptance()
    speculation = resolve_speculation(k, acceptance, d.model, priors)
    scenario = Scenario(d, resolve_workload(isl, 1024), speculation, priors)
    if scenario.max_concurrency < 1:
        return
    (row,) = predict_one(scenario, [concurrency], method="closed-form", intervals=False, over_memory="queue").rows
    found = roofs(d, isl, 1024, k)
    assert row["total_tok_s_gpu"] < best(found, concurrency)
    assert row["mean_tpot_ms"] > max(found.tpot_ms(concurrency, row["total_tok_s_gpu"]).values())
    assert row["mean_ttft_ms"] > max(found.ttft_ms().values())


# --- expectation and causes


def slow(report: Report, concurrency: int) -> list[str]:
    (row,) = (r for r in report.rows if r.row.concurrency == concurrency)
    (found,) = (r for r in row.reasons if r.kind == "slower_than_expected")
    return [str(cause) for cause in found.data["causes"]]


def expected_rows(rows: Sequence[MeasuredPoint], length: float | None = None, seed: int = 7) -> list[MeasuredPoint]:
    """The rows with what the ATOM calibration predicts, by other draws than those that validate uses."""
    found = []
    for row in rows:
        c = replace(configuration(row), acceptance_length=length)
        scenario = c.scenario(load_calibration("atom-mi355x"))
        (p,) = predict_one(scenario, [row.concurrency], seed=seed, intervals=False, over_memory="queue").rows
        names = ("total_tok_s_gpu", "output_tok_s_gpu", "mean_ttft_ms", "mean_tpot_ms")
        found.append(replace(row, **{name: p[name] for name in names}))
    return found


def test_predictions_are_clean() -> None:
    assert validate(expected_rows(CURVE)).findings == ()


@pytest.mark.parametrize(
    ("extra_ms", "cause", "others"),
    [
        (lambda tpot, n: 4.0, causes.HOST, (causes.FACTOR, causes.LOADED)),
        (lambda tpot, n: 0.4 * tpot, causes.FACTOR, (causes.HOST, causes.LOADED)),
        (lambda tpot, n: 0.15 * n, causes.LOADED, (causes.HOST,)),
    ],
)
def test_slow_curve_names_its_cause(
    extra_ms: Callable[[float, int], float], cause: str, others: tuple[str, ...]
) -> None:
    rows = [slowed(row, extra_ms(row.mean_tpot_ms or 0.0, row.concurrency)) for row in expected_rows(CURVE)]
    report = validate(rows)
    flagged = [r.row.concurrency for r in report.rows if r.verdict == "suspicious"]
    assert len(flagged) >= 3
    for concurrency in flagged:
        assert slow(report, int(concurrency or 0))[0] == cause
        assert not set(others) & set(slow(report, int(concurrency or 0)))


def test_late_first_tokens_are_queueing() -> None:
    report = validate([scaled(row, ttft=1.6) if row.concurrency < 64 else row for row in expected_rows(CURVE)])
    assert causes.FRONT_END in slow(report, 16)
    assert causes.HOST not in slow(report, 16)


def test_one_slow_run() -> None:
    report = validate(plant(CURVE, 32, lambda row: slowed(row, 9.0)))
    assert slow(report, 32) == [causes.ALONE]
    assert {r.row.concurrency for r in report.rows if r.verdict != "clean"} == {32}


def test_throughput_without_its_latencies() -> None:
    report = validate(plant(CURVE, 32, lambda row: replace(slowed(row, 9.0), mean_ttft_ms=None, mean_tpot_ms=None)))
    assert causes.UNKNOWN in slow(report, 32)


def test_faster_than_expected() -> None:
    report = validate(plant(CURVE, 32, lambda row: scaled(row, 1.5, 1 / 1.5, 1 / 1.5)))
    (row,) = (r for r in report.rows if r.row.concurrency == 32)
    assert row.verdict == "suspicious"
    (found,) = (r for r in row.reasons if r.kind == "faster_than_expected")
    assert causes.FAST in found.data["causes"]


def test_slow_mtp_beside_a_sound_off_row_is_acceptance() -> None:
    report = validate([*expected_rows(OFF), *expected_rows(MTP, length=1.7)])
    drafted = [r for r in report.rows if r.row.spec == "mtp"]
    assert {r.verdict for r in report.rows if r.row.spec == "off"} == {"clean"}
    assert {r.verdict for r in drafted} == {"suspicious"}
    for row in drafted:
        (found,) = (r for r in row.reasons if r.kind == "slower_than_expected")
        assert "acceptance lower than" in found.data["causes"][0]
        implied = re.search(r"the MTP/Off pair implies ([\d.]+)", found.data["causes"][0])
        assert implied is not None
        assert float(implied[1]) == pytest.approx(1.7, abs=0.05)


def test_distance_in_half_widths() -> None:
    e = Expected("mean_tpot_ms", 12.1, 10.0, 10.0 / 1.1, 11.0)
    assert e.widths == pytest.approx(2.0)
    assert replace(e, metric="total_tok_s_gpu").widths == pytest.approx(-2.0)
    assert not e.inside


# --- implied acceptance


@pytest.mark.parametrize("length", [1.0, 1.4, 2.2, 3.0, 3.7])
def test_planted_acceptance_is_recovered(length: float) -> None:
    report = validate([*expected_rows(OFF), *expected_rows(MTP, length=length)])
    assert [pair.concurrency for pair in report.pairs] == [4, 8, 16, 32, 64, 128, 256]
    for pair in report.pairs:
        found = 1.0 if pair.length is None else pair.length
        assert found == pytest.approx(length, rel=0.04)
        if pair.low is not None and pair.high is not None:
            assert pair.low <= length + 0.01
            assert pair.high >= length - 0.01
    (pooled,) = report.pooled
    assert pooled.length == pytest.approx(length, rel=0.02)
    assert pooled.low - 0.01 <= length <= pooled.high + 0.01
    assert pooled.high - pooled.low < 0.6


def test_pooling_narrows_the_interval() -> None:
    report = validate([*OFF, *MTP])
    widths = [pair.high - pair.low for pair in report.pairs if pair.high is not None and pair.low is not None]
    (pooled,) = report.pooled
    assert pooled.high - pooled.low < min(widths)
    assert pooled.low < median(pair.length or 0.0 for pair in report.pairs) < pooled.high


def test_ratio_that_no_acceptance_gives() -> None:
    report = validate([*expected_rows(OFF), *[slowed(row, 25.0) for row in expected_rows(MTP, length=1.0)]])
    first = report.pairs[0]
    assert first.length is None
    assert first.absent is not None
    assert "outside of the" in first.absent
    assert "no_acceptance" in {kind for _, kind in bad(report)}


def test_stated_acceptance_that_the_pair_contradicts() -> None:
    stated = [replace(row, acceptance_length=3.6) for row in expected_rows(MTP, length=2.0)]
    report = validate([*expected_rows(OFF), *stated])
    found = [f for f in report.findings if f.kind == "stated_acceptance"]
    assert len(found) == 7
    assert all("stated 3.6" in f.message for f in found)
    honest = [replace(row, acceptance_length=2.0) for row in stated]
    assert bad(validate([*expected_rows(OFF), *honest])) == []


def test_pairs_without_latencies_use_throughput() -> None:
    rows = [*expected_rows(OFF), *expected_rows(MTP, 2.5)]
    report = validate([replace(row, mean_ttft_ms=None, mean_tpot_ms=None) for row in rows])
    assert {pair.metric for pair in report.pairs} == {"total_tok_s_gpu"}
    assert report.pooled[0].length == pytest.approx(2.5, rel=0.03)


# --- calibrations


def test_calibration_of_another_engine_needs_force() -> None:
    with pytest.raises(InputError, match="does not cover engine atom"):
        validate(CURVE, "sglang-mi355x-fp8-2026-08")
    report = validate(CURVE, "sglang-mi355x-fp8-2026-08", force=True)
    (used,) = report.meta["calibration"].values()
    assert used["forced_outside"]


def test_priors_are_less_sure() -> None:
    sure, unsure = validate(CURVE), validate(CURVE, "kernel-priors")
    for a, b in zip(sure.rows, unsure.rows, strict=True):
        one, other = a.expected["mean_tpot_ms"], b.expected["mean_tpot_ms"]
        assert other.high / other.low > one.high / one.low


# --- command line and picture


def written(tmp_path: Path, rows: Sequence[Row], name: str = "curve.csv") -> str:
    path = tmp_path / name
    write_csv(path, rows)
    return str(path)


def test_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean = written(tmp_path, CURVE)
    faulty = written(tmp_path, plant(CURVE, 32, lambda r: scaled(r, 4.0)), "faulty.csv")
    seconds = written(tmp_path, plant(CURVE, 32, lambda r: scaled(r, ttft=1e-3)), "seconds.csv")
    assert run(["validate", clean]) == 0
    assert run(["validate", str(MEASURED / "inferencex_frontier_fp4_1k1k.csv")]) == 0
    assert run(["validate", faulty]) == 3
    assert run(["validate", clean, faulty]) == 3
    assert run(["validate", clean, faulty, "--select", "concurrency != 32"]) == 3
    capsys.readouterr()
    for arguments, words in (
        (["validate", seconds], "looks like seconds"),
        (["validate"], "Missing argument"),
        (["validate", str(tmp_path / "none.csv")], "none.csv"),
        (["validate", clean, "--calibration", "nothing"], "unknown calibration 'nothing'"),
        (["validate", clean, "--calibration", "sglang-mi355x-fp8-2026-08"], "--force"),
        (["validate", clean, "--select", "tpx = 4"], "unknown column 'tpx'"),
        (["validate", clean, "--plot", "picture.gif"], "picture.gif"),
    ):
        assert run(arguments) == 2
        assert words in capsys.readouterr().err


def test_exit_status_of_unchecked_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strange = written(tmp_path, [replace(row, model="GPT-9") for row in CURVE])
    assert run(["validate", strange]) == 4
    assert capsys.readouterr().out.splitlines()[0].startswith("UNCHECKED. 7 rows")
    assert run(["validate", strange, "--allow-unchecked"]) == 0
    assert run(["validate", strange, "--model", "qwen3.5-397b-a17b"]) == 0
    assert "7 clean, 0 unchecked" in " ".join(capsys.readouterr().out.split())
    clean = written(tmp_path, CURVE, "clean.csv")
    assert run(["validate", clean, strange]) == 3  # the same figures under two models
    assert run(["validate", clean, strange, "--model", "qwen3.5-397b-a17b"]) == 2
    assert "rows of 2 models" in capsys.readouterr().err


def test_weights_that_the_hardware_lacks_need_allow_dequant(tmp_path: Path) -> None:
    old = written(tmp_path, [replace(row, hardware="H100", precision="FP4", checkpoint=None, tp=8) for row in CURVE])
    refused, allowed = (validate(read_csv(old).rows, allow_dequant=allow) for allow in (False, True))
    assert {row.expected == {} for row in refused.rows} == {True}
    assert any(row.expected for row in allowed.rows)


def test_many_rows_take_time_in_proportion(tmp_path: Path) -> None:
    """Each configuration is predicted once: forty times the rows take far less than forty times the time."""
    many = [replace(row, source=f"s{i}", line=100 * i + row.line) for i in range(200) for row in CURVE]
    few = many[: 5 * len(CURVE)]
    validate(few)
    seconds = []
    for rows in (few, many):
        start = time.perf_counter()
        validate(rows)
        seconds.append(time.perf_counter() - start)
    assert seconds[1] < 25 * seconds[0]


def test_same_file_twice_is_a_duplicate(tmp_path: Path) -> None:
    one, other = written(tmp_path, CURVE), written(tmp_path, CURVE, "copy.csv")
    assert run(["validate", one, other]) == 3


def test_table_fits_80_columns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name, words in (
        ("atom_mi355x_tp4", "ttft_bimodal: TTFT of 14"),
        ("sglang_mi355x_8k1k", "CLEAN. 32 rows"),
        ("inferencex_frontier_fp4_1k1k", "interactivity"),
    ):
        run(["validate", str(MEASURED / f"{name}.csv"), "--method", "closed-form"])
        text = capsys.readouterr().out
        assert words in text
        assert max(map(len, text.splitlines())) <= 80


def test_json(tmp_path: Path) -> None:
    rows = plant([*OFF, *MTP], 32, lambda r: slowed(r, 30.0))
    output = tmp_path / "report.json"
    assert run(["validate", written(tmp_path, rows), "--format", "json", "--output", str(output)]) == 3
    content = json.loads(output.read_text())
    assert set(content) == {"meta", "verdict", "counts", "coverage90", "rows", "findings", "pairs", "pooled"}
    assert content["verdict"] == "suspicious"
    assert len(content["rows"]) == len(rows)
    row = content["rows"][0]
    keys = {"file", "line", "curve", "concurrency", "verdict", "reasons", "expected", "roofs", "scope", "scope_reasons"}
    assert set(row) == keys
    assert (row["scope"], row["scope_reasons"]) == ("inside", [])
    assert set(row["expected"]["mean_tpot_ms"]) == {"measured", "predicted", "lo", "hi", "widths"}
    assert set(row["roofs"]["total_tok_s_gpu"]) == {"memory", "compute", "communication"}
    assert set(content["findings"][0]) == {"severity", "kind", "message", "places", "data"}
    assert set(content["pairs"][0]) >= {"acceptance_length", "acceptance_length_lo", "acceptance_length_hi", "why_none"}
    assert content["meta"]["method"] == "des"


def test_picture(tmp_path: Path) -> None:
    faulty = plant(CURVE, 32, lambda r: scaled(r, 4.0))
    for rows, red in ((CURVE, 0), (faulty, 1), (list(FRONTIER), 0)):
        figure = validation_figure(validate(rows, method="closed-form"))
        lines = [line for axes in figure.axes for line in axes.lines if line.get_markerfacecolor() == RED]
        assert len([line for line in lines if line.axes is figure.axes[0]]) == red
        save(figure, tmp_path / "picture.svg")
        assert (tmp_path / "picture.svg").stat().st_size > 10_000


def test_documented_examples() -> None:
    assert doctest.testmod(reason).failed == 0
