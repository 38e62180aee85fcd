"""Hit rates by size of cache against a plain cache, and the figures of a file of sessions."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from simulator import describe_trace, draw, shipped_sessions
from simulator.cli import run
from simulator.cli.text.cache_sizes import amount
from simulator.traffic.describe_sessions import describe_sessions
from simulator.traffic.interleaving import interleaved
from simulator.traffic.reuse import Reuse, capacities, reuse_of, reuse_of_trace
from simulator.traffic.session_builder import SessionBuilder, runs_of_ids
from simulator.traffic.sessions import Session, Sessions
from simulator.traffic.traces import read_trace
from simulator.traffic.working_set import working_set, working_set_rows

DATA = Path(__file__).parent / "data"
TREE = str(DATA / "weka_tree.json")
BLOCK = 10


def plain_cache(prompts: Sequence[Sequence[int]], tokens: Sequence[int], capacity: int) -> int:
    """Tokens found: leading blocks present are hits, then all are touched from last to first."""
    cache: OrderedDict[int, None] = OrderedDict()
    found = 0
    for ids, length in zip(prompts, tokens, strict=True):
        for place, block in enumerate(ids):
            if block not in cache:
                break
            found += max(0, min(BLOCK, length - BLOCK * place))
        for block in reversed(ids):
            cache[block] = None
            cache.move_to_end(block)
        while len(cache) > capacity:
            cache.popitem(last=False)
    return found


def random_tree(rng: np.random.Generator, count: int) -> list[list[int]]:
    """Prompts of blocks that stand for all before them: each cuts an earlier one and goes on with new ones."""
    prompts: list[list[int]] = []
    new = 0
    for _ in range(count):
        base = prompts[rng.integers(len(prompts))] if prompts and rng.random() < 0.8 else []
        kept = base[: int(rng.integers(len(base) + 1))]
        more = int(rng.integers(0 if kept else 1, 6))
        prompts.append([*kept, *range(new, new + more)])
        new += more
    return prompts


def reuse(prompts: Sequence[Sequence[int]], tokens: Sequence[int]) -> Reuse:
    runs = [runs_of_ids(np.array(ids, dtype=np.int64)) for ids in prompts]
    return reuse_of(np.array(tokens, dtype=np.int64), runs, BLOCK, "test")


@pytest.mark.parametrize("seed", range(12))
def test_every_size_of_cache_against_a_plain_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    prompts = random_tree(rng, 60)
    tokens = [BLOCK * len(ids) - int(rng.integers(BLOCK)) for ids in prompts]
    found = reuse(prompts, tokens)
    for capacity in range(found.found.size):
        assert found.found[capacity] == plain_cache(prompts, tokens, capacity)
    assert (np.diff(found.found) >= 0).all()
    assert found.found[-1] == found.ideal.sum()


@pytest.mark.parametrize("seed", range(6))
def test_blocks_that_do_not_stand_for_what_is_before_them(seed: int) -> None:
    """Equal ids after different beginnings are different blocks of a prefix cache."""
    rng = np.random.default_rng(seed)
    prompts = [rng.permutation(8)[: rng.integers(1, 8)].tolist() for _ in range(40)]
    names: dict[tuple[int, ...], int] = {}
    chained = [[names.setdefault(tuple(ids[: k + 1]), len(names)) for k in range(len(ids))] for ids in prompts]
    tokens = [BLOCK * len(ids) for ids in prompts]
    found = reuse(prompts, tokens)
    assert found.tokens == BLOCK * len(names)
    for capacity in range(found.found.size):
        assert found.found[capacity] == plain_cache(chained, tokens, capacity)


def test_hit_rates_by_hand() -> None:
    """Blocks 0 1, then 2 3, then 0 1 again: all four must be held for a hit of both."""
    found = reuse([[0, 1], [2, 3], [0, 1]], [20, 20, 20])
    assert found.found.tolist() == [0, 0, 0, 10, 20]
    assert found.hit_rate(39) == pytest.approx(10 / 60)
    assert found.hit_rate(1e9) == found.of_tokens == pytest.approx(1 / 3)
    assert found.of_requests == pytest.approx(1 / 3)
    assert capacities([found]) == [10, 20, 30, 50]
    nothing = reuse([[], []], [5, 5])
    assert (nothing.of_tokens, nothing.tokens) == (0.0, 0)
    assert capacities([nothing]) == []


def test_the_curve_of_a_trace_ends_at_the_endless_cache() -> None:
    trace = read_trace(str(DATA / "mooncake.jsonl"))
    found = reuse_of_trace(trace)
    assert found is not None
    assert trace.blocks is not None
    summary = describe_trace(str(DATA / "mooncake.jsonl"))
    assert summary.figures["ideal_hit_rate_tokens"] == found.of_tokens
    rows = summary.document()["lru"]
    assert rows[-1]["part_of_ideal"] == pytest.approx(1.0, abs=1e-3)
    for row in rows:
        cache: OrderedDict[int, None] = OrderedDict()
        hits = 0
        for ids, length in zip(trace.blocks, trace.prompt.tolist(), strict=True):
            for place, block in enumerate(ids):
                if block not in cache:
                    break
                hits += min(512, length - 512 * place)
            for block in reversed(ids):
                cache[block] = None
                cache.move_to_end(block)
            while len(cache) > row["capacity_tokens"] // 512:
                cache.popitem(last=False)
        assert row["hit_rate_tokens"] == pytest.approx(hits / trace.prompt.sum())


# --- sessions


def chain(name: str, services: Sequence[float], delays: Sequence[float]) -> Session:
    builder = SessionBuilder()
    for i, (service, delay) in enumerate(zip(services, delays, strict=True)):
        builder.add(10 * (i + 1), 1, service, 0, [(i - 1, delay)] if i else [], [(0, i + 1)])
    return builder.session(name)


def test_the_order_of_lanes_by_hand() -> None:
    """Two lanes of three sessions: a at 0, 1 + 2 and 3 + 1 + 10 s (cut), b at 0 and 4 + 0; c when b is over, at 5 s."""
    a, b, c = chain("a", [1, 1, 1], [0, 2, 99]), chain("b", [4, 1], [0, 0]), chain("c", [3], [0])
    sessions = Sessions("test", (a, b, c), BLOCK)
    assert interleaved(sessions, 2) == [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (0, 2)]
    assert interleaved(sessions, 1) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)]
    assert interleaved(sessions, 3) == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (0, 2)]
    every = interleaved(shipped_sessions(), 16)
    assert sorted(every) == [(s, i) for s, one in enumerate(shipped_sessions().items) for i in range(one.count)]


def test_the_working_set_by_hand() -> None:
    """Blocks 0 1 2, then 0 1 3, then 0: the third is needed once, and nothing but the first at the end."""
    builder = SessionBuilder()
    for i, ids in enumerate(([(0, 3)], [(0, 2), (3, 1)], [(0, 1)])):
        builder.add(30, 1, 1.0, 0, [(i - 1, 0.0)] if i else [], ids)
    needed, ever = working_set(builder.session("s"), BLOCK)
    assert needed.tolist() == [30, 30, 10]
    assert ever.tolist() == [30, 40, 40]
    rows = working_set_rows(Sessions("test", (builder.session("s"), chain("one", [1], [0])), BLOCK))
    assert [rows[0]["median_working_set_tokens"], rows[-1]["median_touched_tokens"]] == [30, 40]
    assert working_set_rows(Sessions("test", (chain("one", [1], [0]),), BLOCK)) == []


def test_figures_of_sessions() -> None:
    found = describe_trace(TREE)
    row = found.figures
    prompts = [19560, 11651, 13539, 11717, 14284, 11703, 15218, 32182, 55222]
    # each finds what the one before it in its conversation had; the second subagent starts first, and the others find
    # the 180 blocks that all share
    hits = 64 * np.array([0, 180, 182, 0, 183, 180, 182, 305, 502])
    assert (row["sessions"], row["requests"], row["subagents"]) == (1, 9, 3)
    assert row["ideal_hit_rate_tokens"] == pytest.approx(hits.sum() / sum(prompts))
    assert row["ideal_hit_rate_requests"] == pytest.approx(np.mean(hits / prompts))
    assert row["mean_input_tokens"] == pytest.approx(np.mean(prompts))
    assert row["median_think_s"] == pytest.approx(np.median([4, 11, 4, 209, 8]))
    assert 0 < row["output_share"] < 0.1


def test_the_curves_of_sessions_rise_and_end_at_the_ideal() -> None:
    found = describe_sessions("shipped", shipped_sessions())
    ideal = found.figures["ideal_hit_rate_tokens"]
    assert ideal == pytest.approx(0.962, abs=0.001)
    lanes = {row["lanes"] for row in found.lru}
    assert lanes == {1, 4, 16, 32}
    for one in lanes:
        rates = [row["hit_rate_tokens"] for row in found.lru if row["lanes"] == one]
        assert rates == sorted(rates)
        assert rates[-1] == pytest.approx(ideal, rel=2e-4)
    half = [
        next(r["capacity_tokens"] for r in found.lru if r["lanes"] == n and r["part_of_ideal"] > 0.5) for n in (1, 32)
    ]
    assert half[0] < half[1]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["describe-trace", TREE]) == 0
    text = capsys.readouterr().out
    assert "1 session of 9 requests, 3 subagents" in text
    assert "Working set" in text
    assert run(["describe-trace", TREE, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"meta", "figures", "lru", "working_set"}
    assert told["figures"]["ideal_hit_rate_tokens"] > 0.5
    table = str(tmp_path / "rows.csv")
    for _ in range(2):
        assert run(["describe-trace", TREE, "--format", "csv", "--output", table]) == 0
    assert run(["describe-trace", TREE, "--plot", str(tmp_path / "p.png")]) == 0
    assert run(["describe-trace", TREE, "--window", "1min"]) == 2
    assert "expected no --window" in capsys.readouterr().err


def test_a_session_without_block_ids_has_no_curve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.jsonl"
    line = '{"session": "a", "block_tokens": 64, "requests": [{"input_tokens": 9, "output_tokens": 5, "blocks": []}]}'
    path.write_text(line)
    found = describe_trace(str(path))
    assert found.figures["ideal_hit_rate_tokens"] is None
    assert found.document()["lru"] == []
    assert run(["describe-trace", str(path)]) == 0
    assert "does not say which prompts are alike" in capsys.readouterr().out
    assert run(["describe-trace", str(path), "--plot", str(tmp_path / "p.png")]) == 2


def test_pictures() -> None:
    axes = draw(describe_trace(TREE)).axes
    assert [one.get_title(loc="left") for one in axes] == [
        "Hits by size of the prefix cache",
        "Working set of a session",
    ]
    titles = [one.get_title(loc="left") for one in draw(describe_trace(str(DATA / "mooncake.jsonl"))).axes]
    assert "Hits by size of the prefix cache" in titles
    assert [amount(n) for n in (64, 2000, 1_500_000, 2e9)] == ["64", "2k", "1.5M", "2G"]
