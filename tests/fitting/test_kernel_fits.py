"""Parameters from kernel tables: planted ones are found again, and what a table cannot say is refused or left out."""

from __future__ import annotations

import csv
import itertools
import math
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from simulator import calibrate, fit_kernels, load_calibration, make_scenario, shipped_measurements
from simulator.catalogue import profiles
from simulator.cli import run
from simulator.cost.parameters import registry
from simulator.cost.priors import layered, shipped
from simulator.cost.rates import KernelRates
from simulator.facts.reading import load_hardware
from simulator.fitting.kernels.build import KernelFit
from simulator.fitting.kernels.classes import classes
from simulator.fitting.kernels.shipped import TABLES, build, differences
from simulator.fitting.kernels.table import read_table
from tests.whole.test_docs import ROOT, blocks_of

Cells = dict[str, Any]
COLUMNS = (
    *("kernel", "precision", "tp", "ep", "gpus", "tokens", "batch", "context", "n", "k", "message_bytes", "heads"),
    *("kv_heads", "head_dim", "hidden", "intermediate", "experts", "top_k", "distribution", "time_us", "notes"),
)
NOISE = 0.03


def write(path: Path, rows: Iterable[Cells], columns: Iterable[str] = COLUMNS) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns), restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def every_class(fp4: str) -> list[Cells]:
    """Shapes and loads of all kinds of kernels, without times."""
    out: list[Cells] = []
    moe = {"kernel": "fused_moe", "hidden": 4096, "intermediate": 1024, "experts": 512, "top_k": 10}
    tokens = [1, 4, 16, 64, 256, 1024, 4096, 16384]
    ranks = ((1, 1), (2, 1), (4, 1), (8, 1), (1, 2), (1, 4), (1, 8))
    for precision in (fp4, "fp8", "bf16"):
        for tp, ep in ranks:
            spread = {"tp": tp, "ep": ep, "distribution": "power_law_1.01"}
            out += [{**moe, **spread, "precision": precision, "tokens": t} for t in tokens]
        for n, k in ((10240, 4096), (4096, 8192), (2048, 4096), (512, 7168)):
            out += [{"kernel": "gemm", "precision": precision, "n": n, "k": k, "tokens": t} for t in tokens]
    for cache in ("bf16", "fp8"):
        for context, width in itertools.product((512, 4096, 32768), (128, 256)):
            heads = {"heads": 8, "kv_heads": 1, "head_dim": width, "precision": f"bf16/kv_{cache}"}
            decode = {"kernel": "attention_decode", **heads, "context": context}
            out += [{**decode, "batch": batch} for batch in (1, 8, 64, 256)]
            out += [{**decode, "kernel": "attention_prefill", "batch": batch} for batch in (1, 2)]
    delta = {"precision": "bf16", "heads": 16, "kv_heads": 4, "head_dim": 128, "batch": 1}
    step, chunked = "gdn_fused_recurrent_gated_delta_rule_packed_decode", "gdn_chunk_gated_delta_rule"
    out += [{**delta, "kernel": step, "tokens": t} for t in (1, 4, 16, 64, 256, 1024)]
    out += [{**delta, "kernel": chunked, "tokens": t} for t in (2048, 4096, 8192, 16384, 32768)]
    out += [{"kernel": "gdn_causal_conv1d_update", "precision": "bf16", "tokens": t} for t in (1, 2, 4, 8)]
    for gpus in (2, 4, 8):
        reduce = {"kernel": "all_reduce", "precision": "bf16", "gpus": gpus}
        out += [{**reduce, "message_bytes": 2**p} for p in range(14, 30, 2)]
        out += [{**reduce, "message_bytes": 2**p, "notes": "int4 on the wire"} for p in range(22, 30, 2)]
    return out


def planted(seed: int) -> dict[str, float]:
    """A value within one spread of each generic prior, away from the bounds."""
    rng = np.random.default_rng(seed)
    out = {}
    for name, p in registry().items():
        value = p.value * math.exp(p.sd * rng.uniform(-1, 1)) if p.scale == "log" else p.value
        out[name] = min(max(value, p.low * 1.1), p.high / 1.1)
    return out


def timed(folder: Path, hardware: str, shapes: list[Cells], values: dict[str, float], seed: int = 0) -> Path:
    """The table with the times that the cost model has for it, and noise."""
    path = write(folder / "kernels.csv", [{**row, "time_us": 1} for row in shapes])
    of = load_hardware(hardware)
    rates, read, rng = KernelRates(of, values), read_table(path, of).rows, np.random.default_rng(seed)
    seconds: dict[int, float] = {}
    for kind in classes():
        for row in kind.rows(read):
            seconds[row.line] = kind.operator(row, rates).seconds(kind.loads(row, rates), kind.each(row))
    noisy = [
        {**row, "time_us": f"{1e6 * seconds[line] * math.exp(NOISE * rng.standard_normal()):.6g}"}
        for line, row in enumerate(shapes, start=2)
    ]
    return write(path, noisy)


