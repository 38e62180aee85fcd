"""Memory for prompts: what must hold of a cache whatever the numbers are, and sentences from rows made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator import InputError, make_scenario, replay, what_if_cache
from simulator.cli import run
from simulator.plots.drawing import draw
from simulator.what_if.cache_words import hit_rate, sentences
from simulator.what_if.study import Study

TIGHT = make_scenario(tp=2, kv_dtype="bf16", recipe_set=["memory_fraction=0.5"])
SHORT: dict[str, Any] = {"concurrency": [24], "duration": "3min"}


@pytest.fixture(scope="module")
def study() -> Study:
    return what_if_cache(TIGHT, pool_scale=[0.5, 1, 20], host_cache_ratio=[0, 4], **SHORT)


def row_of(study: Study, scale: float, ratio: float) -> Any:
    [row] = [row for row in study.records() if (row["pool_scale"], row["host_cache_ratio"]) == (scale, ratio)]
    return row


@pytest.mark.parametrize("ratio", [0.0, 4.0])
def test_the_pool_as_it_is_gives_the_replay_bit_for_bit(study: Study, ratio: float) -> None:
    alone = replay(TIGHT, host_cache_ratio=ratio or None, intervals=False, **SHORT)
    row = row_of(study, 1.0, ratio)
    for name, value in alone.rows[0].items():
        if name in row:
            assert row[name] == value, name
    assert row["total_tok_s_gpu"] > 0
    assert row["pool_gb"] == alone.meta["pool_gb"]


def test_an_endless_pool_finds_what_is_ideal_and_a_smaller_one_less(study: Study) -> None:
    small, own, endless = (row_of(study, scale, 0.0) for scale in (0.5, 1.0, 20.0))
    assert endless["hit_rate_gpu"] == pytest.approx(endless["hit_rate_ideal"], abs=0.005)
    assert small["hit_rate_gpu"] < own["hit_rate_gpu"] < endless["hit_rate_gpu"] - 0.1
    assert small["total_tok_s_gpu"] < own["total_tok_s_gpu"] < endless["total_tok_s_gpu"]
    assert endless["kv_tokens_capacity"] == 20 * own["kv_tokens_capacity"]


def test_a_host_tier_is_as_large_whatever_the_pool(study: Study) -> None:
    tokens = {row_of(study, scale, 4.0)["host_tokens"] for scale in (0.5, 1.0, 20.0)}
    assert tokens == {4 * row_of(study, 1.0, 0.0)["kv_tokens_capacity"]}
    assert hit_rate(row_of(study, 1.0, 4.0)) > hit_rate(row_of(study, 1.0, 0.0))


def test_states_in_more_places_never_find_less_where_all_fits() -> None:
    """In an endless pool nothing goes: a prompt that parts from another finds a state there, or at a chunk's end."""
    found = what_if_cache(
        TIGHT, pool_scale=[50], host_cache_ratio=[0], states=["chunk_ends", "branches"], **SHORT
    ).records()
    ends, branches = found
    assert (ends["states"], branches["states"]) == ("chunk_ends", "branches")
    assert branches["hit_rate_gpu"] >= ends["hit_rate_gpu"] - 0.002


def test_more_pool_never_lowers_the_hits_of_a_model_without_states() -> None:
    """Among replays whose sizes differ by much: when a request comes hangs on what was found before."""
    plain = make_scenario(model="llama-3.1-8b", precision="bf16", tp=1)
    found = what_if_cache(plain, concurrency=[16], pool_scale=[0.5, 1, 1.5, 4], host_cache_ratio=[0], duration="1min")
    assert found.records()[-1]["hit_rate_gpu"] == found.records()[-1]["hit_rate_ideal"]
    assert not any("tokens that fit" in note for note in found.sentences)
    rates = found.table().column("hit_rate_gpu")
    assert all(row["states"] == "blocks" for row in found.records())
    assert rates == sorted(rates)
    assert rates[0] < rates[-1]


