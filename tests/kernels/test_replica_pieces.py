"""The steps of the discrete events one by one, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from simulator import kernels as kn
from simulator.kernels.fleet import LEAST_OUTSTANDING, ROUND_ROBIN, TWO_CHOICES, route, with_room
from simulator.kernels.heap import push
from simulator.kernels.records import Lines, State
from simulator.kernels.replica import (
    admit,
    empty_lines,
    end_prefill,
    end_rounds,
    fill_pass,
    join,
    leave,
    look,
    move_up,
    rounds_to_look,
    rounds_until,
    seen_at,
    send_next,
)
from tests.kernels.made_up import made_up


def replica(**fields: float) -> tuple[State, Lines]:
    """A replica with room for four requests, in a given state."""
    state = kn.zeros(State, 1)
    for name, value in fields.items():
        setattr(state[0], name, value)
    room = np.empty(4), np.empty(4, np.int64)
    return state[0], Lines(state, *room, *(x.copy() for x in room), np.empty(4, np.int64), np.zeros(4))


def requests(prompt: list[float], output: list[float], rounds: list[float]) -> kn.Requests:
    n = len(prompt)
    return kn.Requests(np.zeros(n), *(np.array(x, float) for x in (prompt, output, rounds)), np.zeros(n), np.zeros(n))


@pytest.mark.parametrize(("lookahead", "known"), [(0.0, 9.0), (1.0, 5.0)])
def test_looks_every_fourth_step(lookahead: float, known: float) -> None:
    # rounds grow by 1 s, the last took 5: it began at 9 and the one before at 5; five steps since the last look
    c = made_up(poll=4.0, lookahead=lookahead).constants
    s, _ = replica(now=14.0, last=5.0, accel=1.0, unpolled=5.0, known=1.0)
    look(s, c)
    assert (s.known, s.unpolled) == (known, 1.0)
    look(s, c)
    assert s.known == known


def test_admits_who_is_known_while_there_are_slots() -> None:
    s, lines = replica(known=2.0, running=1)
    c, sizes = made_up(hit_rate=0.5).constants, requests([1.0, 9.0, 5.0, 4.0], [9.0] * 4, [3.0] * 4)
    for i, key in enumerate([1.5, 3.0, 0.5, 2.0]):
        push(lines.arrive_key, lines.arrive_id, i, key, i)
    s.arriving = 4
    admit(s, c, lines, sizes, 3)
    assert (s.arriving, s.queued, lines.queue[:2].tolist()) == (2, 2, [2, 0])
    assert lines.done_prompt[:2].tolist() == [2.0, 0.0]  # half of five, and of one, of which something is computed
    admit(s, c, lines, sizes, 9)
    assert (s.arriving, s.queued, lines.queue[:3].tolist()) == (1, 3, [2, 0, 3])


@pytest.mark.parametrize(
    ("fields", "running", "taken", "done"),
    [
        ({"chunk": 6.0}, 0, (6, 4 * 2 + 2 * 1, 0, 2, 1), [4, 2, 0]),  # the second is cut
        ({"chunk": 6.0, "split": 0.0}, 0, (4, 8, 0, 1, 1), [4, 0, 0]),
        ({"chunk": 3.0, "split": 0.0}, 0, (3, 4.5, 0, 1, 0), [3, 0, 0]),  # too long for any pass: cut after all
        ({"chunk": 9.0}, 0, (9, 8 + 12.5, 0, 2, 2), [4, 5, 0]),
        ({"chunk": 8.0, "shared": 1.0, "verify": 2.0}, 1, (6, 10, 0, 2, 1), [4, 2, 0]),
        ({"chunk": 2.0, "shared": 1.0}, 9, (1, 0.5, 0, 1, 0), [1, 0, 0]),  # one token always fits
    ],
)
def test_fills_a_pass(fields: dict[str, float], running: int, taken: tuple[float, ...], done: list[float]) -> None:
    s, lines = replica(queued=3, running=running)
    lines.queue[:3] = 2, 0, 1
    lines.done_prompt[:] = 0.0
    fill_pass(s, made_up(**fields).constants, lines, requests([5, 6, 4], [1] * 3, [0] * 3))
    assert (s.tokens, s.pairs, s.again, s.prompts, s.ready) == taken
    assert s.riders == running
    assert lines.done_prompt[:3].tolist() == done


def test_the_rest_of_a_prompt_sees_what_is_cached() -> None:
    # 3 tokens after 2: pairs 3 (2 + 3/2), and the 2 are read again
    s, lines = replica(queued=1)
    lines.queue[0], lines.done_prompt[0] = 0, 2.0
    fill_pass(s, made_up().constants, lines, requests([5], [1], [0]))
    assert (s.tokens, s.pairs, s.again, s.prompts, s.ready) == (3, 10.5, 2, 1, 1)


@pytest.mark.parametrize("accel", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("gap", [0.1, 1.0, 1.9, 7.0, 100.0])
def test_rounds_until(gap: float, accel: float) -> None:
    ends = np.cumsum(1.0 + accel * np.arange(200))
    assert rounds_until(gap, 1.0, accel) == np.argmax(ends >= gap) + 1


@pytest.mark.parametrize(("unpolled", "rounds"), [(0.0, 4.0), (1.0, 3.0), (2.0, 6.0)])
def test_rounds_to_look(unpolled: float, rounds: float) -> None:
    # 2.5 s are over after three rounds of 1 s; looks are at every fourth
    s, _ = replica(unpolled=unpolled)
    assert rounds_to_look(s, made_up(poll=4.0).constants, 2.5, 1.0) == rounds


def test_end_of_a_prefill_pass() -> None:
    counters = kn.zero(kn.Counters)
    s, _ = replica(pending=1.0, span=3.0, tokens=8.0, riders=2.0, growth=5.0, context=100.0, turn=7.0)
    end_prefill(s, made_up(poll=4.0).constants, counters)
    assert (s.pending, s.last, s.accel, s.unpolled, s.turn, s.context) == (0, 3, 0, 4, 8, 105)
    assert counters.tolist() == (0, 3, 1, 1, 6, 8, 0)


def test_prompts_prefilled_elsewhere_count_nowhere() -> None:
    counters = kn.zero(kn.Counters)
    s, _ = replica(pending=1.0, unpolled=2.0, last=5.0)
    end_prefill(s, made_up(remote_prefill=1.0).constants, counters)
    assert (s.pending, s.last, s.unpolled) == (0, 5, 2)
    assert not any(counters.tolist())


def test_end_of_rounds() -> None:
    # 2, 2.5 and 3 s with two requests
    counters = kn.zero(kn.Counters)
    s, _ = replica(span=7.5, accel=0.5, unpolled=1.0, turn=4.0, context=10.0, growth=2.0, running=2)
    end_rounds(s, 3.0, 2.0, counters)
    assert (s.last, s.unpolled, s.turn, s.context) == (3, 4, 7, 16)
    assert counters.tolist() == (7.5, 0, 3, 0, 15, 0, 1)


def test_a_request_joins_and_leaves_nothing_behind() -> None:
    # 10 prompt tokens, then 9 - 1 over 4 rounds
    all_of_them = requests([10], [9], [4])
    s, lines = replica(now=1.0, turn=2.0, context=50.0, growth=3.0)
    join(s, 0, lines, all_of_them)
    assert (s.running, s.context, s.growth) == (1, 61, 5)
    assert (lines.run_key[0], lines.run_id[0]) == (6, 0)
    s.now, s.context = 9.0, s.context + 4 * 2
    leave(s, 0, all_of_them)
    assert (s.running, s.context, s.growth, all_of_them.finish[0]) == (0, 50, 3, 9)


def test_the_queue_moves_up() -> None:
    s, lines = replica(queued=3, ready=2)
    lines.queue[:3], lines.done_prompt[:3] = (7, 8, 9), (1.0, 2.0, 3.0)
    move_up(s, lines)
    assert (s.queued, s.ready, lines.queue[0], lines.done_prompt[0]) == (1, 0, 9, 3.0)


def test_the_next_request_goes_through_the_front_end() -> None:
    c = made_up(delay=1.0, delay_token=0.5, stream=0.25).constants
    assert seen_at(c, 2.0, 4.0, 8) == 2 + 1 + 2 + 2
    all_of_them = requests([4, 4], [1, 1], [0, 0])
    s, lines = replica(now=2.0, started=1)
    send_next(s, c, 8, lines, all_of_them)
    assert (s.started, s.arriving, lines.arrive_key[0], lines.arrive_id[0], all_of_them.send[1]) == (2, 1, 7, 1, 2)


@pytest.mark.parametrize(
    ("router", "chosen"), [(ROUND_ROBIN, [0, 1, 2, 0]), (LEAST_OUTSTANDING, [1] * 4), (TWO_CHOICES, [0, 2, 1, 0])]
)
def test_routers(router: int, chosen: list[int]) -> None:
    # outstanding 2, 1, 2: among two the emptier, ties to the lower number
    pairs = [(2, 0), (2, 2), (2, 1), (0, 0)]
    outstanding = np.array([2, 1, 2])
    assert [route(router, turn, np.array(pair), outstanding) for turn, pair in enumerate(pairs)] == chosen


def test_more_room_keeps_what_waits() -> None:
    lines = empty_lines(2, 2, 1)
    lines.arrive_key[:] = [[1, 2], [3, 4]]
    lines.arrive_id[:] = [[5, 6], [7, 8]]
    more = with_room(lines)
    assert more.arrive_key.shape == more.arrive_id.shape == (2, 4)
    assert more.arrive_key[:, :2].tolist() == [[1, 2], [3, 4]]
    assert more.arrive_id[:, :2].tolist() == [[5, 6], [7, 8]]
    assert np.shares_memory(more.queue, lines.queue)
