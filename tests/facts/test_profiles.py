"""Every shipped profile loads and says where its numbers come from; every kind of fault is named."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import InputError
from simulator.facts.reading import load_engine, load_hardware, load_model, load_recipe, names, read_mapping
from simulator.serving.scenario import make_scenario
from simulator.speculation.published import length_faults, load_acceptance

LOADERS: dict[str, Callable[[str], Any]] = {
    "hardware": load_hardware,
    "model": load_model,
    "engine": load_engine,
    "recipe": load_recipe,
    "acceptance": load_acceptance,
}
SHIPPED = [(kind, name) for kind in LOADERS for name in names(kind)]


def write(tmp_path: Path, raw: Any) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(raw if isinstance(raw, str) else yaml.safe_dump(raw))
    return str(path)


def quantities(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(key path, node) of every quantity, and of every bare number outside one."""
    if isinstance(node, dict) and "value" in node:
        yield path, node
    elif isinstance(node, dict):
        for key, child in node.items():
            yield from quantities(child, f"{path}.{key}")
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield path, node


def test_what_is_shipped() -> None:
    assert set(names("hardware")) == {
        *("mi300x", "mi308x", "mi325x", "mi350x", "mi355x", "mi455x"),
        *("a100", "h100", "h100-pcie", "h200", "b200", "b300", "gb200", "gb300", "l40s", "rtx-pro-6000"),
    }
    assert {"sglang", "atom", "vllm", "trtllm"} <= set(names("engine"))
    assert "qwen3.5-397b-a17b" in names("model")
    assert {"qwen3.5-397b-a17b-thinking", "qwen3.5-397b-a17b-nonthinking"} <= set(names("acceptance"))


@pytest.mark.parametrize(("kind", "name"), SHIPPED)
def test_shipped_profile_loads_under_its_own_name(kind: str, name: str) -> None:
    assert LOADERS[kind](name).name == name


@pytest.mark.parametrize(("kind", "name"), SHIPPED)
def test_every_number_has_a_source(kind: str, name: str) -> None:
    raw = read_mapping(kind, name)
    for path, node in quantities(raw):
        if isinstance(node, dict):
            assert str(node["source"]).strip(), path
        else:
            assert raw.get("source"), f"{path} is a bare number in a file without a source"


@pytest.mark.parametrize("name", names("model"))
def test_the_default_acceptance_of_a_model_exists(name: str) -> None:
    model = load_model(name)
    assert model.default_acceptance in (None, *names("acceptance"))
    assert model.draft is not None or model.default_acceptance is None
    assert all(checkpoint.source for checkpoint in model.checkpoints.values())


def test_mi355x_figures() -> None:
    mi355x = load_hardware("MI355X")
    assert mi355x.hbm_capacity == 288e9
    assert mi355x.hbm_bandwidth == 8e12
    assert mi355x.peak("bf16") == 2516e12
    assert mi355x.peak("fp8") == pytest.approx(256 * 8192 * 2.4e9, rel=1e-4)
    assert mi355x.peak("mxfp4") == mi355x.peak("nvfp4") == 10066e12
    assert (mi355x.scale_up.topology, mi355x.scale_up.bandwidth, mi355x.scale_up.gpus) == ("full_mesh", 76.8e9, 8)
    assert mi355x.all_in_power == 2650
    assert mi355x.board_power == 1400
    assert mi355x.price is not None
    assert (mi355x.price.hyperscaler, mi355x.price.neocloud, mi355x.price.rental) == (1.48, 1.90, 2.10)


def test_the_unknown_is_absent() -> None:
    assert load_hardware("mi350x").price is None
    assert load_hardware("mi350x").all_in_power is None
    assert all(load_hardware(name).peak("mxfp4") is None for name in ("mi300x", "mi325x", "h100", "h200"))
    assert load_hardware("a100").peak("fp8") is None
    assert load_hardware("mi455x").board_power is None
    assert load_hardware("gb300").compute_units is None


GIB = 2**30

SHEETS = {
    # data sheets: HBM bytes, TB/s, dense TFLOP/s in BF16, FP8 and FP4, GB/s one way per GPU, GPUs in the domain, W
    "a100": (80 * GIB, 2.039, 312, None, None, 300, 8, 400),
    "h100-pcie": (80 * GIB, 2.0, 756.5, 1513, None, 64, 8, 350),
    "l40s": (45 * GIB, 0.864, 362, 733, None, 32, 8, 350),
    "rtx-pro-6000": (95.6 * GIB, 1.792, 468, 936, 1871, 64, 8, 600),
    "gb200": (185 * GIB, 8.0, 2500, 5000, 10_000, 900, 72, 1200),
    "gb300": (277.5 * GIB, 8.0, 2500, 5000, 15_000, 900, 72, 1400),
    "mi308x": (192e9, 5.3, 344, 688, None, 7 * 64, 8, 650),
    "mi455x": (432e9, 19.6, 10_000, 20_000, 40_000, 3600, 72, None),
}


