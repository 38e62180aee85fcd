"""Every model that ships, and every published configuration, has the published sizes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator.facts.figures import figures
from simulator.facts.importing.imported import import_model
from simulator.facts.importing.profile import profile_of
from simulator.facts.importing.reading import read_files
from simulator.facts.model import Model
from simulator.facts.reading import load_model, names, read_mapping
from tests.facts.importing.examples import CONFIGS, config

SIZES = {
    # total and active parameters, 10^9, as published or, marked *, summed from the published shapes; where the
    # publisher counts the input embedding as active, E
    "deepseek-r1": (671.0, 36.6, "*"),
    "deepseek-v3.2": (671.9, 37.5, "*"),
    "deepseek-v4-pro": (1573, 49, "*"),
    "gemma-4-26b-a4b": (25.2, 3.8, ""),
    "glm-4.7": (352.8, 32.9, "*"),
    "glm-5": (743.9, 40.8, "*"),
    "glm-5.1": (743.9, 40.8, "*"),
    "glm-5.2": (743.4, 40.3, "*"),
    "gpt-oss-120b": (116.83, 5.13, ""),
    "gpt-oss-20b": (20.91, 3.61, ""),
    "kimi-k2.5": (1026.4, 31.7, "*"),
    "kimi-k3": (2779, 104, "*"),
    "llama-3.1-405b": (405.9, None, ""),
    "llama-3.1-8b": (8.03, None, ""),
    "llama-3.3-70b": (70.6, 69.5, "*"),
    "llama-4-maverick": (400, 17, "E"),
    "minimax-m2.5": (228.7, 10.4, "*"),
    "minimax-m3": (426.2, 24.7, "*"),
    "mixtral-8x7b": (46.7, 12.9, "E"),
    "nemotron-3-super": (120, 12, ""),
    "qwen3-235b-a22b": (235.1, 21.6, "*"),
    "qwen3-30b-a3b": (30.5, 3.3, "E"),
    "qwen3-32b": (32.8, None, ""),
    "qwen3-next-80b-a3b": (79.674391296, 3.874929408, "E"),
    "qwen3.5-122b-a10b": (122.1, 9.0, "*"),
    "qwen3.5-35b-a3b": (34.7, 2.9, "*"),
    "qwen3.5-397b-a17b": (396.3, 16.3, "*"),
}

CACHES = {
    # bytes of one token in BF16 by hand, and of the index key in FP8 with its scale
    "deepseek-r1": (61 * 576 * 2, 0),
    "deepseek-v3.2": (61 * 576 * 2, 61 * 132),
    "gemma-4-26b-a4b": (25 * 2 * 8 * 256 * 2 + 5 * 2 * 2 * 512 * 2, 0),
    "glm-4.7": (92 * 2 * 8 * 128 * 2, 0),
    "glm-5": (89_856, 78 * 132),
    "glm-5.1": (89_856, 78 * 132),
    "glm-5.2": (89_856, 21 * 132),
    "gpt-oss-120b": (73_728, 0),
    "gpt-oss-20b": (24 * 2 * 512 * 2, 0),
    "kimi-k2.5": (70_272, 0),
    "kimi-k3": (24 * 576 * 2, 0),
    "llama-3.1-405b": (126 * 2 * 1024 * 2, 0),
    "llama-3.1-8b": (32 * 2 * 1024 * 2, 0),
    "llama-3.3-70b": (327_680, 0),
    "llama-4-maverick": (48 * 2 * 1024 * 2, 0),
    "minimax-m2.5": (253_952, 0),
    "minimax-m3": (122_880, 57 * 132),
    "mixtral-8x7b": (32 * 2 * 1024 * 2, 0),
    "nemotron-3-super": (8 * 2 * 256 * 2, 0),
    "qwen3-235b-a22b": (192_512, 0),
    "qwen3-30b-a3b": (48 * 2 * 512 * 2, 0),
    "qwen3-32b": (64 * 2 * 1024 * 2, 0),
    "qwen3-next-80b-a3b": (24_576, 0),
    "qwen3.5-122b-a10b": (12 * 2 * 512 * 2, 0),
    "qwen3.5-35b-a3b": (10 * 2 * 512 * 2, 0),
    "qwen3.5-397b-a17b": (15 * 2 * 512 * 2, 0),
}

BEYOND = {
    # what one token more takes in a long context, where windows keep no more
    "gemma-4-26b-a4b": 5 * 2 * 2 * 512 * 2,
    "gpt-oss-120b": 18 * 2 * 512 * 2,
    "gpt-oss-20b": 12 * 2 * 512 * 2,
    "llama-4-maverick": 12 * 2 * 1024 * 2,
    "deepseek-v4-pro": (31 / 128 + 30 / 4) * 512 * 2,
}

STATES = {
    # FP32 matrices of a sequence by hand, and the channels of the BF16 convolutions
    "kimi-k3": (69 * 96 * 128 * 128 * 4, 69 * 3 * 96 * 128),
    "nemotron-3-super": (40 * 128 * 64 * 128 * 4, 40 * (128 * 64 + 2 * 8 * 128)),
    "qwen3-next-80b-a3b": (36 * 32 * 128 * 128 * 4, 36 * (2 * 16 + 32) * 128),
    "qwen3.5-122b-a10b": (36 * 64 * 128 * 128 * 4, 36 * (2 * 16 + 64) * 128),
    "qwen3.5-35b-a3b": (30 * 32 * 128 * 128 * 4, 30 * (2 * 16 + 32) * 128),
    "qwen3.5-397b-a17b": (45 * 64 * 128 * 128 * 4, 45 * (2 * 16 + 64) * 128),
}

STORED = {
    # checkpoints of a stated size, 10^9 bytes: gpt-oss model card (arXiv 2508.10925), sizes of the repositories
    ("gpt-oss-120b", "mxfp4"): 60.8 * 1.073741824,
    ("gpt-oss-20b", "mxfp4"): 12.8 * 1.073741824,
    ("deepseek-r1", "fp8"): 688.6,
    ("qwen3.5-397b-a17b", "fp8"): 406,
    ("qwen3.5-397b-a17b", "mxfp4"): 238,
    ("qwen3.5-397b-a17b", "nvfp4"): 250,
    ("kimi-k2.5", "int4"): 595,
    ("llama-3.1-8b", "bf16"): 16.06,
}


def test_every_model_is_in_the_table() -> None:
    assert SIZES.keys() == set(names("model"))
    assert CACHES.keys() | {"deepseek-v4-pro"} == SIZES.keys()


@pytest.mark.parametrize("name", SIZES)
def test_parameters(name: str) -> None:
    model = load_model(name)
    found, (total, active, said) = figures(model), SIZES[name]
    assert found["total_parameters"] / 1e9 == pytest.approx(total, rel=0.01)
    if active is not None:
        embedding = model.vocabulary * model.hidden if said == "E" else 0
        assert (found["active_parameters"] + embedding) / 1e9 == pytest.approx(active, rel=0.03)


@pytest.mark.parametrize("name", SIZES)
def test_caches_and_states(name: str) -> None:
    found = figures(load_model(name))
    if name in CACHES:
        assert (found["kv_bytes_per_token"], found["index_bytes_per_token"]) == CACHES[name]
    beyond = BEYOND.get(name, found["kv_bytes_per_token"])
    assert found["kv_bytes_per_token_beyond_windows"] == pytest.approx(beyond)
    matrices, channels = STATES.get(name, (0, 0))
    assert found["state_bytes_per_sequence"] == matrices + 3 * channels * 2


@pytest.mark.parametrize(("name", "checkpoint"), STORED)
def test_stored_bytes(name: str, checkpoint: str) -> None:
    found = figures(load_model(name))["weight_bytes"][checkpoint]
    assert found / 1e9 == pytest.approx(STORED[name, checkpoint], rel=0.03)


MADE_FROM = {
    "deepseek-r1": "deepseek-ai/DeepSeek-R1",
    "deepseek-v3.2": "deepseek-ai/DeepSeek-V3.2",
    "deepseek-v4-pro": "deepseek-ai/DeepSeek-V4-Pro",
    "gemma-4-26b-a4b": "google/gemma-4-26B-A4B",
    "glm-4.7": "zai-org/GLM-4.7",
    "glm-5": "zai-org/GLM-5-FP8",
    "glm-5.1": "zai-org/GLM-5.1",
    "glm-5.2": "zai-org/GLM-5.2",
    "gpt-oss-120b": "openai/gpt-oss-120b",
    "gpt-oss-20b": "openai/gpt-oss-20b",
    "kimi-k2.5": "moonshotai/Kimi-K2.5",
    "kimi-k3": "moonshotai/Kimi-K3",
    "llama-3.1-405b": "meta-llama/Llama-3.1-405B",
    "llama-3.1-8b": "meta-llama/Meta-Llama-3.1-8B",
    "llama-3.3-70b": "meta-llama/Meta-Llama-3.1-70B",
    "llama-4-maverick": "meta-llama/Llama-4-Maverick-17B-128E-Instruct",
    "minimax-m2.5": "MiniMaxAI/MiniMax-M2.5",
    "minimax-m3": "MiniMaxAI/MiniMax-M3",
    "mixtral-8x7b": "mistralai/Mixtral-8x7B-v0.1",
    "nemotron-3-super": "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8",
    "qwen3-235b-a22b": "Qwen/Qwen3-235B-A22B-FP8",
    "qwen3-30b-a3b": "Qwen/Qwen3-30B-A3B",
    "qwen3-32b": "Qwen/Qwen3-32B",
    "qwen3-next-80b-a3b": "Qwen/Qwen3-Next-80B-A3B-Instruct",
    "qwen3.5-122b-a10b": "Qwen/Qwen3.5-122B-A10B",
    "qwen3.5-35b-a3b": "Qwen/Qwen3.5-35B-A3B",
    "qwen3.5-397b-a17b": "Qwen/Qwen3.5-397B-A17B",
}
SHAPE = {"hidden", "vocabulary", "context_length", "tied_embedding", "mixers", "feed_forwards", "draft"}


@pytest.mark.parametrize("name", SIZES)
def test_a_shipped_profile_is_that_of_its_configuration(name: str) -> None:
    """The shape as a whole; of the checkpoints the one that the configuration describes, but for its repository."""
    shipped, made = load_model(name), import_model(config(MADE_FROM[name])).model

    def groups(model: Model) -> set[tuple[str | None, str | None, int]]:
        return {(group.mixer, group.feed_forward, group.count) for group in model.layers}

    assert shipped.model_dump(include=SHAPE) == made.model_dump(include=SHAPE)
    assert groups(shipped) == groups(made)
    if name in ("nemotron-3-super", "kimi-k3"):  # whose configurations at hand do not say how they are quantised
        return
    (own,) = made.checkpoints.values()
    beside = {"repository", "source"}
    described = own.model_dump(exclude=beside)
    assert described in [each.model_dump(exclude=beside) for each in shipped.checkpoints.values()]


def test_every_configuration_is_of_a_model_that_ships() -> None:
    text = {path.name for path in CONFIGS.rglob("*.config.json")}
    used = {f"{repository.replace('/', '--')}.config.json" for repository in MADE_FROM.values()}
    assert text - used == {"nvidia--Qwen3.5-397B-A17B-NVFP4.config.json"}


@pytest.mark.parametrize("name", sorted(set(SIZES) - {"qwen3.5-397b-a17b"}))
def test_every_number_names_its_key(name: str) -> None:
    """Those of layers under ``sources``, those of checkpoints in a sentence; what is assumed is said."""
    raw = read_mapping("model", name)
    for block in (raw["mixers"], raw["feed_forwards"]):
        for own in block.values():
            assert own["kind"]
    numbers = profile_of(read_files(config(MADE_FROM[name]))).content["sources"]
    assert raw["sources"] == numbers
    for checkpoint in raw["checkpoints"].values():
        assert len(checkpoint["source"]) > 20
        assert checkpoint["repository"] != "assumed" or "assumed" in checkpoint["source"]


def test_the_index_of_names_is_what_the_profiles_say() -> None:
    """It is read without loading them: every alias and repository of each is found."""
    from simulator.facts.reading import named_model

    for name in names("model"):
        model = load_model(name)
        repositories = {each.repository.lower(): key for key, each in reversed(model.checkpoints.items())}
        for alias in model.aliases:
            found = named_model(alias)
            assert found is not None, alias
            assert found == (name, repositories.get(alias.lower())), alias
        for repository, key in repositories.items():
            if repository != "assumed":
                assert named_model(repository) == (name, key), repository
    assert named_model("assumed") is None


@pytest.mark.parametrize("path", [Path("docs") / "models.md"])
def test_the_page_names_every_model(path: Path) -> None:
    text = (Path(__file__).parents[3] / path).read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([\w.-]+)`", text, re.M)) == set(names("model"))
