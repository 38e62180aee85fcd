"""What files do not hold, given once: for all files or some, against what a file says, and what is missing."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulator import InputError, convert, read_measurements, read_results
from simulator.cli import run
from simulator.measurements import MeasuredPoint, OpenLoopPoint, select

CASES = Path(__file__).parents[1] / "data" / "cases"
GUIDELLM = CASES / "A6_guidellm_v2_real_trimmed.json"
VLLM = CASES / "A4_benchmark_serving_2024_h100_llama8b.json"
INFERENCEX = CASES / "A1_inferencemax_agg_bmk_mi355x_dsr1_atom.json"
KNOWN: dict[str, Any] = {"hardware": "h100", "tp": 1, "precision": "fp8", "engine": "vllm"}
HEADER = "hardware,model,precision,engine,spec,isl,osl,tp,concurrency,total_tok_s_gpu,mean_ttft_ms,mean_tpot_ms"
ROW = "h100,llama-3.1-8b,fp8,vllm,off,1024,1024,1,8,1800,60,8"


def test_missing_columns_of_all_files_at_once_with_their_options() -> None:
    with pytest.raises(InputError) as fault:
        read_results([GUIDELLM, VLLM, INFERENCEX])
    said = str(fault.value)
    assert "missing column 'hardware' (accelerator; text): --set hardware=" in said
    assert "--set tp=" in said
    assert "--set engine=" in said
    assert f"missing column 'precision' in {GUIDELLM} " in said
    assert str(INFERENCEX) not in said
    assert "'model'" not in said


def test_values_for_single_files_go_before_those_for_all() -> None:
    rows = read_results([GUIDELLM, VLLM], **KNOWN, files={"A4_*": {"hardware": "h200"}}).rows
    assert [row.hardware for row in rows] == ["h100", "h200"]


@pytest.mark.parametrize(
    ("file", "known", "said"),
    [
        (INFERENCEX, {"tp": 4}, "tp is 8 by 'tp' and '4' by --set tp"),
        (INFERENCEX, {"precision": "fp4"}, "precision is 'fp8' by 'precision' and 'fp4' by --set precision"),
        (INFERENCEX, {"hardware": "h100"}, "hardware is 'mi355x' by 'hw' and 'h100' by --set hardware"),
        (INFERENCEX, {"model": "qwen3-32b"}, "model is 'deepseek-ai/DeepSeek-R1-0528' by 'model' and 'qwen3-32b'"),
        (GUIDELLM, KNOWN | {"concurrency": 8}, "concurrency is 1 by 'config.strategy.streams' and '8'"),
        (GUIDELLM, KNOWN | {"request_rate_per_s": 8}, "concurrency 1 .* and request_rate_per_s"),
    ],
)
def test_against_a_file_both_are_said(file: Path, known: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_results(file, **known)


@pytest.mark.parametrize(
    "known", [{"model": "deepseek-r1"}, {"model": "DeepSeek-R1-0528"}, {"hardware": "MI355X"}, {"tp": "8"}]
)
def test_the_same_in_other_words_is_no_contradiction(known: dict[str, Any]) -> None:
    assert len(read_results(INFERENCEX, **known).rows) == 18


def test_drafts_that_the_file_does_not_speak_of_can_be_stated() -> None:
    (row,) = read_results(GUIDELLM, **KNOWN, spec="eagle3", spec_tokens=3, acceptance_length=2.5).rows
    assert (row.spec, row.spec_tokens, row.acceptance_length) == ("mtp", 3, 2.5)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"hardwear": "h200"}, "unknown column in --set 'hardwear'; did you mean 'hardware'"),
        ({"tp": "four"}, "--set tp: found 'four', expected a whole number"),
        ({"tp": 0}, "--set tp: found '0'"),
        ({"latency_unit": "min"}, "--set latency_unit: found 'min', expected s or ms"),
        ({"hardware": ""}, "--set hardware: found no value"),
        ({"files": ["a"]}, "expected file names"),
        ({"format": "vlm"}, "unknown format 'vlm'; did you mean 'vllm'"),
    ],
)
def test_what_cannot_be_stated(known: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_results(GUIDELLM, **(KNOWN | known))


@pytest.mark.parametrize("drop", ["hardware", "engine", "tp"])
def test_our_csv_may_lack_columns_too(drop: str, tmp_path: Path) -> None:
    names, cells = HEADER.split(","), ROW.split(",")
    at = names.index(drop)
    value = cells[at]
    path = tmp_path / "a.csv"
    path.write_text(f"{','.join(n for n in names if n != drop)}\n{','.join(cells[:at] + cells[at + 1 :])}\n")
    with pytest.raises(InputError, match=f"missing column '{drop}'.*--set {drop}="):
        read_results(path)
    (row,) = read_results(path, **{drop: value}).rows
    assert str(getattr(row, drop)) == value
    path.write_text(f"{HEADER}\n{','.join([*cells[:at], '', *cells[at + 1 :]])}\n")
    assert read_results(path, **{drop: value}).rows[0] == row


def test_a_cell_of_our_csv_is_not_overruled(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"{HEADER}\n{ROW}\n")
    with pytest.raises(InputError, match="line 2, column 'tp': found '1', and '4' by --set tp"):
        read_results(tmp_path / "a.csv", tp=4)


def test_open_loop_rows_in_our_csv(tmp_path: Path) -> None:
    header = f"{HEADER},request_rate_per_s,burstiness,requests"
    closed, opened = f"{ROW},,,", f"{ROW.replace(',8,1800', ',,1800')},2.5,0.5,300"
    (tmp_path / "a.csv").write_text(f"{header}\n{closed}\n{opened}\n")
    table = read_results(tmp_path / "a.csv")
    assert [type(row) for row in table.rows] == [MeasuredPoint, OpenLoopPoint]
    (row,) = table.open_loop
    assert (row.request_rate_per_s, row.burstiness, row.requests, row.concurrency) == (2.5, 0.5, 300, None)
    assert select(table.rows, "request_rate_per_s > 1") == (row,)
    assert len(select(table.rows, "concurrency >= 1")) == 1
    both = f"{ROW},2.5,,"
    (tmp_path / "a.csv").write_text(f"{header}\n{both}\n")
    with pytest.raises(InputError, match=r"column 'request_rate_per_s': found '2.5' beside a concurrency"):
        read_results(tmp_path / "a.csv")


def test_folders_and_patterns_mixed(tmp_path: Path) -> None:
    inner = tmp_path / "runs" / "h100"
    inner.mkdir(parents=True)
    (inner / "b.json").write_bytes(GUIDELLM.read_bytes())
    (inner / "a.csv").write_text(f"{HEADER}\n{ROW}\n")
    (inner / "log.txt").write_text("Uvicorn running\n")
    (inner / "picture.png").write_bytes(b"\x89PNG")
    table = read_results(tmp_path / "runs", **KNOWN)
    assert [row.concurrency for row in table.rows] == [8, 1]
    assert any("log.txt: passed over" in note for note in table.notes)
    assert read_results(str(tmp_path / "**" / "*.json"), **KNOWN).rows == table.rows[1:]
    assert len(read_measurements([tmp_path / "runs", VLLM], known=KNOWN)) == 3
    (tmp_path / "none").mkdir()
    for path, said in ((tmp_path / "none", "a folder without result files"), (tmp_path / "*.yaml", "no file fits")):
        with pytest.raises(InputError, match=said):
            read_results(path)


def test_a_bad_file_in_a_folder_is_said_with_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(GUIDELLM.read_bytes()[:-200])
    (tmp_path / "b.csv").write_text(f"{HEADER}\n{ROW.replace('1800', '-3')}\n")
    with pytest.raises(InputError, match=r"(?s)a\.json: line \d+.*not JSON.*b\.csv.*line 2, column 'total_tok_s_gpu'"):
        read_results(tmp_path, **KNOWN)


@pytest.mark.parametrize(
    ("known", "column", "factor"),
    [
        ({"latency_unit": "s"}, "mean_ttft_ms", 1000.0),
        ({"throughput_of": "gpu"}, "output_tok_s_gpu", 4.0),
        ({"throughput_counts": "output"}, "total_tok_s_gpu", (11740 + 512) / 512),
        ({"throughput_counts": "total"}, "output_tok_s_gpu", 512 / (11740 + 512)),
    ],
)
def test_figures_are_read_otherwise_only_on_request(known: dict[str, str], column: str, factor: float) -> None:
    stated = KNOWN | {"tp": 4}
    plain = read_results(GUIDELLM, **stated)
    other = read_results(GUIDELLM, **stated, **known)
    assert getattr(other.rows[0], column) == pytest.approx(factor * getattr(plain.rows[0], column))
    assert any("--set" in taken.definition for taken in other.records[0].taken.values())


# --- the command


def asked(*words: str) -> list[str]:
    return ["convert", *words, *(f"--set={name}={value}" for name, value in KNOWN.items())]


def test_converted_rows_are_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "rows.csv"
    assert run(asked(str(GUIDELLM), str(VLLM), "-o", str(out))) == 0
    assert "3 of 10 requests" in capsys.readouterr().err
    found = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [(row["source_file"], row["source_record"]) for row in found] == [(str(GUIDELLM), "1"), (str(VLLM), "1")]
    again, first = read_results(out).rows, read_results([GUIDELLM, VLLM], **KNOWN).rows
    for row, same in zip(again, first, strict=True):
        assert (row.mean_tpot_ms, row.concurrency, row.range_ratio) == (same.mean_tpot_ms, same.concurrency, 1.0)
    assert run(["convert", str(out), "-o", str(tmp_path / "again.csv")]) == 0
    assert (tmp_path / "again.csv").read_text() == out.read_text()


def test_convert_prints_csv_or_explains(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(asked(str(GUIDELLM))) == 0
    assert capsys.readouterr().out.startswith("hardware,model,")
    assert run([*asked(str(GUIDELLM)), "--explain"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "mean_tpot_ms" in said
    assert "207.011" in said


def test_set_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "known.yaml"
    file.write_text(yaml.safe_dump({**KNOWN, "files": {"A6_*": {"hardware": "h200"}}}))
    assert run(["convert", str(GUIDELLM), str(VLLM), "--set-file", str(file), "--format", "json"]) == 0
    assert [row["hardware"] for row in json.loads(capsys.readouterr().out)["rows"]] == ["h200", "h100"]
    assert run(["convert", str(GUIDELLM), "--set-file", str(file), "--set", "precision=bf16", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["precision"] == "bf16"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "hardware"], "--set 'hardware': expected COLUMN=VALUE"),
        (["--set", "tp=1", "--set", "tp=2"], "--set tp: found twice"),
        (["--set", "gpu=h100"], "unknown column in --set 'gpu'"),
        (["--set-file", "none.yaml"], "--set-file none.yaml: cannot be read"),
    ],
)
def test_bad_settings(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", str(GUIDELLM), *words]) == 2
    found = capsys.readouterr()
    assert said in found.err
    assert found.out == ""


def test_nothing_is_written_over_another_file_or_after_a_fault(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    assert run(asked(str(GUIDELLM), "-o", str(other))) == 2
    assert other.read_text() == "mine"
    assert run(["convert", str(GUIDELLM), "-o", str(tmp_path / "a.csv")]) == 2
    assert not (tmp_path / "a.csv").exists()


@pytest.mark.parametrize(
    ("ends", "factor", "offer"),
    [
        ("_ms", 0.001, "latency_unit=s"),
        ("_throughput", 0.25, "throughput_of=gpu"),
    ],
)
def test_what_does_not_add_up_is_offered_and_not_applied(ends: str, factor: float, offer: str, tmp_path: Path) -> None:
    """64 clients, 200 output tokens, 0.2 s + 199 x 0.048 s: 6.4 requests/s keep 62.4 in flight on the whole of TP4."""
    run = {"num_prompts": 640, "completed": 640, "max_concurrency": 64, "request_rate": "inf", "backend": "openai"}
    run |= {"total_input_tokens": 640_000, "total_output_tokens": 128_000, "duration": 100.0}
    run |= {"output_throughput": 1280.0, "total_token_throughput": 7680.0, "model_id": "llama-3.1-8b"}
    run |= {"mean_ttft_ms": 200.0, "mean_tpot_ms": 48.0}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(run))
    stated = KNOWN | {"tp": 4}
    assert convert(path, known=stated).said == ()
    path.write_text(json.dumps({k: v * factor if k.endswith(ends) else v for k, v in run.items()}))
    found = convert(path, known=stated)
    assert any(f"--set {offer}" in text for text in found.said)
    assert convert(path, known=stated | dict([offer.split("=")])).said == ()


def test_a_replica_labelled_per_gpu_is_offered(tmp_path: Path) -> None:
    runs = json.loads(INFERENCEX.read_text())[:1]
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{k: 8 * v if k.endswith("tput_per_gpu") else v for k, v in runs[0].items()}]))
    assert any("--set throughput_of=replica" in text for text in convert(path).said)
    assert convert(path, known={"throughput_of": "replica"}).said == ()


@pytest.mark.parametrize(("precision", "checkpoint"), [("bf16", "meta-llama/Llama-3.1-8B-Instruct"), ("fp8", None)])
def test_weights_quantised_on_loading_are_not_the_checkpoint(
    precision: str, checkpoint: str | None, tmp_path: Path
) -> None:
    run = {"num_prompts": 80, "completed": 80, "max_concurrency": 8, "model_id": "meta-llama/Llama-3.1-8B-Instruct"}
    run |= {"total_input_tokens": 8000, "total_output_tokens": 8000, "duration": 10.0, "mean_tpot_ms": 9.0}
    (tmp_path / "a.json").write_text(json.dumps(run))
    (row,) = read_results(tmp_path / "a.json", **(KNOWN | {"precision": precision})).rows
    assert row.checkpoint == checkpoint
