"""Ties of replica sizes: by hand, and against what dominance says when nothing ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.prediction.frontier import Frontier
from simulator.prediction.ties import NOISE, TiedFronts


def points(*runs: tuple[float, float, int, int]) -> dict[str, Any]:
    """Columns of (interactivity, throughput, TP, clients)."""
    names = ("interactivity_tok_s_user", "total_tok_s_gpu", "tp", "concurrency")
    return dict(zip(names, zip(*runs, strict=True), strict=True))


PUBLISHED = points(
    (65.9, 1029.0, 2, 16), (81.2, 628.6, 2, 8), (80.9, 623.3, 4, 16), (94.2, 362.0, 4, 8), (103.3, 200.0, 4, 4)
)
"""Off at 1k/1k on the MI355X, as predicted: TP2 at 8 clients and TP4 at 16 within 1 % of one another."""


def knots(front: Frontier) -> list[tuple[int, int]]:
    return [(int(tp), int(c)) for tp, c in zip(front.columns["tp"], front.columns["concurrency"], strict=True)]


def test_a_tie_by_hand() -> None:
    tied = TiedFronts.from_points(PUBLISHED)
    assert knots(tied.front) == [(2, 16), (2, 8), (4, 8), (4, 4)]
    assert knots(tied.favouring[2]) == knots(tied.front)
    assert knots(tied.favouring[4]) == [(2, 16), (4, 16), (4, 8), (4, 4)]
    assert tied.sizes(84.0) == (2, 4)
    assert tied.favour(84.0, 2) is tied.front
    other = tied.others(84.0, 2)
    assert list(other) == [4]
    assert other[4] == tied.favouring[4].at(84.0)
    assert tied.others(84.0, 4)[2] == tied.front.at(84.0)


def test_a_tie_elsewhere_changes_nothing_here() -> None:
    tied = TiedFronts.from_points(PUBLISHED)
    assert tied.sizes(103.3) == (4,)
    assert tied.favour(103.3, 4) is tied.front
    assert tied.others(103.3, None) == {}


def test_a_difference_above_the_noise_is_no_tie() -> None:
    for x, y in ((1.0 - 1.5 * NOISE, 1.0), (1.0, 1.0 - 1.5 * NOISE)):
        columns = points((60, 900, 2, 16), (80, 630, 2, 8), (80 * x - 0.01, 630 * y - 0.01, 4, 16), (95, 360, 4, 8))
        assert TiedFronts.from_points(columns).favouring == {}


def test_points_of_one_size_do_not_tie() -> None:
    assert TiedFronts.from_points(points((60, 900, 2, 16), (80, 630, 2, 8), (79.9, 629, 2, 7))).favouring == {}


def test_what_a_third_run_dominates_wins_no_tie() -> None:
    """TP4 at 16 ties with the left of two TP2 runs, but the right one beats it for sure: taking the tie would leave a
    hole."""
    columns = points((80.0, 630.0, 2, 9), (79.6, 626.0, 4, 16), (95.0, 628.0, 2, 8), (100.0, 360.0, 4, 8))
    tied = TiedFronts.from_points(columns)
    assert all(knots(front) == [(2, 9), (2, 8), (4, 8)] for front in tied.favouring.values())
    assert tied.others(90.0, None) == {}


def test_three_sizes() -> None:
    columns = points((60, 900, 2, 16), (80, 630, 2, 8), (79.8, 629, 4, 16), (79.9, 628, 8, 32), (95, 360, 4, 8))
    tied = TiedFronts.from_points(columns)
    assert {tp: knots(front)[1] for tp, front in tied.favouring.items()} == {2: (2, 8), 4: (4, 16), 8: (8, 32)}


def test_beyond_the_band_there_is_no_size() -> None:
    tied = TiedFronts.from_points(PUBLISHED)
    assert tied.sizes(200.0) == ()
    assert np.isnan(tied.favour(200.0, 4).at(200.0)["total_tok_s_gpu"])


RUNS = st.lists(st.tuples(st.floats(1, 1e3), st.floats(1, 1e4), st.sampled_from([2, 4, 8])), min_size=1, max_size=12)


@given(RUNS)
def test_the_front_is_that_of_all_points_and_favoured_ones_are_near_it(runs: list[tuple[float, float, int]]) -> None:
    columns = points(*[(*run, i + 1) for i, run in enumerate(runs)])
    tied = TiedFronts.from_points(columns)
    assert knots(tied.front) == knots(Frontier.from_points(columns))
    everywhere = {(x, y) for x, y, _ in runs}
    for front in tied.favouring.values():
        x, y = front.columns["interactivity_tok_s_user"], front.columns["total_tok_s_gpu"]
        assert set(zip(x.tolist(), y.tolist(), strict=True)) <= everywhere
        for a, b, _ in runs:
            assert np.any((x >= a * (1 - NOISE) ** 2) & (y >= b * (1 - NOISE) ** 2)), (
                "no run beats it by more than noise"
            )


def test_the_rule_goes_to_all_fronts() -> None:
    tied = TiedFronts.from_points(PUBLISHED, "derived")
    assert {front.rule for front in (tied.front, *tied.favouring.values())} == {"derived"}
    with pytest.raises(KeyError):
        _ = tied.favouring[16]
