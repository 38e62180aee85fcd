"""Result files of benchmark tools: which importer knows them, and the values that come out."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from simulator import InputError, read_results, validate
from simulator.measurements import MeasuredPoint, OpenLoopPoint, Row, little_ratio
from simulator.measurements.gathering import parse_results
from simulator.measurements.importing.completing import explained
from simulator.measurements.importing.content import Content
from simulator.measurements.importing.registry import all_importers, claims

CASES = Path(__file__).parents[1] / "data" / "cases"
KNOWN: dict[str, Any] = {"hardware": "h100", "tp": 1, "precision": "fp8"}
FULL = KNOWN | {"engine": "vllm", "model": "llama-3.1-8b"}

VLLM = {
    "date": "20260101-120000",
    "endpoint_type": "openai",
    "backend": "openai",
    "model_id": "meta-llama/Llama-3.1-8B-Instruct",
    "tokenizer_id": "meta-llama/Llama-3.1-8B-Instruct",
    "num_prompts": 640,
    "request_rate": "inf",
    "burstiness": 1.0,
    "max_concurrency": 64,
    "duration": 100.0,
    "completed": 640,
    "failed": 0,
    "total_input_tokens": 640_000,
    "total_output_tokens": 128_000,
    "request_throughput": 6.4,
    "output_throughput": 1280.0,
    "total_token_throughput": 7680.0,
    "max_concurrent_requests": 71,
    "mean_ttft_ms": 200.0,
    "median_ttft_ms": 180.0,
    "p99_ttft_ms": 900.0,
    "mean_tpot_ms": 48.0,
    "median_tpot_ms": 47.0,
    "p99_tpot_ms": 60.0,
    "mean_itl_ms": 48.0,
    "median_itl_ms": 46.0,
}
SGLANG = {
    "backend": "sglang-oai",
    "dataset_name": "random",
    "request_rate": math.inf,
    "max_concurrency": 16,
    "sharegpt_output_len": None,
    "random_input_len": 1000,
    "random_output_len": 500,
    "random_range_ratio": 0.5,
    "duration": 50.0,
    "completed": 160,
    "total_input_tokens": 120_000,
    "total_output_tokens": 60_000,
    "request_throughput": 3.2,
    "output_throughput": 1200.0,
    "total_throughput": 3600.0,
    "mean_e2e_latency_ms": 4990.0,
    "mean_ttft_ms": 100.0,
    "mean_tpot_ms": 13.0,
    "mean_itl_ms": 39.0,
    "accept_length": 3.0,
    "concurrency": 15.8,
}
DISAGGREGATED = {
    "hw": "gb200",
    "conc": 512,
    "image": "nvcr.io/nvidia/ai-dynamo/tensorrtllm-runtime:0.6",
    "model": "deepseek-ai/DeepSeek-R1-0528",
    "infmax_model_prefix": "dsr1",
    "framework": "dynamo-trt",
    "precision": "fp4",
    "spec_decoding": "mtp",
    "disagg": True,
    "is_multinode": True,
    "isl": 8192,
    "osl": 1024,
    "prefill_tp": 4,
    "prefill_ep": 4,
    "prefill_dp_attention": "true",
    "prefill_num_workers": 2,
    "num_prefill_gpu": 8,
    "decode_tp": 8,
    "decode_ep": 8,
    "decode_dp_attention": "true",
    "decode_num_workers": 3,
    "num_decode_gpu": 24,
    "tput_per_gpu": 9000.0,
    "output_tput_per_gpu": 1333.0,
    "input_tput_per_gpu": 32000.0,
    "mean_ttft": 2.0,
    "median_ttft": 1.5,
    "mean_tpot": 0.02,
    "median_tpot": 0.019,
    "median_intvty": 52.6,
    "std_intvty": 5000.0,
}
METRIC = {"unit": "ms", "avg": 0.0, "p50": 0.0, "p99": 0.0}
AIPERF: dict[str, Any] = {
    "request_throughput": {"unit": "requests/sec", "avg": 4.0},
    "request_latency": {"unit": "ms", "avg": 4000.0, "p50": 3900.0, "p99": 5000.0},
    "request_count": {"unit": "requests", "avg": 160},
    "time_to_first_token": {"unit": "ms", "avg": 200.0, "p50": 150.0, "p99": 800.0},
    "inter_token_latency": {"unit": "ms", "avg": 19.0, "p50": 18.0, "p99": 25.0},
    "inter_chunk_latency": {"unit": "ms", "avg": 57.0},
    "input_sequence_length": {"unit": "tokens", "avg": 1000.0},
    "output_sequence_length": {"unit": "tokens", "avg": 201.0},
    "output_token_throughput": {"unit": "tokens/sec", "avg": 804.0},
    "total_token_throughput": {"unit": "tokens/sec", "avg": 4804.0},
    "input_config": {
        "phases": [{"name": "warmup", "concurrency": 2}, {"name": "profiling", "concurrency": 16}],
        "models": {"items": [{"name": "meta-llama/Llama-3.1-8B-Instruct"}]},
    },
}
GENAI_PERF: dict[str, Any] = {
    "request_throughput": {"unit": "requests/sec", "avg": 4.0},
    "request_latency": {"unit": "ns", "avg": 4e9, "p50": 3.9e9, "p99": 5e9},
    "time_to_first_token": {"unit": "ns", "avg": 2e8, "p50": 1.5e8, "p99": 8e8},
    "inter_token_latency": {"unit": "ns", "avg": 1.9e7, "p50": 1.8e7, "p99": 2.5e7},
    "output_token_throughput": {"unit": "tokens/sec", "avg": 804.0},
    "output_sequence_length": {"unit": "tokens", "avg": 201.0},
    "input_sequence_length": {"unit": "tokens", "avg": 1000.0},
    "input_config": {"model": ["meta-llama/Llama-3.1-8B-Instruct"], "perf_analyzer": {"stimulus": {"concurrency": 16}}},
}
LLMPERF = {
    "version": "2023-08-31",
    "name": "llama_550_150_summary",
    "model": "meta-llama/Llama-3.1-8B-Instruct",
    "mean_input_tokens": 550,
    "mean_output_tokens": 150,
    "num_concurrent_requests": 10,
    "results_inter_token_latency_s_mean": 0.024,
    "results_ttft_s_mean": 0.5,
    "results_ttft_s_quantiles_p50": 0.4,
    "results_ttft_s_quantiles_p99": 1.5,
    "results_end_to_end_latency_s_mean": 3.48,
    "results_number_input_tokens_mean": "550.0",
    "results_number_output_tokens_mean": 150.0,
    "results_num_completed_requests": 150,
    "results_num_completed_requests_per_min": 120.0,
    "results_mean_output_throughput_token_per_s": 300.0,
    "results_number_errors": 0,
}
GUIDELLM_1: dict[str, Any] = {
    "benchmarks": [
        {
            "type_": "generative_benchmark",
            "args": {"strategy": {"type_": "constant", "rate": 2.5}, "profile": {"type_": "sweep"}},
            "worker": {"backend_model": "meta-llama/Llama-3.1-8B-Instruct"},
            "request_totals": {"successful": 100, "errored": 0, "incomplete": 2, "total": 102},
            "duration": 50.0,
            "metrics": {
                "request_latency": {"successful": {"mean": 2.0, "median": 1.9, "percentiles": {"p99": 3.0}}},
                "prompt_token_count": {"successful": {"mean": 256.0}},
                "output_token_count": {"successful": {"mean": 128.0}},
                "time_to_first_token_ms": {"successful": {"mean": 50.0, "median": 45.0, "percentiles": {"p99": 90.0}}},
                "time_per_output_token_ms": {"successful": {"mean": 15.6}},
                "inter_token_latency_ms": {"successful": {"mean": 15.35, "median": 15.0}},
                "tokens_per_second": {"successful": {"mean": 9999.0}},
            },
        }
    ]
}
LLM_D = """
version: '0.1'
scenario:
  model: {name: meta-llama/Llama-3.1-8B-Instruct}
  load: {name: inference-perf, args: {load: {stages: [{rate: 4, duration: 120}]}}}
