"""What a hand-computed operator consists of, and an account in the same terms.

Nothing here knows a model: tests write every shape as a number. Parameters are round numbers, all different, so that
none can stand in for another.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from simulator.cost.account import Account
from simulator.cost.parameters import priors

ROUND: dict[str, float] = {
    **{f"moe.{fmt}.bandwidth_eff": value for fmt, value in (("fp4", 0.8), ("fp8", 0.7), ("bf16", 0.6))},
    **{f"moe.{fmt}.compute_eff": value for fmt, value in (("fp4", 0.3), ("fp8", 0.4), ("bf16", 0.5))},
    **{f"moe.{fmt}.latency_us": value for fmt, value in (("fp4", 10.0), ("fp8", 20.0), ("bf16", 25.0))},
    **{f"moe.{fmt}.floor_us": value for fmt, value in (("fp4", 30.0), ("fp8", 40.0), ("bf16", 55.0))},
    **{f"moe.{fmt}.half_width": value for fmt, value in (("fp4", 256.0), ("fp8", 384.0), ("bf16", 128.0))},
    **{f"moe.{fmt}.narrow_width": value for fmt, value in (("fp4", 32.0), ("fp8", 64.0), ("bf16", 16.0))},
    "moe.prep_us": 9.0,
    "moe.untuned_speed": 0.75,
    "moe.unpack_speed": 0.625,
    "moe.ep_imbalance": 1.25,
    "moe.ep_latency_us": 7.0,
    **{f"dense.{fmt}.bandwidth_eff": value for fmt, value in (("fp4", 0.95), ("fp8", 0.9), ("bf16", 0.85))},
    **{f"dense.{fmt}.compute_eff": value for fmt, value in (("fp4", 0.325), ("fp8", 0.35), ("bf16", 0.45))},
    **{f"dense.{fmt}.latency_us": value for fmt, value in (("fp4", 7.0), ("fp8", 6.0), ("bf16", 5.0))},
    **{f"dense.{fmt}.depth_ns": value for fmt, value in (("fp4", 0.125), ("fp8", 0.25), ("bf16", 0.5))},
    **{f"attention.{fmt}.bandwidth_eff": value for fmt, value in (("fp8", 0.525), ("bf16", 0.55))},
    **{f"attention.{fmt}.compute_eff": value for fmt, value in (("fp8", 0.2), ("bf16", 0.25))},
    **{f"attention.{fmt}.latency_us": value for fmt, value in (("fp8", 13.0), ("bf16", 11.0))},
    **{f"attention.{fmt}.walk_ns": value for fmt, value in (("fp8", 500.0), ("bf16", 400.0))},
    "attention.verify_reload": 0.5,
    "index.bandwidth_eff": 0.125,
    "index.walk_ns": 250.0,
    "gdn.bandwidth_eff": 0.65,
    "gdn.compute_eff": 0.1,
    "gdn.latency_us": 8.0,
    "small.bandwidth_eff": 0.375,
    "small.latency_us": 3.0,
    "comm.latency_us": 12.0,
    "comm.doubling_us": 4.0,
    "comm.bandwidth_eff": 0.75,
    "comm.codec_eff": 0.0075,
    "host.step_us": 300.0,
    "host.request_us": 6.0,
    "host.draft_us": 70.0,
    "host.prefill_us": 2000.0,
    "host.launch_us": 65.0,
    "routing.skew": 0.0,
    "routing.correlation": 0.25,
}

PARAMETERS = {**priors(), **ROUND}


class Hand(NamedTuple):
    """One operator in one pass: amounts of one call, and the achieved rates and start-up in microseconds.

    ``read``: HBM bytes; ``sent``: bytes over one link (mesh) or through the port (switch); ``rate`` in FLOP/s;
    ``speed`` of the memory or the link in byte/s; ``least``: shortest time of one call, microseconds; ``hidden``:
    seconds of the reading that arithmetic hides.
    """

    count: float
    us: float
    flops: float = 0.0
    rate: float = 1.0
    read: float = 0.0
    sent: float = 0.0
    speed: float = 1.0
    least: float = 0.0
    hidden: float = 0.0

    def row(self) -> tuple[float, ...]:
        """Calls, FLOPs, bytes read, bytes sent and seconds of all calls; then the seconds of FLOPs and of bytes."""
        compute, move = self.flops / self.rate, (self.read + self.sent) / self.speed - self.hidden
        seconds = max(self.least * 1e-6, self.us * 1e-6 + compute + move)
        amounts = (1.0, self.flops, self.read, self.sent, seconds, compute, move)
        return tuple(self.count * amount for amount in amounts)


def product(count: float, k: int, us: float, ns: float, **amounts: float) -> Hand:
    """A dense matrix product: the start-up grows by ``ns`` nanoseconds with each of its ``k`` input channels."""
    return Hand(count, us=us + k * ns / 1000, **amounts)


def seconds(*passes: dict[str, Hand]) -> float:
    """Of all operators of these passes."""
    return sum(hand.row()[4] for expected in passes for hand in expected.values())


def check(account: Account, group: str, expected: dict[str, Hand]) -> None:
    """The pass has these operators in any order, no more, with these amounts and seconds."""
    found = {
        row.name: (
            row.count,
            row.flops,
            row.bytes,
            row.message_bytes,
            row.seconds,
            row.compute_seconds,
            row.transfer_seconds,
        )
        for row in account.rows
        if row.group == group
    }
    assert set(found) == set(expected)
    for name, hand in expected.items():
        assert found[name] == pytest.approx(hand.row(), rel=1e-12), name
