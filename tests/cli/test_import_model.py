"""``mtpsim import-model``, and a model named by a configuration or a repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from simulator import import_model, make_scenario
from simulator.cli import run
from simulator.facts.reading import load_model, named_model
from tests.facts.importing.examples import EXPERTS, PLAIN, config, write

HUNDREDTH = 0.01


def test_json_has_the_figures_at_the_top(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import-model", config("openai/gpt-oss-120b"), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["total_parameters"] == pytest.approx(116.8e9, rel=HUNDREDTH)
    assert found["active_parameters"] == pytest.approx(5.13e9, rel=HUNDREDTH)
    assert found["kv_bytes_per_token"] == 73_728
    assert found["state_bytes_per_sequence"] == 0
    assert found["weight_bytes"] == {"mxfp4": pytest.approx(65.2e9, rel=HUNDREDTH)}
    assert found["not_understood"] == []
    assert found["name"] == "gpt-oss-120b"
    assert found["profile"]["hidden"] == 2880
    keys = {row["field"]: row["source"] for row in found["rows"]}
    assert keys["mixers.window.window"] == "sliding_window"
    assert keys["total_parameters"] == "computed from the shape"


def test_text_says_what_is_not_in_the_profile(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import-model", config("google/gemma-4-26B-A4B")]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("25.25 B", "3.84 B", "225.3 KB", "beyond windows 20.5 KB", "attention_k_eq_v", "vision_config"):
        assert part in text
    assert run(["import-model", config("Qwen/Qwen3-32B")]) == 0
    assert "Every key was understood." in capsys.readouterr().out


def test_the_file_is_a_profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Written whole, read back the same, replaced by another profile, and never in place of anything else."""
    target = tmp_path / "mine.yaml"
    line = ["import-model", config("zai-org/GLM-5.2"), "-o", str(target)]
    assert run(line) == 0
    assert f"written: {target}" in capsys.readouterr().out
    assert load_model(str(target)) == import_model(config("zai-org/GLM-5.2")).model
    assert run(["import-model", config("openai/gpt-oss-20b"), "-o", str(target)]) == 0
    assert load_model(str(target)).name == "gpt-oss-20b"
    before = target.read_text(encoding="utf-8")
    assert run(["import-model", write(tmp_path, PLAIN | {"hidden_size": 0}), "-o", str(target)]) == 2
    assert target.read_text(encoding="utf-8") == before
    target.write_text("a letter\n", encoding="utf-8")
    assert run(line) == 2
    assert "expected a model profile" in capsys.readouterr().err
    assert target.read_text(encoding="utf-8") == "a letter\n"
    assert run([*line[:-1], str(tmp_path / "mine.json")]) == 2
    assert "expected a file that ends in .yaml" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "config.json: not JSON"),
        ("[]", "config.json: expected a JSON object, found an array"),
        ('{"a": 1, "a": 2}', "config.json: key 'a' found twice"),
        ("{}", "config.json: model_type: missing"),
        ('{"model_type": "llama"}', "config.json: num_hidden_layers: missing"),
        ('{"model_type": "lama"}', "an architecture that is not known"),
        ("[" * 100_000, "config.json: nested too deep"),
        ('{"model_type": "llama", "num_hidden_layers": 1' + "0" * 50 + "}", "a number of 51 digits"),
        ('{"model_type": "llama", "num_hidden_layers": NaN}', "expected a whole number of 1 to 10,000, found nan"),
    ],
)
def test_bad_files_are_one_message(
    content: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.json").write_text(content, encoding="utf-8")
    for line in ("import-model config.json -o out.yaml", "predict --model config.json", "profiles model config.json"):
        assert run(line.split()) == 2
        found = capsys.readouterr()
        assert said in found.err
        assert found.out == ""
    assert not Path("out.yaml").exists()


@pytest.mark.parametrize("path", ["no.json", "nowhere", "."])
def test_no_configuration(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["import-model", path]) == 2
    assert path in capsys.readouterr().err


def test_implausible_shapes_are_refused_until_someone_insists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, PLAIN | {"hidden_size": 16, "head_dim": 64})
    assert run(["import-model", path]) == 2
    assert "hidden: 16 is implausible" in capsys.readouterr().err
    assert run(["import-model", path, "--allow-implausible"]) == 0


