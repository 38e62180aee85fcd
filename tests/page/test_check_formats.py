"""The tab Check takes result files as tools wrote them, dropped or pasted; no file is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator import InputError, validate
from simulator.files.paths import shipped_files_only
from simulator.page.tabs.check import check, read

CASES = Path(__file__).parents[1] / "data" / "cases"
STATED = "hardware=h200 tp=4, precision=bf16 model=llama-3.3-70b"
KNOWN = {"hardware": "h200", "tp": 4, "precision": "bf16", "model": "llama-3.3-70b"}


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("A1_inferencemax_agg_bmk_mi355x_dsr1_atom.json", ""),
        ("A2_sglang_bench_serving_llama70b_h200x4.jsonl", STATED),
        ("A4_benchmark_serving_2024_h100_llama8b.json", "hardware=h100 tp=1 engine=vllm"),
        ("A5b_profile_export_aiperf.csv", f"{STATED} engine=vllm concurrency=16"),
        ("A6_guidellm_v2_real_trimmed.json", f"{STATED} engine=vllm"),
        ("A9_inference_perf_lifecycle.yaml", f"{STATED} engine=vllm"),
        ("B6_ix870_dsr1_h200.csv", ""),
    ],
)
def test_every_format_is_read_from_its_content(name: str, known: str) -> None:
    with shipped_files_only():
        assert read((CASES / name).read_text(encoding="utf-8"), "pasted", known)


def test_the_verdicts_are_those_of_the_command() -> None:
    file = CASES / "A2_sglang_bench_serving_llama70b_h200x4.jsonl"
    payload = check(read(file.read_text(), file.name, STATED), known=STATED)
    report = validate(file, known=KNOWN)
    assert [row["verdict"] for row in payload["rows"]] == [row.verdict for row in report.rows]
    assert payload["equivalent"]["command"] == (
        f"mtpsim validate {file.name} --set hardware=h200 --set tp=4 --set precision=bf16 --set model=llama-3.3-70b"
    )


def test_what_is_missing_is_said_with_its_name() -> None:
    with pytest.raises(InputError, match="missing column 'hardware'"):
        read((CASES / "A6_guidellm_v2_real_trimmed.json").read_text(), "pasted")
    with pytest.raises(InputError, match="expected COLUMN=VALUE"):
        read("{}", "pasted", "hardware")


def test_a_stranger_names_no_file() -> None:
    text = (CASES / "A6_guidellm_v2_real_trimmed.json").read_text()
    with shipped_files_only():
        rows = read(text, "pasted", "hardware=h100 tp=1 precision=fp8 engine=vllm model=/etc/passwd")
        assert check(rows)["rows"][0]["verdict"] in ("unchecked", "impossible", "suspicious")