metrics:
  time: {duration: 120.0}
  requests:
    total: 480
    failures: 0
    input_length: {units: count, mean: 1000.0}
    output_length: {units: count, mean: 200.0}
  latency:
    time_to_first_token: {units: ms, mean: 80.0, p50: 70.0, p99: 300.0}
    time_per_output_token: {units: ms/token, mean: 11.0, p50: 10.5}
    normalized_time_per_output_token: {units: ms/token, mean: 11.5}
    inter_token_latency: {units: ms/token, mean: 11.0}
    request_latency: {units: s, mean: 2.3}
  throughput:
    output_tokens_per_sec: 800.0
    total_tokens_per_sec: 4800.0
    requests_per_sec: 4.0
"""

MADE: dict[str, str] = {
    "vllm.json": json.dumps(VLLM),
    "vllm_appended.json": "\n".join(json.dumps(VLLM | {"max_concurrency": n}) for n in (32, 64)),
    "vllm_array.json": json.dumps([VLLM], indent=2),
    "sglang.jsonl": json.dumps(SGLANG) + "\n",
    "inferencex.json": json.dumps(DISAGGREGATED),
    "aiperf.json": json.dumps(AIPERF),
    "genai_perf.json": json.dumps(GENAI_PERF),
    "genai_perf.csv": "Metric,avg,min,max,p99,p95,p90,p75,p50,p25\n"
    "Time To First Token (ms),200.00,1,9,800.00,1,1,1,150.00,1\n"
    'Request Latency (ms),"4,000.00",1,9,"5,000.00",1,1,1,"3,900.00",1\n'
    "Inter Token Latency (ms),19.00,1,9,25.00,1,1,1,18.00,1\n"
    "Output Sequence Length (tokens),201.00,1,9,1,1,1,1,1,1\n"
    'Input Sequence Length (tokens),"1,000.00",1,9,1,1,1,1,1,1\n'
    "\nMetric,Value\nOutput Token Throughput (tokens/sec),804.00\nRequest Throughput (requests/sec),4.00\n",
    "llmperf.json": json.dumps(LLMPERF, indent=4),
    "guidellm.json": json.dumps(GUIDELLM_1),
    "llm_d.yaml": LLM_D,
    "llm_d.json": json.dumps(
        {
            "version": "0.2",
            "scenario": {"load": {"standardized": {"concurrency": 8}}},
            "results": {
                "request_performance": {
                    "aggregate": {
                        "requests": {"total": 80, "input_length": {"mean": 100}, "output_length": {"mean": 20}},
                        "latency": {"time_to_first_token": {"units": "s", "mean": 0.1}},
                        "throughput": {"output_token_rate": {"units": "tokens/s", "mean": 60.0}},
                    }
                }
            },
        }
    ),
}
OWNERS = {
    **dict.fromkeys(("vllm.json", "vllm_appended.json", "vllm_array.json"), "vllm"),
    "sglang.jsonl": "sglang",
    "inferencex.json": "inferencex",
    **dict.fromkeys(("aiperf.json", "genai_perf.json"), "aiperf_json"),
    "genai_perf.csv": "aiperf_csv",
    "llmperf.json": "llmperf",
    "guidellm.json": "guidellm",
    **dict.fromkeys(("llm_d.yaml", "llm_d.json"), "llm_d"),
}
BY_BEGINNING = {
    "A1": "inferencex",
    "A2": "sglang",
    "A4": "vllm",
    "A5": "aiperf_csv",
    "A6": "guidellm",
    "A8": "mlperf",
    "A9": "inference_perf",
    "B": "our_csv",
    "C": "our_csv",
}
TRACES = {
    "mooncake.jsonl": '{"timestamp": 0, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1]}\n' * 2,
    "azure.csv": "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n",
    "burstgpt.csv": "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n",
    "notes.txt": "all went well\n",
    "config.json": '{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}',
    "empty.json": "{}",
}


@pytest.mark.parametrize("name", [p.name for p in sorted(CASES.iterdir()) if p.name != "README.md"])
def test_exactly_one_importer_claims_a_file(name: str) -> None:
    owner = next(owner for start, owner in BY_BEGINNING.items() if name.startswith(start))
    assert claims(Content(name, (CASES / name).read_bytes())) == [owner]


@pytest.mark.parametrize("name", MADE)
def test_exactly_one_importer_claims_other_versions(name: str) -> None:
    assert claims(Content(name, MADE[name].encode())) == [OWNERS[name]]


@pytest.mark.parametrize("name", MADE)
def test_names_do_not_matter(name: str) -> None:
    assert claims(Content("whatever", MADE[name].encode())) == [OWNERS[name]]


@pytest.mark.parametrize("name", TRACES)
def test_what_is_no_result_is_claimed_by_none(name: str, tmp_path: Path) -> None:
    assert claims(Content(name, TRACES[name].encode())) == []
    (tmp_path / name).write_text(TRACES[name], encoding="utf-8")
    with pytest.raises(InputError, match=r"expected (one of|a header)|missing column|found one column"):
        read_results(tmp_path / name)


def test_every_importer_is_tried() -> None:
    assert {*OWNERS.values(), *BY_BEGINNING.values()} == set(all_importers())


def one(tmp_path: Path, name: str, text: str, **known: Any) -> Row:
    return several(tmp_path, name, text, **known)[0]


def several(tmp_path: Path, name: str, text: str, **known: Any) -> tuple[Row, ...]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_results(path, **known).rows


def values(row: Row, *names: str) -> list[Any]:
    return [getattr(row, name) for name in names]


# --- the cases


def test_inferencex_has_seconds_means_and_medians() -> None:
    raw = json.loads((CASES / "A1_inferencemax_agg_bmk_mi355x_dsr1_atom.json").read_text())
    rows = read_results(CASES / "A1_inferencemax_agg_bmk_mi355x_dsr1_atom.json").rows
    assert [row.line for row in rows] == list(range(1, len(raw) + 1))
    for row, found in zip(rows, raw, strict=True):
        assert isinstance(row, MeasuredPoint)
        assert values(row, "concurrency", "isl", "osl", "tp") == [found[k] for k in ("conc", "isl", "osl", "tp")]
        assert values(row, "total_tok_s_gpu", "output_tok_s_gpu") == [
            found["tput_per_gpu"],
            found["output_tput_per_gpu"],
        ]
        for statistic in ("mean", "median"):
            for name in ("ttft", "tpot"):
                want = 1000 * found[f"{statistic}_{name}"]
                assert getattr(row, f"{statistic}_{name}_ms") == pytest.approx(want)
        ratio = little_ratio(row)
        assert ratio is not None
        assert 0.9 < ratio < 1.03


def test_sglang_of_2024_is_an_open_loop() -> None:
    file = CASES / "A2_sglang_bench_serving_llama70b_h200x4.jsonl"
    rows = read_results(file, hardware="h200", tp=4, precision="bf16", model="llama-3.3-70b").rows
    assert all(isinstance(row, OpenLoopPoint) for row in rows)
    first, last = rows[0], rows[-1]
    assert isinstance(first, OpenLoopPoint)
    assert values(first, "request_rate_per_s", "engine", "isl", "osl", "requests") == [1.0, "sglang", 1024, 1024, 300]
    assert first.range_ratio == pytest.approx(1 / 1024)
    assert first.output_tok_s_gpu == pytest.approx(537.4142851849319 / 4)
    assert first.total_tok_s_gpu == pytest.approx((152612 + 160347) / 298.3675805060193 / 4)
    assert first.mean_tpot_ms is None
    # of ShareGPT prompts the options for random lengths say nothing
    assert values(last, "isl", "osl", "range_ratio") == [round(540743 / 2400), 192, 1.0]


def test_sglang_with_an_infinite_rate_is_a_burst() -> None:
    file = next(CASES.glob("A2b*"))
    (row,) = read_results(file, hardware="h200", tp=8, precision="fp8", model="deepseek-r1").rows
    assert isinstance(row, MeasuredPoint)
    assert values(row, "concurrency", "requests_per_client", "isl", "osl", "range_ratio") == [10_000, 1, 1, 512, 1.0]


def test_vllm_of_2024_drops_empty_outputs_from_ttft() -> None:
    table = read_results(CASES / "A4_benchmark_serving_2024_h100_llama8b.json", hardware="h100", tp=1, engine="vllm")
    (row,) = table.rows
    assert isinstance(row, MeasuredPoint)
    assert values(row, "concurrency", "requests_per_client", "precision") == [10, 1, "fp8"]
    assert row.mean_ttft_ms == pytest.approx(44.16175780061167 * 10 / 7)
    assert row.total_tok_s_gpu == pytest.approx(1281.9486152410154 + 413.89429359863317)
    assert values(row, "isl", "osl", "range_ratio") == [137, 44, 1.0]
    assert any("3 of 10 requests have no output" in note for note in table.notes)


def test_the_csv_of_aiperf_asks_for_the_concurrency() -> None:
    file = CASES / "A5b_profile_export_aiperf.csv"
    with pytest.raises(InputError, match="--set concurrency="):
        read_results(file, **FULL)
    (row,) = read_results(file, **FULL, concurrency=16).rows
    assert values(row, "isl", "osl", "requests") == [3761, 544, 96]
    assert values(row, "total_tok_s_gpu", "output_tok_s_gpu", "mean_tpot_ms") == [9282.32, 1172.15, 11.85]
    assert values(row, "mean_ttft_ms", "median_ttft_ms", "p99_ttft_ms") == [230.14, 177.79, 687.62]


def test_guidellm_tpot_is_its_inter_token_latency() -> None:
    (row,) = read_results(CASES / "A6_guidellm_v2_real_trimmed.json", **(FULL | {"model": "qwen3-32b"})).rows
    assert isinstance(row, MeasuredPoint)
    assert row.mean_tpot_ms == pytest.approx(207.01143536315737)
    assert values(row, "concurrency", "isl", "osl", "model") == [1, 11740, 512, "qwen3-32b"]
    assert row.output_tok_s_gpu == pytest.approx(512 * 0.008699094849394007)
    assert row.total_tok_s_gpu == pytest.approx((512 + 11740.1666667) * 0.008699094849394007)
    ratio = little_ratio(row)
    assert ratio is not None
    assert 0.9 < ratio < 1.03


def test_mlperf_is_refused_with_why() -> None:
    with pytest.raises(InputError, match=r"MLPerf.*counts samples and no tokens.*neither a concurrency nor a rate"):
        read_results(CASES / "A8_mlperf_log_summary.txt", **FULL)


def test_inference_perf_is_an_open_loop_in_seconds() -> None:
    (row,) = read_results(CASES / "A9_inference_perf_lifecycle.yaml", **FULL).rows
    assert isinstance(row, OpenLoopPoint)
    assert values(row, "request_rate_per_s", "isl", "osl", "requests") == [1.0, 200, 53, 3]
    assert row.mean_tpot_ms == pytest.approx(9.279705855977042)
    assert row.total_tok_s_gpu == pytest.approx(306.85483870967744)


# --- other versions


def test_vllm_with_a_limit_is_a_closed_loop(tmp_path: Path) -> None:
    row = one(tmp_path, "a.json", MADE["vllm.json"], **KNOWN, engine="vllm")
    assert isinstance(row, MeasuredPoint)
    assert values(row, "concurrency", "requests", "isl", "osl", "spec") == [64, 640, 1000, 200, "off"]
    assert values(row, "total_tok_s_gpu", "output_tok_s_gpu", "p99_ttft_ms") == [7680.0, 1280.0, 900.0]
    assert row.model == "meta-llama/Llama-3.1-8B-Instruct"


def test_vllm_appends_runs_line_by_line(tmp_path: Path) -> None:
    rows = several(tmp_path, "a.json", MADE["vllm_appended.json"], **KNOWN, engine="vllm")
    assert [(row.concurrency, row.line) for row in rows] == [(32, 1), (64, 2)]


@pytest.mark.parametrize(
    ("rate", "limit", "burstiness", "want"),
    [
        (4.0, None, 0.5, ("open", 4.0, 0.5)),
        ("inf", None, 1.0, ("closed", 640, None)),
        (math.inf, None, 1.0, ("closed", 640, None)),
        (6.4, 1000, 1.0, ("open", 6.4, 1.0)),
        (50.0, 64, 1.0, ("closed", 64, None)),
    ],
)
def test_how_requests_came(
    rate: Any, limit: int | None, burstiness: float, want: tuple[Any, ...], tmp_path: Path
) -> None:
    """6.4 requests/s of 9.75 s each keep 62 in flight: below a limit of 1,000, at one of 64."""
    run = VLLM | {"request_rate": rate, "max_concurrency": limit, "burstiness": burstiness, "mean_e2el_ms": 9752.0}
    row = one(tmp_path, "a.json", json.dumps(run), **KNOWN, engine="vllm")
    if want[0] == "open":
        assert isinstance(row, OpenLoopPoint)
        assert values(row, "request_rate_per_s", "burstiness") == list(want[1:])
    else:
        assert isinstance(row, MeasuredPoint)
        assert row.concurrency == want[1]


def test_vllm_with_drafts(tmp_path: Path) -> None:
    """AL = 1 + accepted / drafts: 3.25 with 100 drafts of 3 tokens, 225 accepted; the rate of 75 % is (AL - 1) / 3."""
    drafts = {"spec_decode_num_drafts": 100, "spec_decode_draft_tokens": 300, "spec_decode_acceptance_rate": 75.0}
    for extra in ({"spec_decode_acceptance_length": 3.25}, {}):
        row = one(tmp_path, "a.json", json.dumps(VLLM | drafts | extra), **KNOWN, engine="vllm")
        assert values(row, "spec", "spec_tokens", "acceptance_length") == ["mtp", 3, 3.25]


def test_empty_outputs_with_detail_are_dropped_from_every_statistic(tmp_path: Path) -> None:
    detail = {"completed": 4, "num_prompts": 4, "total_input_tokens": 40, "total_output_tokens": 30}
    detail |= {"input_lens": [10, 10, 10, 10], "output_lens": [10, 0, 10, 10], "ttfts": [0.1, 0.0, 0.2, 0.6]}
    row = one(tmp_path, "a.json", json.dumps(VLLM | detail | {"errors": [""] * 4}), **KNOWN, engine="vllm")
    assert values(row, "mean_ttft_ms", "median_ttft_ms") == [pytest.approx(300.0), pytest.approx(200.0)]


def test_without_totals_lengths_come_from_the_lists(tmp_path: Path) -> None:
    run = {k: v for k, v in VLLM.items() if not k.startswith("total_")} | {"completed": 4}
    run |= {"input_lens": [100, 200, 300, 400], "output_lens": [10, 20, 30, 40]}
    row = one(tmp_path, "a.json", json.dumps(run), **KNOWN, engine="vllm")
    assert values(row, "isl", "osl") == [250, 25]


def test_sglang_with_drafts_and_nominal_lengths(tmp_path: Path) -> None:
    """Means of 750 and 375 are those of lengths uniform from half of 1,000 and 500."""
    row = one(tmp_path, "a.jsonl", MADE["sglang.jsonl"], **KNOWN, model="llama-3.1-8b")
    assert isinstance(row, MeasuredPoint)
    assert values(row, "concurrency", "engine", "isl", "osl", "range_ratio") == [16, "sglang", 1000, 500, 0.5]
    assert values(row, "spec", "acceptance_length") == ["mtp", 3.0]
    assert float(row.extras["itl_over_tpot"]) == pytest.approx(3.0)
    ratio = little_ratio(row)
    assert ratio is not None
    assert 0.9 < ratio < 1.03


def test_disaggregated_inferencex_is_per_gpu_of_all(tmp_path: Path) -> None:
    """24 of 32 GPUs decode, so 1,333 tok/s on each of them are 999.75 on each of all."""
    row = one(tmp_path, "a.json", MADE["inferencex.json"])
    assert isinstance(row, MeasuredPoint)
    assert values(row, "hardware", "engine", "tp", "ep", "gpus") == ["gb200", "trtllm", 8, 8, 32]
    assert values(row, "total_tok_s_gpu", "output_tok_s_gpu") == [9000.0, 999.75]
    assert values(row, "mean_ttft_ms", "median_tpot_ms", "spec") == [2000.0, 19.0, "mtp"]
    assert (row.extras["prefill_tp"], row.extras["decode_num_workers"]) == ("4", "3")


@pytest.mark.parametrize("name", ["aiperf.json", "genai_perf.json", "genai_perf.csv"])
def test_aiperf_and_its_older_name(name: str, tmp_path: Path) -> None:
    known = KNOWN | {"engine": "vllm"} | ({"model": "llama-3.1-8b", "concurrency": 16} if ".csv" in name else {})
    row = one(tmp_path, name, MADE[name], **known)
    assert isinstance(row, MeasuredPoint)
    assert values(row, "concurrency", "isl", "osl") == [16, 1000, 201]
    got = values(row, "mean_ttft_ms", "median_ttft_ms", "p99_ttft_ms", "mean_tpot_ms", "median_tpot_ms")
    assert got == [pytest.approx(v) for v in (200.0, 150.0, 800.0, 19.0, 18.0)]
    assert values(row, "output_tok_s_gpu", "total_tok_s_gpu") == [804.0, pytest.approx(4804.0)]


def test_older_aiperf_has_its_concurrency_in_the_command(tmp_path: Path) -> None:
    run = AIPERF | {"input_config": {"cli_command": "aiperf profile --model m --concurrency 24 --request-count 96"}}
    assert one(tmp_path, "a.json", json.dumps(run), **FULL).concurrency == 24
    run = AIPERF | {"input_config": {"loadgen": {"request_rate": 2.5}}}
    row = one(tmp_path, "a.json", json.dumps(run), **FULL)
    assert isinstance(row, OpenLoopPoint)
    assert row.request_rate_per_s == 2.5


def test_llmperf_tpot_leaves_out_the_first_token(tmp_path: Path) -> None:
    """(3.48 - 0.5) / 149 = 20 ms, where the file's own 24 ms include the first token."""
    row = one(tmp_path, "a.json", MADE["llmperf.json"], **KNOWN, engine="vllm")
    assert isinstance(row, MeasuredPoint)
    assert values(row, "mean_tpot_ms", "mean_ttft_ms") == [pytest.approx(20.0), 500.0]
    assert values(row, "output_tok_s_gpu", "total_tok_s_gpu") == [300.0, pytest.approx(1400.0)]
    assert values(row, "concurrency", "isl", "osl") == [10, 550, 150]
    assert row.extras["client"] == "polls"


