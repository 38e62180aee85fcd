"""Every number of every kind of profile has a plausible range; what ships, and what is to come, lies inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from simulator.cost.calibration import Calibration, load_calibration
from simulator.errors import InputError
from simulator.facts.engine import Engine
from simulator.facts.hardware import Hardware
from simulator.facts.model import Model
from simulator.facts.plausible import Plausible, implausible
from simulator.facts.quantities import MOST
from simulator.facts.reading import load_engine, load_hardware, load_model, load_recipe, names, read_mapping
from simulator.facts.recipe import Recipe
from simulator.files.limits import limits
from simulator.speculation.published import AcceptanceProfile, load_acceptance

LOADERS: dict[str, Callable[[str], BaseModel]] = {
    "hardware": load_hardware,
    "model": load_model,
    "engine": load_engine,
    "recipe": load_recipe,
    "acceptance": load_acceptance,
    "calibration": load_calibration,
}
NO_RANGE = frozenset(
    {
        "Calibration.format",  # 1
        "Calibration.errors",  # checked to be finite; reported, never computed with
        "FittedValue.value",  # each parameter has bounds of its own
        "FittedValue.prior",
        "PriorValue.value",
        "Covariance.matrix",  # against itself and the standard errors
        "DataSource.rows",  # line numbers
    }
)


def kinds(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from kinds(part)


def fields(spec: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """Every field of a specification and of those inside it."""
    for name, field in spec.model_fields.items():
        yield f"{spec.__name__}.{name}", field
        for kind in kinds(field.annotation):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from fields(kind)


@pytest.mark.parametrize("spec", [Hardware, Model, Engine, Recipe, AcceptanceProfile, Calibration])
def test_every_number_declares_its_range(spec: type[BaseModel]) -> None:
    bare = [
        name
        for name, field in fields(spec)
        if {int, float} & {kind for kind in kinds(field.annotation) if isinstance(kind, type)}
        and not any(isinstance(mark, Plausible) for mark in field.metadata)
    ]
    assert sorted(set(bare) - NO_RANGE) == []


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in LOADERS for name in names(kind)])
def test_what_ships_is_plausible(kind: str, name: str) -> None:
    assert implausible(LOADERS[kind](name), read_mapping(kind, name)) == []


def written(tmp_path: Path, kind: str, name: str, *changes: tuple[str, Any]) -> str:
    """A shipped profile with some keys changed."""
    raw: Any = yaml.safe_load(yaml.safe_dump(read_mapping(kind, name)))
    for keys, value in changes:
        *above, last = keys.split(".")
        node = raw
        for key in above:
            node = node[int(key) if isinstance(node, list) else key]
        node[last] = value
    path = tmp_path / f"{kind}.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return str(path)


def quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "source": "test"}


SLIPS = [
    ("hardware", "mi355x", "hbm_bandwidth", quantity(8, "GB/s"), "8 GB/s is implausible; expected 100 to 100,000 GB/s"),
    (
        "hardware",
        "mi355x",
        "hbm_bandwidth",
        quantity(8000, "TB/s"),
        "8,000 TB/s is implausible; expected 0.1 to 100",
    ),
    (
        "hardware",
        "mi355x",
        "hbm_capacity",
        quantity(288, "MB"),
        "288 MB is implausible; expected 8,000 to 2,000,000",
    ),
    ("hardware", "mi355x", "peak_flops.fp8", quantity(5, "TFLOP/s"), "5 TFLOP/s is implausible"),
    ("hardware", "mi355x", "scale_up.bandwidth", quantity(76.8, "B/s"), "76.8 B/s is implausible"),
    ("hardware", "mi355x", "board_power", quantity(1400, "kW"), "1,400 kW is implausible; expected 0.05 to 10 kW"),
    ("hardware", "mi355x", "all_in_power", quantity(2.65, "MW"), "2.65 MW is implausible"),
    ("hardware", "mi355x", "price.rental", quantity(5000, "USD/h"), "5,000 USD/h is implausible; expected 0.05 to 200"),
    ("hardware", "mi355x", "compute_units", quantity(10**6, "count"), "1,000,000 is implausible; expected 1 to 10,000"),
    ("model", "qwen3.5-397b-a17b", "hidden", 4, "4 is implausible; expected 64 to 131,072"),
    ("model", "qwen3.5-397b-a17b", "feed_forwards.moe.experts", 512_000, "512,000 is implausible"),
    ("model", "qwen3.5-397b-a17b", "mixers.attention.head_dim", 1, "1 is implausible"),
    ("engine", "sglang", "chunk_tokens", 1, "1 is implausible; expected 16 to 10,000,000"),
    ("engine", "sglang", "memory_fraction", quantity(0.8, "percent"), "0.8 percent is implausible; expected 30 to 100"),
    ("recipe", "sglang-b200-fp8", "settings.poll_steps", 10**6, "1,000,000 is implausible"),
    ("recipe", "sglang-b200-fp8", "settings.max_running", 10**7, "10,000,000 is implausible"),
    ("engine", "sglang", "speculation.state_moves", 1000, "1,000 is implausible"),
]


@pytest.mark.parametrize(("kind", "name", "keys", "value", "answer"), SLIPS, ids=[f"{s[2]}-{s[4][:12]}" for s in SLIPS])
def test_a_slip_is_refused_until_someone_insists(
    tmp_path: Path, kind: str, name: str, keys: str, value: Any, answer: str
) -> None:
    path = written(tmp_path, kind, name, (keys, value))
    with pytest.raises(InputError) as caught:
        LOADERS[kind](path)
    said = str(caught.value)
    assert path in said
    line = 1 + next(
        i for i, text in enumerate(Path(path).read_text().splitlines()) if f"{keys.split('.')[-1]}:" in text
    )
    if keys.count(".") == 0:
        assert f"  line {line}: {keys}: " in said
    assert f"{keys}: {answer}" in said
    assert "--allow-implausible" in said
    with limits(implausible=True):
        LOADERS[kind](path)


ZERO_IS_NONE = [
    ("engine", "sglang", "workspace", quantity(0, "GB")),
    ("engine", "sglang", "speculation.state_moves", 0),
]


@pytest.mark.parametrize(("kind", "name", "keys", "value"), ZERO_IS_NONE)
def test_zero_means_none_where_it_may(tmp_path: Path, kind: str, name: str, keys: str, value: Any) -> None:
    LOADERS[kind](written(tmp_path, kind, name, (keys, value)))


ACCELERATORS = {
    # data sheets, dense rates: GB, TB/s, BF16 TFLOP/s, links GB/s, GPUs in the domain, W
    "l40s": (48, 0.864, 362, 32, 1, 350),
    "rtx-pro-6000": (96, 1.792, 503, 64, 1, 600),
    "dgx-spark": (128, 0.273, 62.5, 25, 2, 140),
    "gb300-nvl72": (288, 8.0, 2500, 900, 72, 1400),
    "rubin-ultra-nvl576": (1024, 32.0, 25_000, 3600, 576, 3600),
    "tpu-pod": (192, 7.4, 2307, 600, 9216, 1000),
}


@pytest.mark.parametrize("name", ACCELERATORS)
def test_smaller_and_later_accelerators_are_plausible(tmp_path: Path, name: str) -> None:
    capacity, bandwidth, peak, link, gpus, power = ACCELERATORS[name]
    found = load_hardware(
        written(
            tmp_path, "hardware", "mi355x",
            ("hbm_capacity", quantity(capacity, "GB")), ("hbm_bandwidth", quantity(bandwidth, "TB/s")),
            ("peak_flops.bf16", quantity(peak, "TFLOP/s")), ("peak_flops.fp8", quantity(2 * peak, "TFLOP/s")),
            ("peak_flops.fp4", quantity(4 * peak, "TFLOP/s")), ("scale_up.bandwidth", quantity(link, "GB/s")),
            ("scale_up.gpus", quantity(gpus, "count")), ("board_power", quantity(power, "W")),
        )
    )  # fmt: skip
    assert found.scale_up.gpus == gpus


MODELS = {
    # hidden, layers, vocabulary, query heads, KV heads, head dim, experts, top k, intermediate: about 1 B to 10 T
    "small": (1024, 16, 32_000, 16, 4, 64, 8, 2, 512),
    "gpt-oss": (2880, 36, 201_088, 64, 8, 64, 128, 4, 2880),
    "deepseek": (7168, 61, 129_280, 128, 128, 192, 256, 8, 2048),
    "ten-trillion": (16_384, 128, 512_000, 256, 16, 256, 1024, 16, 1536),
}


@pytest.mark.parametrize("name", MODELS)
def test_smaller_and_larger_models_are_plausible(tmp_path: Path, name: str) -> None:
    keys = (
        *("hidden", "layers.0.count", "vocabulary"),
        *(f"mixers.attention.{size}" for size in ("query_heads", "kv_heads", "head_dim")),
        *(f"feed_forwards.moe.{size}" for size in ("experts", "top_k", "intermediate")),
    )
    changes = dict(zip(keys, MODELS[name], strict=True))
    assert load_model(written(tmp_path, "model", "qwen3.5-397b-a17b", *changes.items())).hidden == changes["hidden"]


@pytest.mark.parametrize("value", [MOST + 1, 9_007_199_254_740_993, 10**18, 10**29])
@pytest.mark.parametrize(
    "keys",
    ["mixers.attention.kv_heads", "layers.1.count", "draft.layers", "feed_forwards.moe.experts", "vocabulary"],
)
def test_no_one_can_insist_on_what_overflows(tmp_path: Path, keys: str, value: int) -> None:
    path = written(tmp_path, "model", "qwen3.5-397b-a17b", (keys, value))
    with limits(implausible=True), pytest.raises(InputError, match=f"{keys}: input should be less than or equal"):
        load_model(path)


@pytest.mark.parametrize("value", [1e-300, 5e-324, 1e30, -8.0, 0.0])
def test_no_one_can_insist_on_what_cannot_be_computed_with(tmp_path: Path, value: float) -> None:
    path = written(tmp_path, "hardware", "mi355x", ("hbm_bandwidth", quantity(value, "TB/s")))
    with limits(implausible=True), pytest.raises(InputError, match=r"line \d+: hbm_bandwidth"):
        load_hardware(path)


def test_truths_and_texts_are_no_numbers(tmp_path: Path) -> None:
    for value in (True, "60", 60.5):
        with pytest.raises(InputError, match=r"layers\.0\.count: input should be a valid integer"):
            load_model(written(tmp_path, "model", "qwen3.5-397b-a17b", ("layers.0.count", value)))