def test_numbers_that_are_no_json_matter_only_where_they_are_read(tmp_path: Path) -> None:
    """As programs write them: ``"time_step_limit": [0.0, Infinity]``."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(PLAIN | {"time_step_limit": [0.0, float("inf")]}), encoding="utf-8")
    assert import_model(str(path)).not_understood == ()


# --- --model


def test_a_configuration_is_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file, its folder, or the profile made of it: the same numbers; what is not in it is told once."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "My-Model"
    folder.mkdir()
    path = write(folder, EXPERTS | {"colour": "blue"})
    assert run(["import-model", path, "-o", "mine.yaml"]) == 0
    capsys.readouterr()
    rows = []
    for name in (path, "My-Model", "./My-Model", "My-Model/", "mine.yaml"):
        assert (
            run(["predict", "--model", name, "--concurrency", "4", "--method", "closed-form", "--format", "csv"]) == 0
        )
        found = capsys.readouterr()
        rows.append(found.out)
        assert found.err.count("not in the profile: colour") == (name != "mine.yaml")
    assert len(set(rows)) == 1
    assert "no measured run of my-model" in rows[0]


@pytest.mark.parametrize(
    ("name", "precision", "expected"),
    [
        ("Qwen/Qwen3.5-397B-A17B-FP8", None, ("qwen3.5-397b-a17b", "fp8")),
        ("qwen/qwen3.5-397b-a17b-fp8", "FP8", ("qwen3.5-397b-a17b", "fp8")),
        ("Qwen/Qwen3.5-397B-A17B-FP8", "bf16", ("qwen3.5-397b-a17b", "bf16")),
        ("amd/Qwen3.5-397B-A17B-MXFP4-AttnFP8-V2", None, ("qwen3.5-397b-a17b", "mxfp4-attnfp8")),
        ("QWEN3.5 397B A17B", "fp8", ("qwen3.5-397b-a17b", "fp8")),
        ("openai/gpt-oss-120b", None, ("gpt-oss-120b", "mxfp4")),
        ("MiniMaxAI/MiniMax-M2.5", None, ("minimax-m2.5", "fp8")),
        ("MiniMaxAI/MiniMax-M2.5", "fp4", ("minimax-m2.5", "mxfp4")),
        ("MiniMax-M2.5", None, ("minimax-m2.5", "mxfp4")),
        ("Llama-3.3-70B-Instruct", None, ("llama-3.3-70b", "mxfp4")),
        ("Llama-3.x-70B", "fp8", ("llama-3.3-70b", "fp8")),
        ("mixtral-8x7b", None, ("mixtral-8x7b", "mxfp4")),
    ],
)
def test_a_repository_is_a_model_and_its_checkpoint(
    name: str, precision: str | None, expected: tuple[str, str]
) -> None:
    found = make_scenario(model=name, precision=precision, tp=4).deployment
    assert (found.model.name, found.checkpoint) == expected


@pytest.mark.parametrize(
    ("model", "checkpoint"),
    [
        ("GLM-5", "zai-org/GLM-5-FP8"),
        ("GLM-5.1", "amd/GLM-5.1-MXFP4"),
        ("GLM-5.2", "zai-org/GLM-5.2-FP8"),
        ("gpt-oss-120b", "openai/gpt-oss-120b"),
        ("Llama-3.3-70B-Instruct", "amd/Llama-3.3-70B-Instruct-MXFP4-Preview"),
        ("Llama-3.3-70B-Instruct", "amd/Llama-3.3-70B-Instruct-FP8-KV"),
        ("MiniMax-M2.5", "amd/MiniMax-M2.5-MXFP4"),
        ("Qwen3-235B-A22B", "Qwen/Qwen3-235B-A22B-FP8"),
        ("DeepSeek-R1-0528", "deepseek-ai/DeepSeek-R1-0528"),
        ("deepseek-v4-pro-0813", "deepseek-ai/DeepSeek-V4-Pro"),
        ("kimi-k2.5", "amd/Kimi-K2.5-MXFP4"),
        ("kimi-k3", "moonshotai/Kimi-K3"),
    ],
)
def test_models_and_checkpoints_as_measured_files_write_them(model: str, checkpoint: str) -> None:
    one, other = named_model(model), named_model(checkpoint)
    assert one is not None
    assert other is not None
    assert one.profile == other.profile
    assert other.checkpoint is not None


def test_a_folder_goes_before_a_repository_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "openai" / "gpt-oss-120b"
    assert load_model("openai/gpt-oss-120b").hidden == 2880
    folder.mkdir(parents=True)
    write(folder, PLAIN)
    assert load_model("openai/gpt-oss-120b").hidden == 1024
    assert make_scenario(model="openai/gpt-oss-120b").deployment.checkpoint == "bf16"


def test_an_unknown_repository(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", "--model", "org/Unknown-7B"]) == 2
    assert "no such file, and no shipped model is of this repository; mtpsim import-model" in capsys.readouterr().err
    assert run(["predict", "--model", "gpt-os-120b"]) == 2
    assert "did you mean 'gpt-oss-120b'" in capsys.readouterr().err


def test_sources_of_a_profile_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profiles", "model", "gpt-oss-20b", "--format", "json"]) == 0
    rows = {row["field"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert rows["mixers.window.window"]["note"] == "key sliding_window"
    assert rows["layers.1.count"]["note"] == "key layer_types, num_hidden_layers"
    assert not any(field.startswith("sources") for field in rows)


def test_the_written_file_is_plain_yaml(tmp_path: Path) -> None:
    target = tmp_path / "mine.yaml"
    import_model(config("moonshotai/Kimi-K2.5")).write(target)
    raw = yaml.safe_load(target.read_text(encoding="utf-8"))
    assert raw["checkpoints"]["int4"]["routed_experts"] == "int4"
    assert raw["sources"]["mixers.mla.kv_rank"] == "text_config.kv_lora_rank"