@pytest.mark.parametrize("name", SHEETS)
def test_figures_of_the_sheets(name: str) -> None:
    found = load_hardware(name)
    capacity, bandwidth, bf16, fp8, fp4, link, gpus, power = SHEETS[name]
    assert found.hbm_capacity == pytest.approx(capacity)
    assert found.hbm_bandwidth == pytest.approx(bandwidth * 1e12)
    for fmt, peak in (("bf16", bf16), ("fp8", fp8), ("nvfp4", fp4)):
        assert found.peak(fmt) == (None if peak is None else pytest.approx(peak * 1e12))
    links = 1 if found.scale_up.topology == "switch" else gpus - 1
    assert links * found.scale_up.bandwidth == pytest.approx(link * 1e9)
    assert (found.scale_up.gpus, found.board_power) == (gpus, power)
    assert (found.price, found.all_in_power) == (None, None)


def test_mi308x_is_mi300x_with_80_of_304_compute_units() -> None:
    part, whole = load_hardware("mi308x"), load_hardware("mi300x")
    for fmt in ("bf16", "fp8"):
        assert part.peak(fmt) == pytest.approx(whole.peak(fmt) * 80 / 304, rel=1e-3)


GENERATIONS = {
    "ampere": {"a100"},
    "ada": {"l40s"},
    "hopper": {"h100", "h100-pcie", "h200"},
    "blackwell": {"b200", "gb200", "rtx-pro-6000"},
    "blackwell_ultra": {"b300", "gb300"},
    "cdna3": {"mi300x", "mi308x", "mi325x"},
    "cdna4": {"mi350x", "mi355x"},
    "cdna5": {"mi455x"},
}


def test_every_shipped_accelerator_has_its_generation() -> None:
    found: dict[str | None, set[str]] = {}
    for name in names("hardware"):
        found.setdefault(load_hardware(name).architecture, set()).add(name)
    assert found == GENERATIONS


def test_a_file_without_generation_and_aliases_loads(tmp_path: Path) -> None:
    raw = read_mapping("hardware", "h100")
    del raw["architecture"], raw["aliases"]
    found = load_hardware(write(tmp_path, raw))
    assert (found.architecture, found.aliases) == (None, ())


def test_no_two_accelerators_share_a_name() -> None:
    written = [
        re.sub(r"[^a-z0-9]", "", one) for name in names("hardware") for one in (name, *load_hardware(name).aliases)
    ]
    assert len(written) == len(set(written))


def test_unit_of_the_file_decides(tmp_path: Path) -> None:
    raw = read_mapping("hardware", "mi355x")
    raw["hbm_capacity"] = {"value": 100, "unit": "GiB", "source": "test"}
    assert load_hardware(write(tmp_path, raw)).hbm_capacity == 107_374_182_400


GOOD = {"value": 1, "source": "test"}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("hbm_size", 3, "hbm_size: unknown key"),
        ("hbm_bandwidth", {**GOOD, "unit": "TFLOP/s"}, "hbm_bandwidth: unit 'TFLOP/s' is not a unit of bytes/s"),
        (
            "hbm_capacity",
            {**GOOD, "unit": "GiB/s"},
            "hbm_capacity: unit 'GiB/s' is not a unit of bytes; expected one of B",
        ),
        ("hbm_capacity", {**GOOD, "unit": ["GB"]}, "hbm_capacity: unit \"['GB']\" is not a unit"),
        ("hbm_capacity", 288, "hbm_capacity: expected {value, unit, source} with a unit of bytes, found 288"),
        ("hbm_capacity", {"value": 288, "unit": "GB"}, "missing ['source']"),
        ("hbm_capacity", {**GOOD, "unit": "GB", "sauce": 1}, "unknown ['sauce']"),
        ("hbm_capacity", {"value": "much", "unit": "GB", "source": "test"}, "value must be a number, found 'much'"),
        ("hbm_capacity", {"value": True, "unit": "GB", "source": "test"}, "value must be a number, found True"),
        ("hbm_capacity", {"value": -1, "unit": "GB", "source": "test"}, "hbm_capacity: input should be greater than 0"),
        (
            "hbm_capacity",
            {"value": float("nan"), "unit": "GB", "source": "test"},
            "hbm_capacity.value: expected a finite",
        ),
        (
            "compute_units",
            {"value": 256.5, "unit": "count", "source": "test"},
            "compute_units: input should be a valid int",
        ),
        ("architecture", "volta", "architecture: input should be 'ampere', 'ada', 'hopper'"),
        ("aliases", "big one", "aliases: expected a list of names, found 'big one'"),
        ("aliases", ["Big One"], "aliases.0: string should match pattern"),
        ("vendor", "intel", "vendor: input should be 'amd' or 'nvidia', found 'intel'"),
        ("scale_up", 7, "scale_up: "),
        ("name", ["mi355x"], "name: input should be a valid string"),
    ],
)
def test_each_fault_is_named(tmp_path: Path, key: str, value: Any, expected: str) -> None:
    path = write(tmp_path, read_mapping("hardware", "mi355x") | {key: value})
    with pytest.raises(InputError) as caught:
        load_hardware(path)
    assert expected in str(caught.value)
    assert path in str(caught.value)