@pytest.fixture(scope="module", params=["b200", "mi355x"])
def fitted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[KernelFit, dict[str, float]]:
    hardware, fp4 = request.param, {"b200": "nvfp4", "mi355x": "mxfp4"}[request.param]
    values = planted(11)
    path = timed(tmp_path_factory.mktemp(hardware), hardware, every_class(fp4), values)
    return fit_kernels(path, hardware), values


# --- planted


def test_every_class_explains_its_planted_times(fitted: tuple[KernelFit, dict[str, float]]) -> None:
    found, _ = fitted
    assert found.meta["left_out"] == {}
    assert {fit.kind.title for fit in found.fits} == {kind.title for kind in classes()}
    for fit in found.fits:
        assert fit.rms < 1.5 * NOISE, fit.kind
        assert abs(fit.bias) < NOISE, fit.kind


def test_planted_parameters_are_found_within_their_errors(fitted: tuple[KernelFit, dict[str, float]]) -> None:
    found, values = fitted
    errors = {
        name: abs(math.log(entry["value"] / values[name])) / entry["sd"]
        for name, entry in found.content["parameters"].items()
        if name != "moe.prep_us"  # not a time of the table: it says that sorting is in it
    }
    assert {name.split(".")[0] for name in errors} == {"moe", "dense", "attention", "gdn", "small", "comm"}
    assert {name: error for name, error in errors.items() if error > 2.0} == {}


@pytest.mark.parametrize(
    "name",
    [
        *(f"dense.{fmt}.compute_eff" for fmt in ("fp4", "fp8", "bf16")),
        *("attention.bf16.bandwidth_eff", "attention.bf16.latency_us", "attention.fp8.compute_eff"),
        *("gdn.bandwidth_eff", "gdn.latency_us", "gdn.compute_eff", "small.latency_us"),
        *("comm.latency_us", "comm.bandwidth_eff", "comm.codec_eff", "moe.bf16.latency_us", "moe.ep_imbalance"),
    ],
)
def test_what_its_rows_settle_is_found_closely(name: str, fitted: tuple[KernelFit, dict[str, float]]) -> None:
    found, values = fitted
    assert found.content["parameters"][name]["value"] == pytest.approx(values[name], rel=0.12)


def test_a_wrong_peak_would_be_noticed(tmp_path: Path) -> None:
    """The same times on an accelerator with half the bandwidth: efficiencies double, and the sheet's limit shows."""
    shapes = [
        row for row in every_class("nvfp4") if row["kernel"] == "gdn_fused_recurrent_gated_delta_rule_packed_decode"
    ]
    path = timed(tmp_path, "b200", shapes, planted(0) | {"gdn.bandwidth_eff": 0.4})
    found = {
        name: fit_kernels(path, name).content["parameters"]["gdn.bandwidth_eff"]["value"] for name in ("b200", "h200")
    }
    assert found["b200"] == pytest.approx(0.4, rel=0.1)
    assert found["h200"] == pytest.approx(0.4 * 8.0 / 4.8, rel=0.1)


# --- the table

GEMM = {"kernel": "gemm", "precision": "bf16", "n": 10240, "k": 4096}
FEW = [{**GEMM, "tokens": tokens, "time_us": time} for tokens, time in ((1, 18), (64, 20), (1024, 95), (8192, 700))]


def content(path: Path, hardware: str = "h200") -> dict[str, Any]:
    return {k: v for k, v in fit_kernels(path, hardware).content.items() if k != "tables"}