def test_guidellm_of_the_first_version_with_a_rate(tmp_path: Path) -> None:
    row = one(tmp_path, "a.json", MADE["guidellm.json"], **KNOWN, engine="vllm")
    assert isinstance(row, OpenLoopPoint)
    assert values(row, "request_rate_per_s", "mean_tpot_ms", "requests") == [2.5, 15.35, 100]
    assert values(row, "output_tok_s_gpu", "total_tok_s_gpu") == [128 * 2.0, 384 * 2.0]


def test_llm_d_says_its_units(tmp_path: Path) -> None:
    row = one(tmp_path, "a.yaml", LLM_D, **KNOWN, engine="vllm")
    assert isinstance(row, OpenLoopPoint)
    assert values(row, "request_rate_per_s", "mean_ttft_ms", "mean_tpot_ms") == [4.0, 80.0, 11.0]
    assert values(row, "output_tok_s_gpu", "total_tok_s_gpu", "isl", "osl") == [800.0, 4800.0, 1000, 200]
    row = one(tmp_path, "a.json", MADE["llm_d.json"], **FULL)
    assert isinstance(row, MeasuredPoint)
    assert values(row, "concurrency", "mean_ttft_ms", "output_tok_s_gpu") == [8, 100.0, 60.0]


def test_every_value_says_where_it_is_from(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(MADE["vllm.json"], encoding="utf-8")
    table = read_results(tmp_path / "a.json", **(KNOWN | {"tp": 4}), engine="vllm")
    found = {taken.column: taken for taken in explained(table.records[0])}
    row = table.rows[0]
    assert {name for name in found if getattr(row, name, None) is None} == set(row.extras)
    assert found["mean_ttft_ms"].field == "mean_ttft_ms"
    assert found["hardware"].field == "--set hardware"
    assert found["total_tok_s_gpu"].definition.endswith("/ 4 GPUs")
    assert row.total_tok_s_gpu == 1920.0


# --- what is wrong


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mean_ttft_ms": -5.0}, "record 1, key 'mean_ttft_ms': found -5.0, expected a finite number > 0"),
        ({"mean_ttft_ms": math.nan}, "key 'mean_ttft_ms': found NaN"),
        ({"output_throughput": math.inf}, "key 'output_throughput': found Infinity"),
        ({"completed": 0}, "key 'completed': found 0 finished requests"),
        ({"mean_ttft_ms": "fast"}, "key 'mean_ttft_ms': found 'fast'"),
        ({"mean_ttft_ms": True}, "key 'mean_ttft_ms': found True"),
        ({"max_concurrency": -1}, "key 'max_concurrency': found -1"),
        ({"request_rate": "NaN"}, "key 'request_rate': found 'NaN'"),
        ({"duration": [1]}, "key 'duration': found [1]"),
    ],
)
def test_impossible_values_are_named(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(VLLM | change), encoding="utf-8")
    with pytest.raises(InputError) as fault:
        read_results(tmp_path / "a.json", **KNOWN, engine="vllm")
    assert said in str(fault.value)
    assert "a.json" in str(fault.value)