def test_missing_number(tmp_path: Path) -> None:
    raw = read_mapping("hardware", "mi355x")
    del raw["peak_flops"]["bf16"]
    with pytest.raises(InputError, match=r"peak_flops\.bf16: missing; it is required"):
        load_hardware(write(tmp_path, raw))


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    raw = read_mapping("hardware", "mi355x")
    del raw["hbm_bandwidth"]
    raw["hbm_capacity"]["unit"] = "TB/s"
    raw["scale_up"]["topology"] = "ring"
    raw["colour"] = "red"
    with pytest.raises(InputError) as caught:
        load_hardware(write(tmp_path, raw))
    lines = str(caught.value).splitlines()[1:]
    keys = [re.fullmatch(r"  (?:line \d+: )?([a-z_.]+): .*", line) for line in lines]
    assert sorted(key[1] for key in keys if key) == [
        "colour", "hbm_bandwidth", "hbm_capacity", "scale_up.topology",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", list(LOADERS))
@pytest.mark.parametrize(
    ("text", "expected"),
    [("a: [1", "not valid YAML"), ("- 1", "found a list"), ("", "found nothing"), ("x", "found 'x'")],
)
def test_not_a_mapping(tmp_path: Path, kind: str, text: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        LOADERS[kind](write(tmp_path, text))


@pytest.mark.parametrize("kind", list(LOADERS))
def test_missing_file(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InputError, match="no such file"):
        LOADERS[kind](str(tmp_path / "absent.yaml"))


def test_binary_file(tmp_path: Path) -> None:
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(InputError, match="line 1: byte 0xff is not UTF-8"):
        load_hardware(str(path))


@pytest.mark.parametrize(
    ("kind", "name", "nearest"),
    [
        ("hardware", "MI335X", "mi355x"),
        ("hardware", "h10", "h100"),
        ("model", "qwen3.5-397b-a17", "qwen3.5-397b-a17b"),
        ("engine", "sglan", "sglang"),
        ("acceptance", "qwen3.5-397b-thinking", "qwen3.5-397b-a17b-thinking"),
    ],
)
def test_nearest_match(kind: str, name: str, nearest: str) -> None:
    with pytest.raises(InputError) as caught:
        LOADERS[kind](name)
    assert f"did you mean '{nearest}'" in str(caught.value)


def test_model_faults_name_the_rule(tmp_path: Path) -> None:
    raw = read_mapping("model", "qwen3.5-397b-a17b")
    raw["feed_forwards"]["moe"]["top_k"] = 1000
    with pytest.raises(InputError, match=r"feed_forwards\.moe: top_k: 1000 exceeds experts 512"):
        load_model(write(tmp_path, raw))


def test_profiles_are_frozen() -> None:
    mi355x = load_hardware("mi355x")
    with pytest.raises(ValueError, match="frozen"):
        mi355x.hbm_capacity = 1.0


def test_qwen_acceptance_lengths() -> None:
    profile = load_acceptance("qwen3.5-397b-a17b-thinking")
    assert profile.acceptance_length == {1: 1.93, 2: 2.73, 3: 3.39, 4: 3.97, 5: 4.41, 6: 4.80, 7: 5.04, 8: 5.21}
    assert profile.thinking is True
    other = load_acceptance("qwen3.5-397b-a17b-nonthinking")
    assert (other.acceptance_length[3], other.left_out, other.thinking) == (3.33, {8: 4.71}, False)


def test_acceptance_profiles_carry_every_measured_row() -> None:
    table = resources.files("simulator") / "measurements" / "published" / "acceptance_lengths.csv"
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    profiles = [p for p in map(load_acceptance, names("acceptance")) if p.text == "coding"]
    measured = {
        (r["source"], r["thinking_mode"] == "on", int(r["num_speculative_tokens"]), float(r["acceptance_length"]))
        for r in rows
    }
    shipped = {(p.source, p.thinking, k, v) for p in profiles for k, v in (p.acceptance_length | p.left_out).items()}
    assert shipped == measured
    assert len(shipped) == len(rows)


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ({1: 1.9, 2: 1.8}, "acceptance_length: the length falls from 1.9 at k = 1 to 1.8 at k = 2"),
        ({1: 2.1}, "the length 2.1 at k = 1 is outside [1, 2]"),
        ({1: 0.9}, "the length 0.9 at k = 1 is outside [1, 2]"),
        ({1: 1.5, 3: 2.0}, "without a gap, found 1, 3"),
        ({}, "acceptance_length: "),
        ({1: "many"}, "acceptance_length.1: input should be a valid number"),
        ({1: float("nan")}, "acceptance_length.1: "),
    ],
)
def test_refused_acceptance_tables(tmp_path: Path, lengths: Any, expected: str) -> None:
    raw = read_mapping("acceptance", "qwen3.5-397b-a17b-thinking") | {"acceptance_length": lengths}
    with pytest.raises(InputError) as caught:
        load_acceptance(write(tmp_path, raw))
    assert expected in str(caught.value)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_every_table_made_of_probabilities_is_accepted(probabilities: list[float]) -> None:
    lengths, total, reach = {}, 1.0, 1.0
    for k, probability in enumerate(probabilities, start=1):
        reach *= probability
        total += reach
        lengths[k] = total
    assert length_faults(lengths) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NVIDIA H200", "h200"),
        ("nvidia h200", "h200"),
        ("H-200", "h200"),
        ("AMD Instinct MI355X", "mi355x"),
        ("mi 355x", "mi355x"),
        ("MI355_X", "mi355x"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("H100 SXM", "h100"),
        ("H100 PCIe", "h100-pcie"),
        ("h100", "h100"),
        ("L40S", "l40s"),
        ("RTX PRO 6000", "rtx-pro-6000"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "rtx-pro-6000"),
        ("GB200", "gb200"),
        ("GB200 NVL72", "gb200"),
        ("NVIDIA GB300 NVL72", "gb300"),
        ("AMD Instinct MI308X", "mi308x"),
        ("AMD Instinct MI455X", "mi455x"),
        ("NVIDIA A100-PCIE-40GB", None),
        ("AMD A100-SXM4-80GB", None),
        ("AMD H200", None),
        ("GH200", None),
        ("L40", None),
        ("RTX 4090 H100", None),
        ("NVIDIA", None),
        ("H200 NVL", None),
    ],
)
def test_hardware_by_the_names_that_people_write(name: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(InputError, match="unknown hardware"):
            load_hardware(name)
    else:
        assert load_hardware(name).name == expected


def test_a_precision_that_the_hardware_lacks_names_one_that_it_has() -> None:
    with pytest.raises(InputError, match="--precision fp8 names one"):
        make_scenario(hardware="h100", tp=8)
    assert make_scenario(hardware="h100", tp=8, precision="fp8").deployment.weights.precision == "fp8"


def test_acceptance_belongs_to_a_text_and_has_a_spread() -> None:
    """Random tokens are accepted less than text that the model wrote itself, by 8 to 27 % where both are published."""
    random, coding, gsm8k = (load_acceptance(f"qwen3.5-397b-a17b-{n}") for n in ("random", "thinking", "gsm8k"))
    assert [p.text for p in (random, coding, gsm8k)] == ["random", "coding", "gsm8k"]
    for k, length in random.acceptance_length.items():
        assert random.low[k] < length < random.high[k] < coding.acceptance_length[k]
    assert 2.5 <= random.low[3] < random.high[3] < 3.0
    assert 0.08 <= 1 - random.acceptance_length[3] / gsm8k.acceptance_length[3] <= 0.27
    assert load_model("qwen3.5-397b-a17b").default_acceptance == random.name


@pytest.mark.parametrize("fault", [{"low": {3: 3.0}}, {"high": {3: 2.0}}, {"high": {9: 4.0}}])
def test_a_spread_that_is_none(fault: dict[str, dict[int, float]], tmp_path: Path) -> None:
    raw = read_mapping("acceptance", "qwen3.5-397b-a17b-random") | fault
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(raw), encoding="utf-8")
    with pytest.raises(InputError, match="low"):
        load_acceptance(str(file))
