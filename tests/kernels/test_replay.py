"""The replay of session trees: against the closed loop where they are the same, and by hand where they are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator import kernels as kn
from simulator.kernels.admission import NO_HOST, ON_EVICTION, WRITE_THROUGH, Rules
from simulator.kernels.records import Records
from simulator.kernels.replay import ENDLESS, Outcome, replay
from tests.kernels.made_up import made_up
from tests.kernels.toy_sessions import Asked, Tree, recorded

FIELDS: dict[str, Any] = {
    "slots": 8,
    "reuse": 1.0,
    "block": 10.0,
    "page": 1.0,
    "capacity": ENDLESS,
    "host": NO_HOST,
    "hidden": 1.0,
    "duration": 1e9,
}


def run(
    trees: list[Tree],
    lanes: int = 1,
    starts: list[float] | None = None,
    costs: dict[str, float] | None = None,
    **fields: Any,
) -> tuple[kn.Requests, Records, Records, Any]:
    """Requests, entries, plays and outcome of a replay with the made-up replica."""
    rules = kn.zero(Rules)
    for name, value in {**FIELDS, "lanes": lanes, "most": len(trees), **fields}.items():
        setattr(rules, name, value)
    outcome, counters = kn.zero(Outcome), kn.zero(kn.Counters)
    made = made_up(**(costs or {"token": 1.0}))
    found = recorded(trees)
    order = np.arange(len(trees))
    at = np.array(starts or [0.5] * lanes)
    requests, entries, plays = replay(
        made.target, made.draft, made.constants, rules, found, order, at, counters, outcome
    )
    return requests, entries, plays, outcome


@pytest.mark.parametrize("shared", [0.0, 1.0])
@pytest.mark.parametrize("poll", [1.0, 5.0])
def test_sessions_of_one_request_are_the_closed_loop(shared: float, poll: float) -> None:
    rng = np.random.default_rng(5)
    n, clients = 60, 7
    prompt, output = rng.integers(50, 100, n), rng.integers(1, 60, n)
    rounds = np.where(output > 1, np.ceil(output / 2.0), 0)
    costs = made_up(
        one=0.01,
        token=1e-4,
        cached=1e-6,
        pair=1e-9,
        shared=shared,
        poll=poll,
        chunk=150.0,
        delay=0.003,
        delay_token=1e-5,
    )
    trees = [
        Tree([Asked(int(p), int(o), int(r), [(0, int(p) // 10)])])
        for p, o, r in zip(prompt, output, rounds, strict=True)
    ]
    send, first, finish = np.zeros((3, n))
    expected = kn.Requests(send, prompt.astype(float), output.astype(float), rounds, first, finish)
    kn.serve(costs.target, costs.draft, costs.constants, 5.0, expected, clients, kn.zero(kn.Counters))
    rules = kn.zero(Rules)
    for name, value in {**FIELDS, "lanes": clients, "most": n, "slots": 5, "warm": 1.0}.items():
        setattr(rules, name, value)
    requests, entries, plays = replay(
        costs.target,
        costs.draft,
        costs.constants,
        rules,
        recorded(trees),
        np.arange(n),
        np.full(clients, 0.5),
        kn.zero(kn.Counters),
        kn.zero(Outcome),
    )
    assert len(entries) == n
    for name in ("send", "first", "finish"):
        assert getattr(requests, name)[:n].tolist() == getattr(expected, name).tolist()
    assert (entries["gpu"] + entries["host"] + entries["ideal"] == 0).all()
    # Little's law: every lane is always busy, until no session is left
    busy = sum(plays["end"] - plays["start"])
    assert busy <= clients * plays["end"].max() + 1e-9
    assert busy >= clients * plays["start"].max() - 1e-9


def conversation(*prompts: int, wait: float = 0.0) -> Tree:
    """Prompts that each go on from the one before; blocks of ten tokens."""
    return Tree(
        [Asked(p, 2, 1, [(0, p // 10)], [(i - 1, wait)] if i else [], at=float(i)) for i, p in enumerate(prompts)]
    )


def test_a_conversation_computes_what_is_new() -> None:
    requests, entries, plays, _ = run([conversation(100, 155, 200, wait=3.0)])
    assert entries["gpu"].tolist() == entries["ideal"].tolist() == [0, 100, 150]
    # a token takes a second: prefill of 100, 55 and 50 tokens, then a round of one token each
    assert requests.send[:3].tolist() == [0, 104, 163]
    assert requests.first[:3].tolist() == [100, 159, 213]
    assert plays["end"].tolist() == [214]


def test_two_plays_never_share() -> None:
    _, entries, _, _ = run([conversation(100, 150)] * 3)
    assert entries["gpu"].tolist() == [0, 100] * 3


def test_the_same_prompt_computes_its_last_block() -> None:
    _, entries, _, _ = run([conversation(100, 100)])
    assert entries["gpu"].tolist() == entries["ideal"].tolist() == [0, 90]


def test_without_reuse_nothing_is_found() -> None:
    _, entries, _, _ = run([conversation(100, 150)], reuse=0.0)
    assert entries["gpu"].tolist() == [0, 0]
    assert entries["ideal"].tolist() == [0, 100]


def test_begins_inside_with_the_request_before() -> None:
    tree = conversation(100, 150, 200, 250, wait=3.0)
    requests, entries, _, outcome = run([tree], warm=1.0, starts=[0.5])  # at 1.5 of 3 s: between the second and third
    assert entries["counted"].tolist() == [0, 1, 1]
    assert entries["recorded"].tolist() == [1, 2, 3]
    assert entries["gpu"].tolist() == [0, 150, 200]
    assert outcome.window == 151.0  # prefill of 150 tokens and a round
    assert requests.send[1] == 151.5  # the third came half a second later


def test_subagents_fan_out_and_join() -> None:
    tree = Tree(
        [
            Asked(20, runs=[(0, 2)]),
            Asked(30, runs=[(5, 3)], after=[(0, 2.0)], stream=1, at=1.0),
            Asked(50, runs=[(10, 5)], after=[(0, 4.0)], stream=2, at=1.0),
            Asked(40, runs=[(0, 4)], after=[(0, 1.0), (1, 0.0), (2, 0.0)], at=2.0),
        ]
    )
    requests, entries, plays, _ = run([tree])
    assert requests.send[:3].tolist() == [0, 22, 24]
    # the first subagent prefills at 22, the second after it
    assert requests.finish[1:3].tolist() == [52, 102]
    assert (requests.send[3], entries["gpu"][3]) == (102, 20)
    assert plays["end"].tolist() == [122]


def test_waits_for_memory_that_running_requests_hold() -> None:
    # each needs 11 blocks of 20; the second waits until the first has ended, then takes what it left
    trees = [Tree([Asked(100, 10, 9, [(0, 10)])]), Tree([Asked(100, 10, 9, [(0, 10)])])]
    requests, entries, _, _ = run(trees, lanes=2, capacity=20)
    assert requests.finish[0] == 109.0
    assert requests.first[1] == 209.0
    assert entries["queued"].tolist() == [0, 109]


def test_too_long_for_all_memory_is_told() -> None:
    *_, outcome = run([conversation(100)], capacity=5)
    assert outcome.stuck == 1.0


@pytest.mark.parametrize(("capacity", "found"), [(100, [0, 0, 100, 100]), (20, [0, 0, 90, 70]), (13, [0, 0, 20, 0])])
def test_two_lanes_push_each_other_out(capacity: int, found: list[int]) -> None:
    trees = [conversation(100, 120, wait=50.0), conversation(100, 120, wait=50.0)]
    _, entries, _, _ = run(trees, lanes=2, capacity=capacity)
    # of 20 blocks: the second takes one that the first left, the first then three of the second's, the last ones first
    assert entries["gpu"].tolist() == found


def test_more_memory_finds_no_less_and_all_input_is_cached_or_computed() -> None:
    rng = np.random.default_rng(1)
    trees = [conversation(*np.cumsum(rng.integers(15, 60, 12)).tolist(), wait=20.0) for _ in range(8)]
    before = -1.0
    for capacity in (80, 120, 160, 240, 400, 1000):
        requests, entries, _, _ = run(trees, lanes=4, capacity=capacity)
        cached = entries["gpu"] + entries["host"]
        assert (cached <= entries["ideal"]).all()
        assert (cached < requests.prompt[: len(entries)]).all()
        assert cached.sum() >= before
        before = cached.sum()
    assert before == entries["ideal"].sum()


def test_all_input_is_cached_or_computed() -> None:
    rules = kn.zero(Rules)
    for name, value in {**FIELDS, "lanes": 2, "most": 4}.items():
        setattr(rules, name, value)
    trees = [conversation(100, 155, 230)] * 4
    made, counters = made_up(token=1.0, chunk=64.0), kn.zero(kn.Counters)
    requests, entries, _ = replay(
        made.target,
        made.draft,
        made.constants,
        rules,
        recorded(trees),
        np.arange(4),
        np.zeros(2),
        counters,
        kn.zero(Outcome),
    )
    cached = entries["gpu"] + entries["host"]
    assert counters.prefill_tokens + cached.sum() == requests.prompt[: len(entries)].sum()


STATES = {"stateful": 1.0, "states": 50, "states_each": 1}


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        # 100, then 155 that goes on, then 160 that leaves it after 120, then 170 that leaves it there again
        ({"ends": 1.0}, [0, 100, 100, 100]),
        ({"ends": 1.0, "branches": 1.0}, [0, 100, 100, 120]),
        ({"interval": 40.0}, [0, 80, 120, 120]),
        ({"interval": 40.0, "branches": 1.0}, [0, 80, 120, 120]),
        ({"interval": 1000.0}, [0, 0, 0, 0]),
        ({"ends": 1.0, "states": 1}, [0, 0, 0, 0]),  # taken by the running request
    ],
)
def test_a_prompt_goes_on_from_a_state(fields: dict[str, Any], found: list[int]) -> None:
    turns = [
        Asked(100, 2, 1, [(0, 10)]),
        Asked(155, 2, 1, [(0, 15)], [(0, 0.0)], at=1.0),
        Asked(160, 2, 1, [(0, 12), (20, 4)], [(1, 0.0)], at=2.0),
        Asked(170, 2, 1, [(0, 12), (30, 5)], [(2, 0.0)], at=3.0),
    ]
    _, entries, _, _ = run([Tree(turns)], **{**STATES, **fields})
    assert entries["gpu"].tolist() == found


def test_states_at_chunk_ends() -> None:
    turns = [Asked(100, 2, 1, [(0, 10)]), Asked(100, 2, 1, [(0, 9), (20, 1)], [(0, 0.0)], at=1.0)]
    _, entries, _, _ = run([Tree(turns)], costs={"token": 1.0, "chunk": 40.0}, **STATES, ends=1.0)
    assert entries["gpu"].tolist() == [0, 80]


@pytest.mark.parametrize("host", [WRITE_THROUGH, ON_EVICTION])
@pytest.mark.parametrize(("hidden", "wait"), [(1.0, 0.0), (0.0, 0.1)])
def test_a_host_brings_back_what_was_dropped(host: int, hidden: float, wait: float) -> None:
    trees = [conversation(100, 120, wait=500.0), conversation(100, 120, wait=500.0)]
    requests, entries, _, _ = run(
        trees, lanes=2, capacity=20, host=host, host_blocks=1000, load_token=0.01, hidden=hidden
    )
    assert entries["gpu"].tolist() == [0, 0, 90, 70]
    assert entries["host"].tolist() == [0, 0, 10, 30]
    assert requests.first[2] - requests.send[2] == pytest.approx(20 + wait)