def test_all_faults_of_a_file_at_once(tmp_path: Path) -> None:
    runs = [VLLM | {"mean_ttft_ms": -1}, VLLM, VLLM | {"completed": 0}]
    (tmp_path / "a.json").write_text(json.dumps(runs), encoding="utf-8")
    with pytest.raises(InputError, match=r"(?s)2 faults.*record 1, key 'mean_ttft_ms'.*record 3, key 'completed'"):
        read_results(tmp_path / "a.json", **KNOWN, engine="vllm")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MADE["vllm.json"][:-20], r"line 1, column \d+: not JSON"),
        (MADE["sglang.jsonl"] * 2 + '{"backend": "sg\n', "line 3: not JSON"),
        ("[" * 100_000, "nested too deep"),
        ('{"a": ' * 5000 + "1" + "}" * 5000, "nested too deep|expected one of"),
        ('{"num_prompts": ' + "9" * 5000 + ', "mean_ttft_ms": 1}', "5,000 digits"),
        ('{"num_prompts": 1, "num_prompts": 2, "mean_ttft_ms": 1}', "found twice"),
        ("", "empty file"),
        ("[]", "no result file"),
        ("[1, 2]", "no result file"),
        ('{"benchmarks": []}', "found an empty list"),
    ],
)
def test_damaged_files_in_a_sentence(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_results(tmp_path / "a.json", **FULL)


@pytest.mark.parametrize("clients", [11, 20, 40])
def test_a_client_that_polls_is_not_called_impossible(clients: int, tmp_path: Path) -> None:
    """2 requests/s of 3.48 s keep 7 in flight, however many the client was asked for."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps(LLMPERF | {"num_concurrent_requests": clients}))
    rows = read_results(path, **KNOWN, engine="vllm").rows
    found = [reason for reason in validate(rows, method="closed-form").findings if reason.kind == "client_polls"]
    assert [reason.severity for reason in found] == ["note"]
    assert f"of the stated {clients} requests" in found[0].message
    assert not any(reason.severity == "impossible" for reason in validate(rows, method="closed-form").findings)


def test_a_header_that_no_table_can_have_is_one_sentence() -> None:
    """Longer than a cell may be (csv.field_size_limit)."""
    with pytest.raises(InputError, match=r"^long\.csv, line 1: field larger .*; expected comma-separated values"):
        parse_results(b"a," + b"b" * 200_000 + b"\n1,2\n", "long.csv")