def row(scale: float, ratio: float, found: float, throughput: float, **more: Any) -> dict[str, Any]:
    return {
        "hardware": "h", "engine": "e", "precision": "fp4", "tp": 2, "spec_tokens": 0, "kv_dtype": "fp8",
        "state_dtype": "bf16", "states": "blocks", "concurrency": 16, "pool_scale": scale, "host_cache_ratio": ratio,
        "pool_gb": 100.0 * scale, "host_gb": 100.0 * ratio, "hit_rate_ideal": 0.96, "hit_rate_gpu": found,
        "hit_rate_host": None, "total_tok_s_gpu": throughput, **more,
    }  # fmt: skip


def test_the_sentence_is_computed_from_the_rows() -> None:
    rows = [row(1, 0, 0.41, 1000.0), row(2, 0, 0.67, 1220.0), row(1, 1.5, 0.2, 1350.0, hit_rate_host=0.68)]
    assert sentences(rows) == [
        "at 16 sessions twice the pool (+100 GB of HBM per GPU) raises the hit rate from 41 to 67 % and the throughput "
        "by 22 %; a host tier of ratio 1.5 (+150 GB of host memory per GPU) to 88 % and by 35 %; "
        "host memory buys 11 % more"
    ]


def test_the_least_memory_that_is_as_good_is_named_and_what_buys_nothing() -> None:
    rows = [row(1, 0, 0.41, 1000.0), row(2, 0, 0.9, 2500.0), row(4, 0, 0.9, 2501.0), row(1, 3, 0.41, 1005.0)]
    assert sentences(rows) == [
        "at 16 sessions twice the pool (+100 GB of HBM per GPU) raises the hit rate from 41 to 90 % and the throughput "
        "2.5-fold; a host tier adds less than 1 % to the throughput"
    ]
    idle = [row(1, 0, 0.9, 1000.0), row(2, 0, 0.9, 1001.0)]
    more = [{**one, "concurrency": 32} for one in idle]
    assert sentences([*idle, *more]) == ["at 16 and 32 sessions a larger pool adds no more than 1 %"]


def test_replicas_are_told_apart() -> None:
    rows = [row(1, 0, 0.9, 1000.0), row(1, 0, 0.3, 400.0, kv_dtype="bf16")]
    assert sentences(rows) == ["at 16 sessions KV fp8 delivers most without buying any: 1,000 tok/s/GPU, 90 % found"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"pool_scale": [0]}, "--pool-scale: expected numbers from 0.001 to 1000, found 0"),
        ({"pool_scale": []}, "--pool-scale: expected numbers from 0.001 to 1000, found none"),
        ({"host_cache_ratio": [-1]}, "--host-cache-ratio: expected numbers from 0"),
        ({"concurrency": []}, "--concurrency: expected at least one value"),
        ({"states": ["nowhere"]}, "nowhere"),
        ({"pool_scale": [0.001]}, "no request of"),
    ],
)
def test_bad_input_is_told(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said.replace("(", "\\(")):
        what_if_cache(TIGHT, **{"concurrency": [1], "duration": 1.0, "host_cache_ratio": [0], **arguments})


def test_what_does_not_fit_is_left_out_and_told() -> None:
    found = what_if_cache(TIGHT, concurrency=[1], pool_scale=[0.001, 1], host_cache_ratio=[0], duration="10s")
    assert [one["pool_scale"] for one in found.records()] == [1.0]
    assert "pool x 0.001, host ratio 0: left out: no request" in found.meta["left_out"][0]


def test_the_command_crosses_formats_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = "what-if cache --concurrency 2 --duration 10s --across-kv-dtype fp8,bf16 --across-state-dtype bf16,fp32"
    assert run([*line.split(), "--pool-scale", "1", "--format", "csv", "--plot", str(tmp_path / "c.png")]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 1 + 2 * 2 * 2
    assert (tmp_path / "c.png").stat().st_size > 1_000


def test_the_picture_is_over_what_varies(study: Study) -> None:
    top = draw(study).axes[0]
    assert top.get_title(loc="left") == "24 live sessions"
    only = what_if_cache(TIGHT, pool_scale=[1], host_cache_ratio=[0, 4], concurrency=[2], duration="10s")
    assert any("Host memory" in axes.get_xlabel() for axes in draw(only).axes)
