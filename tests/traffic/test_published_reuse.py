"""Reuse of the published Mooncake trace: what the paper and an independent count say of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.kernels.compiled import config
from simulator.traffic.reuse import Reuse, reuse_of_trace
from simulator.traffic.traces import read_trace
from simulator.units import MEGA

TRACE = Path(__file__).parents[3] / "shared" / "traces" / "mooncake_conversation.jsonl"

pytestmark = [
    pytest.mark.skipif(not TRACE.exists(), reason="the published trace is not here"),
    pytest.mark.skipif(bool(config.DISABLE_JIT), reason="minutes without the compiler"),
]


@pytest.fixture(scope="module")
def reuse() -> Reuse:
    found = reuse_of_trace(read_trace(str(TRACE)))
    assert found is not None
    return found


def test_an_endless_cache_finds_what_was_published(reuse: Reuse) -> None:
    """The paper says 40 % in the mean over requests."""
    assert reuse.of_tokens == pytest.approx(0.374, abs=0.001)
    assert reuse.of_requests == pytest.approx(0.409, abs=0.001)


@pytest.mark.parametrize(
    ("millions", "part"),
    [(1, 0.145), (2, 0.231), (3, 0.371), (5, 0.565), (10, 0.778), (20, 0.959), (30, 0.979), (50, 0.992)],
)
def test_a_small_cache_keeps_the_counted_part_of_it(reuse: Reuse, millions: int, part: float) -> None:
    assert reuse.hit_rate(millions * MEGA) / reuse.of_tokens == pytest.approx(part, abs=0.01)
