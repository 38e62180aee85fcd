"""Sweeps as text: what is read is what is written, and every other text is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import InputError
from simulator.traffic.sweeps import Grid, parse_grid

SIZES = st.dictionaries(
    st.integers(1, 64), st.lists(st.integers(1, 5000), min_size=1, max_size=9, unique=True).map(tuple), min_size=1
)
POWERS = st.integers(0, 9).flatmap(lambda low: st.integers(low, 10).map(lambda high: (low, high)))


@given(SIZES)
def test_a_grid_is_read_back_from_its_text(sizes: dict[int, tuple[int, ...]]) -> None:
    grid = Grid(tuple(sizes.items()))
    assert parse_grid("--sweep", str(grid)) == grid
    assert parse_grid("--sweep", str(grid).split(";")) == grid
    assert grid.runs == tuple((tp, c) for tp, clients in sizes.items() for c in clients)
    assert grid.tp == tuple(sizes)


@given(POWERS)
def test_a_range_goes_in_powers_of_two(ends: tuple[int, int]) -> None:
    low, high = ends
    ((_, clients),) = parse_grid("--sweep", f"2:{2**low}..{2**high}").sizes
    assert clients == tuple(2**i for i in range(low, high + 1))


def test_ranges_and_lists_mix_and_spaces_do_not_matter() -> None:
    assert parse_grid("--sweep", " 2 : 3, 4..16 ; 8:1 ").sizes == ((2, (3, 4, 8, 16)), (8, (1,)))


@pytest.mark.parametrize(
    "text", ["", ";", "2", "2:", ":4", "2:4;", "a:4", "-2:4", "2.0:4", "2:4.5", "2:4..", "2:8..4", "2:5..7", "2:0..4"]
)
def test_what_is_no_sweep(text: str) -> None:
    with pytest.raises(InputError, match=r"^--sweep: expected "):
        parse_grid("--sweep", text)


@pytest.mark.parametrize("text", ["0:4", "2:0", "2:-4", "2:1000001", "1000001:4"])
def test_numbers_out_of_range(text: str) -> None:
    with pytest.raises(InputError, match="--sweep: expected whole numbers from 1 to 1000000, found"):
        parse_grid("--sweep", text)


def test_a_size_named_twice_and_nothing_at_all() -> None:
    with pytest.raises(InputError, match="expected each TP once, found 2 twice"):
        parse_grid("--sweep", ["2:4", "2:8"])
    with pytest.raises(InputError, match="found nothing"):
        parse_grid("--sweep", [])
