"""Recipes: what published runs were launched with, and which run gets which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from simulator.errors import InputError
from simulator.facts.launch import resolve_recipe, settings_of
from simulator.facts.reading import load_engine, load_hardware, load_recipe, names, read_mapping
from simulator.facts.recipe import applied
from simulator.serving.scenario import Scenario, make_scenario
from simulator.speculation.acceptance import OFF
from simulator.what_if.gain import off_of

TP = {"tp": 8}

TABLE: list[tuple[str, str, int, int, tuple[int, int], float, str, str, int | None]] = [
    # hardware, precision, mtp, chunk, polls of 8 and of 64 clients, memory fraction, KV, state, max running
    ("b200", "bf16", 0, 32768, (10, 30), 0.82, "bf16", "fp32", 128),
    ("b300", "bf16", 3, 32768, (10, 30), 0.82, "bf16", "fp32", 128),
    ("b200", "fp8", 0, 32768, (10, 30), 0.82, "fp8", "bf16", 128),
    ("b200", "fp8", 3, 32768, (10, 30), 0.80, "fp8", "bf16", None),
    ("b300", "fp8", 0, 16384, (10, 10), 0.80, "fp8", "bf16", None),
    ("b300", "fp8", 3, 16384, (10, 10), 0.80, "fp8", "bf16", None),
    ("h200", "fp8", 0, 16384, (1, 1), 0.80, "fp8", "bf16", 128),
    ("b200", "fp4", 0, 32768, (30, 30), 0.85, "fp8", "fp32", None),
    ("b300", "fp4", 0, 32768, (10, 30), 0.80, "fp8", "bf16", 128),
    ("mi355x", "fp8", 0, 32768, (30, 30), 0.80, "bf16", "fp32", None),
    ("mi355x", "fp8", 3, 32768, (30, 30), 0.80, "bf16", "fp32", None),
    ("mi355x", "fp4", 0, 32768, (1, 1), 0.80, "fp8", "bf16", None),
    ("mi355x", "fp4", 3, 32768, (1, 1), 0.80, "fp8", "bf16", None),
]
"""InferenceX recipes by hardware: how published runs launch SGLang."""


def launched(hardware: str, precision: str, mtp: int = 0, **more: Any) -> Scenario:
    return make_scenario(hardware=hardware, precision=precision, mtp=mtp, **{**TP, **more})


@pytest.mark.parametrize(
    ("hardware", "precision", "mtp", "chunk", "polls", "memory", "kv", "state", "running"),
    TABLE,
    ids=[f"{row[0]}-{row[1]}-{row[2]}" for row in TABLE],
)
def test_a_run_is_launched_as_published(
    hardware: str,
    precision: str,
    mtp: int,
    chunk: int,
    polls: tuple[int, int],
    memory: float,
    kv: str,
    state: str,
    running: int | None,
) -> None:
    engine = launched(hardware, precision, mtp, calibration="kernel-priors").deployment.engine
    assert (engine.chunk_tokens, (engine.polls(8), engine.polls(64))) == (chunk, polls)
    assert engine.polls(15) == polls[0]
    assert engine.polls(16) == polls[1]
    assert (engine.memory_fraction, engine.kv_dtype, engine.state_dtype) == (memory, kv, state)
    assert engine.max_running == running
    assert engine.fused_shared_expert == (hardware == "mi355x")
    assert engine.all_reduce_format == ("int8" if (hardware, precision) == ("mi355x", "fp4") else "bf16")


@pytest.mark.parametrize(
    ("precision", "day", "expected"),
    [
        ("fp4", "2026-04-10", {"chunk_tokens": 16384, "kv_dtype": "bf16", "state_dtype": "fp32"}),
        ("fp4", "2026-07-15", {"state_dtype": "fp32", "all_reduce_format": "bf16"}),
        ("fp4", "2026-07-16", {"state_dtype": "bf16", "kv_dtype": "bf16"}),
        ("fp4", "2026-08-28", {"kv_dtype": "bf16", "all_reduce_format": "bf16", "chunk_tokens": 16384}),
        ("fp4", "2026-08-29", {"kv_dtype": "fp8", "all_reduce_format": "int8", "chunk_tokens": 32768}),
        ("fp8", "2026-02-20", {"poll_steps": 30, "fused_shared_expert": False}),
        ("fp8", "2026-09-14", {"poll_steps": 30, "kv_dtype": "bf16", "fused_shared_expert": True}),
        ("bf16", "2026-02-17", {"fused_shared_expert": False, "kv_dtype": "bf16"}),
        ("bf16", "2026-07-01", {"fused_shared_expert": True, "draft_overlap": False}),
    ],
)
def test_the_day_decides_on_mi355x(precision: str, day: str, expected: dict[str, Any]) -> None:
    found = resolve_recipe("sglang", load_hardware("mi355x"), precision, False, day)
    assert found is not None
    engine = applied(load_engine("sglang"), found.settings)
    assert {key: getattr(engine, key) for key in expected} == expected


def test_of_one_address_the_latest_that_had_begun_is_taken() -> None:
    days = sorted({one.address.since for one in map(load_recipe, names("recipe")) if one.address.since})
    for day in days:
        found = resolve_recipe("sglang", load_hardware("mi355x"), "fp4", True, day)
        assert found is not None
        assert (found.address.since or "") <= day
        assert found.by_rule


def test_before_any_recipe_of_a_vendor_only_what_has_no_day_is_left() -> None:
    found = resolve_recipe("sglang", load_hardware("mi300x"), "fp8", False, "2025-06-01")
    assert found is not None
    assert (found.name, found.settings.stated()) == ("sglang-amd", {"fused_shared_expert": True})


@pytest.mark.parametrize(
    ("hardware", "precision", "chunk", "poll", "kv"),
    [
        ("h100", "fp8", 16384, 1, "fp8"),
        ("h100", "bf16", 32768, 10, "bf16"),
        ("mi300x", "fp8", 32768, 30, "bf16"),
        ("mi325x", "bf16", 16384, 1, "bf16"),
        ("mi350x", "fp4", 32768, 1, "fp8"),
    ],
)
def test_hardware_without_a_recipe_takes_that_of_its_vendor_and_precision(
    hardware: str, precision: str, chunk: int, poll: int, kv: str
) -> None:
    device = load_hardware(hardware)
    found = resolve_recipe("sglang", device, precision, False)
    assert found is not None
    assert found.address.precision == [precision]
    assert found.address.vendor == device.vendor or hardware in found.address.hardware
    stated = found.settings.stated()
    assert (stated["chunk_tokens"], stated["poll_steps"], stated["kv_dtype"]) == (chunk, poll, kv)


def test_an_image_beats_the_day() -> None:
    mi355x = load_hardware("mi355x")
    image = "lmsysorg/sglang-rocm:v0.5.19-rocm720-mi35x-20260913"
    early, late = (resolve_recipe("sglang", mi355x, "fp4", False, day, image) for day in ("2026-05-01", None))
    assert early is not None
    assert early == late
    assert early.settings.all_reduce_format == "int8"
    old = resolve_recipe("sglang", mi355x, "fp4", False, None, "lmsysorg/sglang:v0.5.15-rocm720")
    assert old is not None
    assert old.name == "sglang-mi355x-fp4-2026-07"


def test_a_recipe_only_for_those_who_name_it_never_comes_by_rule() -> None:
    named = [one for one in map(load_recipe, names("recipe")) if not one.by_rule]
    assert {"int4"} <= {one.settings.all_reduce_format for one in named}
    for one in named:
        precision = (one.address.precision or ["fp4"])[0]
        for mtp in (False, True):
            for hardware in one.address.hardware:
                found = resolve_recipe(one.address.engine, load_hardware(hardware), precision, mtp, "2027-01-01")
                assert found is None or found.name != one.name


def test_an_engine_of_the_user_has_no_recipe_but_a_named_one(tmp_path: Path) -> None:
    raw = read_mapping("engine", "sglang") | {"chunk_tokens": 4096}
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump(raw))
    own = launched("mi355x", "fp8", engine=str(mine)).deployment
    assert (own.launch.recipe, own.engine.chunk_tokens, own.engine.poll_steps) == (None, 4096, 1)
    named = launched("mi355x", "fp8", engine=str(mine), recipe="sglang-mi355x-fp8-2026-06").deployment
    assert (named.engine.chunk_tokens, named.engine.poll_steps, named.launch.by_rule) == (32768, 30, False)


def test_without_a_recipe_the_engine_is_as_its_profile_says() -> None:
    found = launched("b200", "fp8", recipe="none").deployment
    assert found.engine == load_engine("sglang")
    assert (found.launch.recipe, found.launch.by_rule) == (None, False)


def test_a_recipe_of_the_user(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "name: mine\naddress: {engine: sglang}\nsettings: {chunk_tokens: 2048, poll_steps: 7}\nsource: measured\n"
    )
    d = launched("b200", "fp8", recipe=str(mine)).deployment
    assert (d.launch.recipe, d.engine.chunk_tokens) == ("mine", 2048)
    assert d.engine.polls(8) == d.engine.polls(512) == 7
    mine.write_text("name: mine\naddress: {engine: sglang, since: 29 August}\nsettings: {chunk: 2048}\nsource: s\n")
    with pytest.raises(InputError) as caught:
        load_recipe(str(mine))
    assert "settings.chunk: unknown key" in str(caught.value)
    assert "address.since: expected a day such as 2026-08-29, found '29 August'" in str(caught.value)


def test_one_setting_over_those_of_the_recipe() -> None:
    before = launched("b200", "fp8").deployment.engine
    after = launched("b200", "fp8", recipe_set=["chunk_tokens=8192", "memory_fraction=0.7"]).deployment
    changed = {"chunk_tokens": 8192, "memory_fraction": 0.7}
    assert after.engine == before.model_copy(update=changed)
    assert after.launch.changes == changed
    assert launched("b200", "fp8", recipe_set=changed).deployment.engine == after.engine
    one = launched("b200", "fp8", recipe_set=["poll_steps=5"]).deployment.engine
    assert one.polls(8) == one.polls(256) == 5
    later = launched("b200", "fp8", recipe_set=["many_clients=100"]).deployment.engine
    assert (later.polls(64), later.polls(100)) == (10, 30)


@pytest.mark.parametrize(
    ("setting", "answer"),
    [
        ("chunk_tokens", "expected KEY=VALUE such as chunk_tokens=8192, found 'chunk_tokens'"),
        ("chunk=1", "unknown setting 'chunk'; did you mean 'chunk_tokens'?"),
        ("chunk_tokens=1", "chunk_tokens: 1 is implausible; expected 16"),
        ("chunk_tokens=many", "chunk_tokens: input should be a valid integer, found 'many'"),
        ("chunk_tokens=0.5", "chunk_tokens: input should be a valid integer, found 0.5"),
        ("memory_fraction=80", "memory_fraction: input should be less than or equal to 1, found 80"),
        ("kv_dtype=fp3", "kv_dtype: input should be 'bf16', 'fp8'"),
        ("lookahead=3", "lookahead: input should be a valid boolean, found 3"),
        ("all_reduce_format=int5", "all_reduce_format: input should be 'bf16', 'int8', 'int6' or 'int4'"),
        ("max_running=0", "max_running: input should be greater than 0, found 0"),
    ],
)
def test_a_setting_that_cannot_be(setting: str, answer: str) -> None:
    with pytest.raises(InputError) as caught:
        launched("b200", "fp8", recipe_set=[setting])
    assert "--recipe-set" in str(caught.value)
    assert answer in str(caught.value)


def test_polls_for_many_clients_need_their_number() -> None:
    with pytest.raises(InputError, match="poll_steps_many and many_clients: expected both or neither"):
        launched("mi355x", "fp8", recipe_set=["many_clients=8"])
    with pytest.raises(InputError, match="set twice"):
        settings_of(["chunk_tokens=1024", "chunk_tokens=2048"])


@pytest.mark.parametrize(
    ("name", "answer"), [("sglang-mi355x-fp9", "unknown recipe"), ("atom-mi355x", "it launches atom, expected one for")]
)
def test_a_recipe_that_is_none_of_this_engine(name: str, answer: str) -> None:
    with pytest.raises(InputError, match=answer):
        launched("mi355x", "fp4", recipe=name)


def test_drafts_choose_their_own_recipe_also_where_a_study_switches_them_off() -> None:
    on = launched("b200", "fp8", 3)
    assert on.deployment.launch.recipe == "sglang-b200-fp8-mtp"
    off = off_of(on)
    assert off.deployment.launch.recipe == "sglang-b200-fp8"
    assert off.deployment == launched("b200", "fp8").deployment
    named = launched("b200", "fp8", 3, recipe="sglang-b200-fp8-mtp", recipe_set=["poll_steps=2"])
    assert off_of(named).deployment is named.deployment
    changed = off_of(launched("b200", "fp8", 3, recipe_set=["poll_steps=2"])).deployment
    assert (changed.launch.recipe, changed.engine.polls(256)) == ("sglang-b200-fp8", 2)


@pytest.mark.parametrize(
    ("hardware", "engine", "checkpoint", "fused"),
    [
        ("mi355x", "sglang", "fp8", True),
        ("mi355x", "sglang", "mxfp4-attnfp8", True),
        ("mi355x", "sglang", "mxfp4", False),  # its shared expert is BF16, its others are not
        ("mi355x", "atom", "fp8", True),
        ("b200", "sglang", "fp8", False),
        ("h200", "sglang", "bf16", False),
        ("b200", "vllm", "fp8", False),
        ("b200", "trtllm", "fp8", False),
    ],
)
def test_engine_and_hardware_decide_whether_the_shared_expert_is_fused(
    hardware: str, engine: str, checkpoint: str, fused: bool
) -> None:
    scenario = make_scenario(hardware=hardware, engine=engine, checkpoint=checkpoint, tp=8)
    assert scenario.deployment.fused_shared_expert is fused


@pytest.mark.parametrize("name", ["TRT-LLM", "TensorRT-LLM", "trtllm", "tensorrt llm"])
def test_trtllm_by_the_names_that_rows_have(name: str) -> None:
    engine = load_engine(name)
    assert (engine.name, engine.policy, engine.chunk_tokens, engine.kv_dtype) == (
        "trtllm",
        "shared_budget",
        8192,
        "fp8",
    )


def test_an_old_engine_file_is_told_where_recipes_are(tmp_path: Path) -> None:
    mine = tmp_path / "old.yaml"
    mine.write_text(yaml.safe_dump(read_mapping("engine", "vllm") | {"recipes": {"fp8": {"poll_steps": 30}}}))
    with pytest.raises(InputError, match="--recipe names one"):
        load_engine(str(mine))


def test_a_calibration_brings_the_recipe_of_its_runs() -> None:
    """The page of June is fitted with the recipe of June, and so is what it predicts; a name goes before."""
    for mtp in (0, 3):
        page = launched("mi355x", "fp4", mtp, tp=2, calibration="inferencex-mi355x-fp4-1k1k")
        assert page.deployment.launch.recipe == "sglang-mi355x-fp4-2026-06"
    named = launched(
        "mi355x", "fp4", 0, tp=2, calibration="inferencex-mi355x-fp4-1k1k", recipe="sglang-mi355x-fp4-2026-08"
    )
    assert named.deployment.launch.recipe == "sglang-mi355x-fp4-2026-08"
    september = launched("mi355x", "fp4", 0, calibration="sglang-mi355x-fp4-2026-09")
    assert september.deployment.launch.recipe == "sglang-mi355x-fp4-2026-08"
    assert page.drafting(OFF).deployment.launch.recipe == "sglang-mi355x-fp4-2026-06"