def test_order_and_case_of_columns_are_free(tmp_path: Path) -> None:
    one = write(tmp_path / "a.csv", FEW)
    other = tmp_path / "b.csv"
    other.write_text(
        "Time_us,K,Hardware,N,Mine,Tokens,Precision,KERNEL\n"
        + "".join(f"{r['time_us']},{r['k']},H200,{r['n']},x,{r['tokens']},BF16,gemm\n" for r in FEW),
        encoding="utf-8",
    )
    assert content(one) == content(other)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "kernel,precision,tokens\ngemm,bf16,1\n",
            ["line 1: missing column time_us", "found kernel, precision, tokens"],
        ),
        ("", ["missing column kernel, precision, time_us", "found nothing"]),
        ("kernel,precision,time_us,n\ngemm,bf16,fast,1\n", ["line 2", "time_us", "a number above 0, found 'fast'"]),
        ("kernel,precision,time_us,n\ngemm,bf16,0,1\n", ["line 2", "time_us", "a number above 0, found '0'"]),
        ("kernel,precision,time_us,n\ngemm,bf16,1,-4\n", ["line 2", "n", "a number above 0, found '-4'"]),
        ("kernel,precision,time_us,n\ngemm,bf16,nan,4\ngemm,bf16,,4\n", ["line 2", "line 3", "found nothing"]),
        ("kernel,precision,time_us,hardware\ngemm,bf16,1,b200\n", ["no row of h200", "in the column hardware"]),
        ("kernel,precision,time_us\nsoftmax,bf16,1\n", ["no kernel of the cost model", "found softmax"]),
        ("kernel,precision,time_us,n,k,tokens\ngemm,int4,1,2,3,4\n", ["no kernel of the cost model", "found gemm"]),
    ],
)
def test_a_bad_table_is_refused(text: str, told: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    assert run(["fit-kernels", str(path), "--hardware", "h200"]) == 2
    error = capsys.readouterr().err
    assert "bad.csv" in error
    assert [part for part in told if part not in error] == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "expected at least one CSV file"),
        (["kernels.csv"], "expected --hardware"),
        (["--check"], "expected --shipped beside it"),
        (["--shipped", "--hardware", "h200"], "expected no files and no other options"),
        (["none.csv", "--hardware", "h200"], "none.csv"),
        (["kernels.csv", "--hardware", "h201"], "h200"),
        (["kernels.csv", "--hardware", "h200", "-o", "priors.txt"], "a file that ends in .yaml"),
    ],
)
def test_a_bad_command_line_is_refused(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "kernels.csv", FEW)
    assert run(["fit-kernels", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_outliers_other_accelerators_and_other_formats_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = content(write(tmp_path / "plain.csv", FEW))
    odd = [
        {**FEW[0], "time_us": 900, "notes": "outlier: untuned"},
        {**FEW[0], "time_us": 900, "hardware": "b200"},
        {**FEW[0], "time_us": 900, "precision": "int4"},
        {**FEW[0], "time_us": 900, "kernel": "softmax"},
    ]
    path = write(tmp_path / "odd.csv", FEW + odd, (*COLUMNS, "hardware"))
    assert content(path) == plain
    left = {"of another accelerator": 1, "outliers": 1, "other formats (int4)": 1, "other kernels": 1}
    assert fit_kernels(path, "h200").meta["left_out"] == left
    assert run(["fit-kernels", str(path), "--hardware", "h200"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert all(f"{count} {reason}" in printed for reason, count in left.items())
    # the outlier would have told
    assert content(write(tmp_path / "all.csv", [*FEW, odd[0] | {"notes": ""}])) != plain


def test_of_several_implementations_that_with_the_most_rows_is_fitted(tmp_path: Path) -> None:
    columns = (*COLUMNS, "framework", "quantisation")
    fp8 = [{**row, "precision": "fp8", "framework": "a"} for row in FEW]
    slow = [{**row, "framework": "b", "time_us": 3 * row["time_us"]} for row in fp8]
    alone = content(write(tmp_path / "alone.csv", fp8, columns))
    most = write(tmp_path / "most.csv", slow[:3] + fp8, columns)
    assert content(most) == alone
    assert fit_kernels(most, "h200").meta["left_out"] == {"other implementations": 3}
    # as many of each: that whose scales are in blocks
    blocks = [row | {"quantisation": "blockscale"} for row in fp8]
    assert content(write(tmp_path / "blocks.csv", slow + blocks, columns)) == alone


def test_a_table_that_says_how_tokens_are_routed_has_the_sorting_in_its_times(tmp_path: Path) -> None:
    moe = {"kernel": "fused_moe", "precision": "fp8", "hidden": 4096, "intermediate": 1024, "experts": 512, "top_k": 10}
    times = ((1, 30), (16, 90), (256, 400), (4096, 900))
    for distribution, expected in (("balanced", True), ("", False)):
        rows = [{**moe, "tokens": n, "time_us": time, "distribution": distribution} for n, time in times]
        found = fit_kernels(write(tmp_path / "moe.csv", rows), "h200").content["parameters"]
        assert ("moe.prep_us" in found) == expected


# --- the file


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an accelerator of the user's own and its kernel table."""
    block = next(b for b in blocks_of(ROOT / "docs" / "profiles.md") if b.language == "yaml")
    (tmp_path / "my_gpu.yaml").write_text(block.content, encoding="utf-8")
    write(tmp_path / "kernels.csv", FEW)
    monkeypatch.chdir(tmp_path)
    assert run(["fit-kernels", "kernels.csv", "--hardware", "./my_gpu.yaml", "-o", "priors.yaml"]) == 0
    return tmp_path


def test_the_file_holds_for_an_accelerator_of_the_users_own(place: Path) -> None:
    found = yaml.safe_load((place / "priors.yaml").read_text(encoding="utf-8"))["parameters"]["dense.bf16.latency_us"]
    scenario = make_scenario(hardware="./my_gpu.yaml", tp=4, calibration="priors.yaml")
    known = scenario.calibration.known
    assert (known["dense.bf16.latency_us"].value, known["dense.bf16.latency_us"].sd) == (found["value"], found["sd"])
    # what its table does not show is that of its relatives, as without the table
    relatives = layered(load_hardware("./my_gpu.yaml")).known
    assert known["moe.fp4.bandwidth_eff"].value == relatives["moe.fp4.bandwidth_eff"].value
    assert relatives["moe.fp4.bandwidth_eff"].value != registry()["moe.fp4.bandwidth_eff"].value
    assert relatives["dense.bf16.latency_us"].value != found["value"]
    assert load_calibration("priors.yaml").scope.hardware == ["my_gpu"]


def test_priors_of_one_accelerator_are_not_those_of_another(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", "--tp", "4", "--concurrency", "4", "--calibration", "priors.yaml"]) == 2
    assert "does not cover hardware mi355x (fitted to my_gpu)" in capsys.readouterr().err


def test_a_fit_starts_from_the_file(place: Path) -> None:
    runs = shipped_measurements("sglang_mi355x_8k1k.csv")
    text = Path(str(runs)).read_text(encoding="utf-8").replace("MI355X", "./my_gpu.yaml")
    (place / "runs.csv").write_text(text, encoding="utf-8")
    stated = yaml.safe_load((place / "priors.yaml").read_text(encoding="utf-8"))["parameters"]["dense.bf16.latency_us"]
    some = "precision=FP4 and tp=4 and spec=off and concurrency<=8"
    for prior, value in (("priors.yaml", stated["value"]), (None, None)):
        found = calibrate("runs.csv", select=some, prior=prior, cross_validate=False).content
        if value is not None:
            assert found["parameters"]["dense.bf16.latency_us"]["prior"] == pytest.approx(value)
        else:
            assert found["parameters"]["dense.bf16.latency_us"]["prior"] != pytest.approx(stated["value"])


def test_the_file_replaces_an_earlier_one_and_nothing_else(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit = ["fit-kernels", "kernels.csv", "--hardware", "h200", "-o"]
    before = (place / "priors.yaml").read_text(encoding="utf-8")
    assert run([*fit, "priors.yaml"]) == 0
    assert (place / "priors.yaml").read_text(encoding="utf-8") != before
    assert run([*fit, "my_gpu.yaml"]) == 2
    (place / "fit.yaml").write_text("format: 1\nname: fit\nparameters: {}\n", encoding="utf-8")
    assert run([*fit, "fit.yaml"]) == 2
    assert "found a calibration there; expected kernel priors" in capsys.readouterr().err
    shutil.copy(str(shipped_measurements("sglang_mi355x_8k1k.csv")), "runs.csv")
    assert run(["calibrate", "runs.csv", "-o", "priors.yaml"]) == 2
    assert "found kernel priors there; expected a calibration" in capsys.readouterr().err


def test_the_table_says_what_the_file_says_at_any_width(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    for width in ("60", "100"):
        monkeypatch.setenv("COLUMNS", width)
        assert run(["fit-kernels", "kernels.csv", "--hardware", "h200"]) == 0
        printed = capsys.readouterr().out
        assert max(map(len, printed.splitlines())) <= int(width)
        for name in fit_kernels("kernels.csv", "h200").content["parameters"]:
            assert name in printed


# --- what ships


@pytest.mark.parametrize("hardware", TABLES)
def test_the_shipped_priors_are_those_of_the_shipped_tables(hardware: str) -> None:
    assert differences(build(hardware).content, hardware) == []


def test_a_drifted_file_is_noticed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from simulator.fitting.kernels import shipped as module

    monkeypatch.setattr(module, "TABLES", {"mi300x": TABLES["mi300x"]})
    assert run(["fit-kernels", "--shipped", "--check"]) == 0
    kept = shipped()["mi300x"]
    moved = kept.parameters["comm.latency_us"]
    moved = moved.model_copy(update={"value": moved.value * (1 + moved.sd)})
    changed = kept.model_copy(update={"parameters": {**kept.parameters, "comm.latency_us": moved}})
    monkeypatch.setattr(module, "shipped", lambda: {"mi300x": changed})
    assert run(["fit-kernels", "--shipped", "--check"]) == 2
    assert "mi300x: comm.latency_us: shipped" in capsys.readouterr().err


def test_every_accelerator_with_tables_is_listed() -> None:
    found = {row["name"]: row for row in profiles("priors").records()}
    assert set(found) == set(TABLES)
    assert found["b200"]["tables"] == "kernels_nvidia_b200.csv"
    rows = profiles("priors", "mi355x").records()
    assert [row["name"] for row in rows] == list(registry())
    assert {row["layer"] for row in rows} == {"accelerator", "vendor", "generic"}
