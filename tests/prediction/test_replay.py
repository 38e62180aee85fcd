"""Replayed sessions from the outside: what must hold whatever the numbers are."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from simulator import InputError, make_scenario, replay
from simulator.serving.replay import recorded
from simulator.traffic.session_files import shipped_sessions

SMALL = make_scenario(tp=2, kv_dtype="bf16", recipe_set=["memory_fraction=0.5"])
"""So little memory that the cache cannot hold many sessions."""
SHORT: dict[str, Any] = {"duration": "10min", "intervals": False}


@pytest.fixture(scope="module")
def found() -> Any:
    return replay(SMALL, concurrency=[2, 8, 16], **SHORT)


def test_hits_are_between_none_and_the_ideal(found: Any) -> None:
    for row in found.rows:
        assert 0 <= row["hit_rate_gpu"] <= row["hit_rate_ideal"] < 1
        assert row["hit_rate_host"] is None
    few, _some, many = found.column("hit_rate_gpu")
    assert few > 0.9 > 0.5 > many


def test_cached_and_computed_input_are_all_input(found: Any) -> None:
    for row, run in zip(found.rows, found.runs, strict=True):
        of_input = 1 - row["hit_rate_gpu"]
        on = run.counted
        total = row["total_tok_s_gpu"] - row["output_tok_s_gpu"]
        assert row["uncached_tok_s_gpu"] == pytest.approx(of_input * total)
        assert (run.gpu + run.host < run.prompt).all()
        assert row["requests"] == on.sum()
        assert (run.first[on] > run.send[on]).all()
        assert (run.finish[on] >= run.first[on]).all()


def test_littles_law_over_sessions(found: Any) -> None:
    """Each of N lanes is always busy, so over any time their plays last N times as long."""
    for row, run in zip(found.rows, found.runs, strict=True):
        start, end, lane = run.plays["start"], run.plays["end"], run.plays["lane"]
        for one in range(row["concurrency"]):
            mine = np.flatnonzero(lane == one)
            assert (end[mine[:-1]] == start[mine[1:]]).all()
            assert start[mine[0]] == 0.0


def test_a_host_tier_finds_what_the_gpus_dropped(found: Any) -> None:
    with_host = replay(SMALL, concurrency=[16], host_cache_ratio=4.0, **SHORT).rows[0]
    without = found.rows[2]
    assert with_host["hit_rate_host"] > 0
    assert with_host["hit_rate_gpu"] + with_host["hit_rate_host"] <= with_host["hit_rate_ideal"]
    assert with_host["hit_rate_gpu"] + with_host["hit_rate_host"] >= without["hit_rate_gpu"]


def test_without_a_cache_nothing_is_found(found: Any) -> None:
    row = replay(SMALL, concurrency=[2], prefix_cache="off", **SHORT).rows[0]
    assert row["hit_rate_gpu"] == 0
    assert row["hit_rate_ideal"] > 0.9
    assert row["total_tok_s_gpu"] < found.rows[0]["total_tok_s_gpu"]


def test_the_same_seed_gives_the_same_numbers_alone_and_among_others(found: Any) -> None:
    assert replay(SMALL, concurrency=[8], **SHORT).rows[0] == found.rows[1]
    assert replay(SMALL, concurrency=[8], seed=1, **SHORT).rows[0] != found.rows[1]


def test_intervals_hold_the_value() -> None:
    row = replay(SMALL, concurrency=[2], duration="2min").rows[0]
    for name in ("total_tok_s_gpu", "mean_ttft_ms", "mean_tpot_ms", "p90_interactivity_tok_s_user"):
        assert row[f"{name}_lo"] < row[name] < row[f"{name}_hi"]
    assert row["scope"] == "unmeasured"


def test_blocks_are_numbered_without_gaps() -> None:
    sessions = shipped_sessions()
    flat = recorded(sessions, 10.0)
    paths, at = flat.paths, 0
    for number, session in enumerate(sessions.items[:5]):
        before = [session.blocks(i).tolist() for i in range(session.count)]
        new = {}
        for i, ids in enumerate(before):
            runs = range(paths.of[at + i], paths.of[at + i + 1])
            mine = [b for k in runs for b in range(paths.first[k], paths.first[k] + paths.size[k])]
            assert len(mine) == len(ids)
            for one, other in zip(ids, mine, strict=True):
                assert new.setdefault(one, other) == other
        assert sorted(new.values()) == list(range(len(new)))
        assert flat.blocks[number] == len(new)
        at += session.count


def test_requests_wait_for_those_before_them() -> None:
    sessions = shipped_sessions()
    flat = recorded(sessions, 10.0)
    assert flat.waits.sum() == flat.after.size == flat.delay.size
    assert flat.delay.max() <= 10.0
    for low, high in itertools.pairwise(flat.begins.tolist()):
        for i in range(low, high):
            later = flat.after[flat.after_of[i] : flat.after_of[i + 1]]
            assert ((later > i) & (later < high)).all()
            assert (flat.at[later] >= flat.at[i]).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"concurrency": [0]}, "--concurrency: expected whole numbers"),
        ({"prefix_cache": "maybe"}, "--prefix-cache: expected on or off, found 'maybe'"),
        ({"host_cache_ratio": 1.0, "host_cache_gb": 1.0}, "expected one way to state host memory"),
        ({"host_cache_ratio": -1.0}, "--host-cache-ratio: expected a number from 0"),
        ({"host_cache_gb": float("nan")}, "--host-cache-gb: expected"),
        ({"prefix_cache": "off", "host_cache_gb": 1.0}, "expected --prefix-cache on"),
        ({"duration": 0.0}, "--duration: expected"),
        ({"think_cap": -1.0}, "--think-cap: expected"),
        ({"seed": -1}, "--seed: expected"),
        ({"cost_basis": "free"}, "cost basis"),
        ({"concurrency": [1_000_000], "duration": 1e6}, "--concurrency times --duration"),
    ],
)
def test_bad_input_is_told(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as fault:
        replay(SMALL, **{"concurrency": [1], "duration": 10.0, "intervals": False, **arguments})
    assert said in str(fault.value)


def test_requests_that_do_not_fit_are_left_out_and_told() -> None:
    tight = make_scenario(tp=2, kv_dtype="bf16", recipe_set=["memory_fraction=0.385"])
    row = replay(tight, concurrency=[1], duration="1min", intervals=False)
    assert any("requests left out: longer than the" in note for note in row.meta["notes"])


def test_no_request_is_longer_than_the_context_of_the_model() -> None:
    """As the public benchmark cuts sessions; 262,144 tokens are what the configuration of the model says."""
    found = replay(make_scenario(tp=4), concurrency=[2], duration="2min", intervals=False)
    cut = shipped_sessions(longest=262_144)
    assert found.meta["recorded_requests"] == cut.totals.requests < shipped_sessions().totals.requests
    same = replay(make_scenario(tp=4), cut, concurrency=[2], duration="2min", intervals=False)
    assert found.rows == same.rows
    assert any("262,144 tokens of the model's context" in note for note in found.meta["notes"])
