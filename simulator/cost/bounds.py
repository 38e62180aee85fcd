"""The cost of one operator in one pass, and what bounds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from simulator.cost.loads import Load
from simulator.cost.operator import Operator

Bound = Literal["memory", "compute", "communication", "floor", "host"]
BOUNDS: tuple[Bound, ...] = ("memory", "compute", "communication", "floor", "host")


@dataclass(frozen=True)
class OperatorCost:
    """One operator in one pass, per GPU, all its calls together.

    ``seconds`` is the sum of three parts: :attr:`floor_seconds`, :attr:`compute_seconds` and :attr:`transfer_seconds`.

    Attributes:
        name: the operator.
        count: calls in the pass.
        flops: FLOPs.
        bytes: HBM bytes.
        message_bytes: bytes sent over one link (full mesh) or through the port (switch).
        floor_seconds: start-up latency, and what the kernel's least time adds to the work; of the host row, all of it.
        compute_seconds: FLOPs at the achieved rate.
        transfer_seconds: HBM or message bytes at the achieved rate.
        bound: the largest part; ``floor`` covers latency, so a collective of tiny messages is bound by the floor.
        group: the pass it belongs to, such as ``verify`` or ``draft 1``.
        share: of the time of the whole account, 0 to 1.
        peak_flops: FLOP/s peak of the number format it computes in; None where that was not asked for.
    """

    name: str
    count: float
    flops: float
    bytes: float
    message_bytes: float
    floor_seconds: float
    compute_seconds: float
    transfer_seconds: float
    bound: Bound
    group: str = ""
    share: float = 0.0
    peak_flops: float | None = None

    @property
    def seconds(self) -> float:
        """Time in the pass, seconds."""
        return self.floor_seconds + self.compute_seconds + self.transfer_seconds

    @property
    def intensity(self) -> float | None:
        """FLOPs per HBM byte; None for what reads no HBM."""
        return self.flops / self.bytes if self.bytes > 0.0 else None

    @property
    def achieved_flops(self) -> float:
        """FLOP/s over the whole time."""
        return self.flops / self.seconds if self.seconds > 0.0 else 0.0

    @property
    def achieved_bytes(self) -> float:
        """HBM or message byte/s over the whole time."""
        return (self.bytes + self.message_bytes) / self.seconds if self.seconds > 0.0 else 0.0

    def parts(self) -> dict[Bound, float]:
        """Seconds by cause; they sum to :attr:`seconds`."""
        out: dict[Bound, float] = dict.fromkeys(BOUNDS, 0.0)
        out["host" if self.bound == "host" else "floor"] = self.floor_seconds
        out["compute"] = self.compute_seconds
        out["communication" if self.message_bytes > 0.0 else "memory"] = self.transfer_seconds
        return out

    def as_row(self) -> dict[str, str | float | None]:
        """One row of the explain table; the names carry the units."""
        return {
            "group": self.group,
            "name": self.name,
            "count": self.count,
            "flops": self.flops,
            "bytes": self.bytes,
            "message_bytes": self.message_bytes,
            "seconds": self.seconds,
            "floor_seconds": self.floor_seconds,
            "compute_seconds": self.compute_seconds,
            "transfer_seconds": self.transfer_seconds,
            "share": self.share,
            "intensity_flop_per_byte": self.intensity,
            "bound": self.bound,
            "achieved_flop_s": self.achieved_flops,
            "achieved_byte_s": self.achieved_bytes,
        }


def largest(parts: Mapping[Bound, float]) -> Bound:
    """The cause with the most seconds; of equals the first in the order of :data:`BOUNDS`."""
    return max(BOUNDS, key=lambda bound: parts.get(bound, 0.0))


def ridge(peak_flops: float, bandwidth: float) -> float:
    """Intensity in FLOP/byte from which the peak rather than the bandwidth is the ceiling.

    Example:
        >>> ridge(2516e12, 8e12)
        314.5
    """
    return peak_flops / bandwidth


def host_cost(seconds: float) -> OperatorCost:
    """The row of the time in which the GPU waits for the host."""
    return OperatorCost("host", 1.0, 0.0, 0.0, 0.0, seconds, 0.0, 0.0, "host", group="host")


def bubble_cost(seconds: float) -> OperatorCost:
    """The row of the time in which pieces of a pass follow the first one through the pipeline stages."""
    return OperatorCost("further pieces", 1.0, 0.0, 0.0, 0.0, seconds, 0.0, 0.0, "floor", group="pipeline")


def account(
    operators: Sequence[Operator], load: Load, group: str = "", ideal: Sequence[Operator] | None = None
) -> list[OperatorCost]:
    """Price each operator of one pass: ``count x max(floor, latency + FLOPs / F + bytes / B)``; no shares yet.

    Args:
        operators: of the target or of the draft.
        load: what the pass has to do.
        group: name of the pass.
        ideal: the same operators with every efficiency 1; their FLOP rates are the peaks of the formats computed in.
    """
    peaks = [op.flops_rate for op in ideal] if ideal is not None else [None] * len(operators)
    runs = [(op, peak) for op, peak in zip(operators, peaks, strict=True) if op.runs(load.tokens, load.prefills)]
    return [_cost(op, load, group, peak) for op, peak in runs]


def shares(costs: Sequence[OperatorCost]) -> list[OperatorCost]:
    """The same costs with shares of their common sum."""
    total = sum(cost.seconds for cost in costs)
    return [replace(cost, share=cost.seconds / total if total > 0.0 else 0.0) for cost in costs]


def _cost(op: Operator, load: Load, group: str, peak: float | None) -> OperatorCost:
    loads = load.vector(op.window)
    flops = float(sum(amount * loads[load] for load, amount in op.flops.items()))
    moved = float(sum(amount * loads[load] for load, amount in op.bytes.items()))
    compute, transfer = op.compute_seconds(loads), op.transfer_seconds(loads)
    links = op.resource == "links"
    overhead = max(op.latency, op.least_seconds(load.each(op.window)) - compute - transfer)
    parts: dict[Bound, float] = {
        "memory": 0.0 if links else transfer,
        "compute": compute,
        "communication": transfer if links else 0.0,
        "floor": overhead,
    }
    return OperatorCost(
        name=op.name,
        count=op.count,
        flops=op.count * flops,
        bytes=0.0 if links else op.count * moved,
        message_bytes=op.count * moved if links else 0.0,
        floor_seconds=op.count * overhead,
        compute_seconds=op.count * compute,
        transfer_seconds=op.count * transfer,
        bound=largest(parts),
        group=group,
        peak_flops=peak,
    )
