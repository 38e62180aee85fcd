"""Traces whose prompts share prefixes, in `simulate` and `plan`: against caches written out, and by identity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import InputError, make_scenario, plan, shipped_sessions, simulate, write_sessions
from simulator.prediction.simulate import Simulation
from simulator.traffic.arrivals import read_requests
from simulator.traffic.prefixes import Prefixes
from simulator.traffic.session_clock import started, trace_of_sessions
from simulator.traffic.sessions import Sessions
from simulator.traffic.walk import places, walked

BLOCK = 512
PLAIN = {"model": "qwen3-32b", "tp": 2}
"""A model without recurrent states."""


def conversations(path: Path, n: int, gap: float, seed: int = 0, unlike: bool = False) -> Path:
    """A Mooncake trace of prompts that grow turn by turn; ``unlike``: no two share a block."""
    rng, ids, turns, lines = np.random.default_rng(seed), iter(range(10**6)), dict[int, list[int]](), []
    for i in range(n):
        blocks = turns.setdefault(int(rng.integers(8)), [])
        if unlike:
            blocks = [next(ids) for _ in blocks]
            turns[int(rng.integers(8))] = [*blocks, 0]
        blocks += [next(ids) for _ in range(int(rng.integers(1, 4)))]
        length = len(blocks) * BLOCK - int(rng.integers(0, BLOCK))
        line = {"timestamp": int(1000 * gap * i), "input_length": length, "output_length": int(rng.integers(2, 40))}
        lines.append(json.dumps(line | {"hash_ids": list(blocks)}))
    path.write_text("\n".join(lines) + "\n")
    return path


def run(path: Path, **fields: Any) -> Simulation:
    return simulate(make_scenario(**PLAIN), trace=str(path), **fields)


def test_prompts_that_come_one_by_one_find_every_whole_block_but_the_last_token(tmp_path: Path) -> None:
    path = conversations(tmp_path / "t.jsonl", 60, gap=30.0)
    found = run(path)
    seen, expected = set[int](), []
    for line in map(json.loads, path.read_text().splitlines()):
        ids = line["hash_ids"]
        held = next((k for k, one in enumerate(ids) if one not in seen), len(ids))
        expected.append(BLOCK * min(held, (line["input_length"] - 1) // BLOCK))
        seen.update(ids[: line["input_length"] // BLOCK])
    assert found.run.found is not None
    assert found.run.found.tolist() == expected
    prompt = found.run.requests.prompt.sum()
    assert found.figures["hit_rate_gpu"] == pytest.approx(sum(expected) / prompt)
    assert found.figures["hit_rate_gpu"] <= found.figures["hit_rate_ideal"]
    computed = found.run.counters["prefill_tokens"].sum()
    assert computed + sum(expected) == pytest.approx(prompt)
    assert found.figures["mean_ttft_ms"] < run(path, prefix_cache="off").figures["mean_ttft_ms"]


def test_off_is_the_trace_without_ids(tmp_path: Path) -> None:
    path = conversations(tmp_path / "t.jsonl", 80, gap=0.3)
    bare = tmp_path / "bare.jsonl"
    lines = [{k: v for k, v in json.loads(line).items() if k != "hash_ids"} for line in path.read_text().splitlines()]
    bare.write_text("\n".join(map(json.dumps, lines)))
    off, without = run(path, prefix_cache="off", replicas=2), run(bare, replicas=2)
    assert off.figures == without.figures
    assert "hit_rate_gpu" not in off.figures
    assert "computed all the same" in off.meta["traffic"]


def test_where_nothing_is_shared_caches_change_nothing(tmp_path: Path) -> None:
    path = conversations(tmp_path / "t.jsonl", 80, gap=0.3, unlike=True)
    for router in ("round-robin", "least-outstanding", "two-choices"):
        on, off = (run(path, prefix_cache=word, replicas=2, router=router) for word in ("on", "off"))
        assert on.figures["hit_rate_gpu"] == 0.0
        assert np.array_equal(on.run.finish, off.run.finish)
        assert np.array_equal(on.run.where, off.run.where)


def test_routers_that_know_prefixes_find_more(tmp_path: Path) -> None:
    path = conversations(tmp_path / "t.jsonl", 200, gap=0.5)
    rates = {
        one: run(path, replicas=4, router=one).figures["hit_rate_gpu"]
        for one in ("round-robin", "prefix-aware", "sticky")
    }
    assert rates["prefix-aware"] > 1.2 * rates["round-robin"]
    assert rates["sticky"] > 1.2 * rates["round-robin"]


def test_sessions_are_requests_at_their_recorded_times(tmp_path: Path) -> None:
    few = Sessions("few", shipped_sessions().items[:6], 64)
    path = write_sessions(few, tmp_path / "few.jsonl")
    found = simulate(make_scenario(tp=8), trace=str(path), duration="5min", replicas=3, router="sticky")
    trace, prefixes = trace_of_sessions(few)
    sent = np.sort(np.concatenate([started(one) for one in few.items]))
    assert found.run.requests.send.tolist() == sent[sent < 300.0].tolist()
    homes = prefixes.home[: found.run.requests.count]
    assert all(np.unique(found.run.where[homes == one]).size == 1 for one in np.unique(homes))
    assert 0 < found.figures["hit_rate_gpu"] <= found.figures["hit_rate_ideal"] < 1
    # an endless cache of each session, written out
    seen: dict[int, set[int]] = {one: set() for one in range(6)}
    place = dict.fromkeys(range(6), 0)
    order = [np.argsort(started(one), kind="stable") for one in few.items]
    for i, home in enumerate(prefixes.home.tolist()):
        session = few.items[home]
        blocks = session.blocks(int(order[home][place[home]])).tolist()
        held = next((k for k, one in enumerate(blocks) if one not in seen[home]), len(blocks))
        assert prefixes.ideal[i] == min(64 * held, int(trace.prompt[i]))
        seen[home].update(blocks)
        place[home] += 1


def blocks_of(prefixes: Prefixes, i: int) -> list[int]:
    part = slice(prefixes.paths.of[i], prefixes.paths.of[i + 1])
    pairs = zip(prefixes.paths.first[part].tolist(), prefixes.paths.size[part].tolist(), strict=True)
    return [one for first, size in pairs for one in range(first, first + size)]


def test_a_walk_shares_within_a_turn_and_nothing_between_turns(tmp_path: Path) -> None:
    _, prefixes, _ = read_requests(str(conversations(tmp_path / "t.jsonl", 20, gap=1.0)))
    assert prefixes is not None
    which, turn = places(20, 13, 50)
    found = walked(prefixes, which, turn)
    for i, (one, round_) in enumerate(zip(which.tolist(), turn.tolist(), strict=True)):
        expected = blocks_of(prefixes, one)
        assert blocks_of(found, i) == [block + round_ * prefixes.blocks for block in expected]
        assert found.home[i] == prefixes.home[one] + round_ * prefixes.homes
    assert found.blocks > max(found.paths.first)


def test_a_plan_with_caches_needs_no_more_and_says_what_they_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.planning.trials.LEAST_REQUESTS", 300)
    path = conversations(tmp_path / "t.jsonl", 150, gap=2.0)
    asked: dict[str, Any] = {"trace": str(path), "promises": ["ttft-p50=2s"], "tp": (2,), "mtp": (0,)}
    off = plan(make_scenario(**PLAIN), prefix_cache="off", **asked)
    on = plan(make_scenario(**PLAIN), resume=str(tmp_path / "plan.json"), **asked)
    again = plan(make_scenario(**PLAIN), resume=str(tmp_path / "plan.json"), **asked)
    assert on.winner is not None
    assert off.winner is not None
    assert on.winner.gpus <= off.winner.gpus
    row = on.records()[0]
    assert 0 < row["hit_rate_gpu"] <= on.meta["hit_rate_ideal"]
    assert "hit_rate_gpu" not in off.records()[0]
    assert f"--hit-rate {row['hit_rate_gpu']:.4g}" in str(on.simulate)
    assert again.to_json() == on.to_json()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rate": 1.0, "prefix_cache": "on"}, "--prefix-cache on: expected a --trace that says what prompts share"),
        ({"rate": 1.0, "router": "sticky"}, "--router sticky: asks what replicas keep; expected a --trace"),
        ({"rate": 1.0, "prefix_cache": "yes"}, "--prefix-cache: expected on or off, found 'yes'"),
        ({"trace": "t.jsonl", "router": "prefix-aware", "prefix_cache": "off"}, "--router prefix-aware: asks"),
        ({"trace": "t.jsonl", "prefill_tp": 2, "prefix_cache": "on"}, "--prefix-cache on: expected no pool"),
        ({"trace": "t.jsonl", "hit_rate": 0.5, "prefix_cache": "on"}, "finds what --hit-rate states"),
    ],
)
def test_what_cannot_be_kept(fields: dict[str, Any], message: str, tmp_path: Path) -> None:
    if "trace" in fields:
        fields = fields | {"trace": str(conversations(tmp_path / "t.jsonl", 10, gap=1.0))}
    scenario = make_scenario(**PLAIN, hit_rate=fields.pop("hit_rate", 0.0))
    with pytest.raises(InputError, match=message):
        simulate(scenario, **fields)
