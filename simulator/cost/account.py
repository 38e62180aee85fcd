"""The account of a decode round or of a prefill pass: the costs of all its operators and what they add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from simulator.cost.bounds import BOUNDS, Bound, OperatorCost, largest, shares
from simulator.cost.loads import Load


@dataclass(frozen=True)
class Account:
    """Every operator of one decode round or prefill pass, per GPU, and the host as a row of its own.

    Attributes:
        kind: ``decode round`` or ``prefill pass``.
        rows: costs in the order of execution, grouped by pass; shares are of the whole account.
        hbm_bandwidth: peak of the hardware, byte/s.
        loads: what each pass has to do, by its name: tokens, cached tokens read, distinct experts touched per layer.

    Example:
        >>> from simulator import explain, make_scenario
        >>> loads = explain(make_scenario(mtp=3), batch=32).accounts["decode"].loads
        >>> loads["verify"].tokens / loads["draft 1"].tokens, loads["verify"].distinct < 2 * loads["draft 1"].distinct
        (4.0, True)
    """

    kind: str
    rows: tuple[OperatorCost, ...]
    hbm_bandwidth: float
    loads: Mapping[str, Load]

    @classmethod
    def of(cls, kind: str, rows: Sequence[OperatorCost], hbm_bandwidth: float, loads: Mapping[str, Load]) -> Account:
        """An account whose shares are of all the rows together."""
        return cls(kind, tuple(shares(rows)), hbm_bandwidth, loads)

    @property
    def seconds(self) -> float:
        """Time of the round or pass, host included, seconds."""
        return sum(row.seconds for row in self.rows)

    @property
    def device_seconds(self) -> float:
        """Time of the operators alone, seconds."""
        return sum(row.seconds for row in self.rows if row.bound != "host")

    @property
    def flops(self) -> float:
        """FLOPs of one GPU."""
        return sum(row.flops for row in self.rows)

    @property
    def bytes(self) -> float:
        """HBM bytes of one GPU."""
        return sum(row.bytes for row in self.rows)

    @property
    def message_bytes(self) -> float:
        """Bytes that one GPU sends over one link (full mesh) or its port (switch)."""
        return sum(row.message_bytes for row in self.rows)

    def groups(self) -> dict[str, tuple[OperatorCost, ...]]:
        """The rows of each pass, in order."""
        names = dict.fromkeys(row.group for row in self.rows)
        return {name: tuple(row for row in self.rows if row.group == name) for name in names}

    def parts(self) -> dict[Bound, float]:
        """Seconds by cause over all rows, each second counted where it arises and not by its operator's bound."""
        rows = [row.parts() for row in self.rows]
        return {bound: sum(row[bound] for row in rows) for bound in BOUNDS}

    @property
    def bound_by(self) -> Bound:
        """The cause with the largest total time."""
        return largest(self.parts())

    @property
    def peak_flops(self) -> float | None:
        """Peak FLOP/s of the number format that most FLOPs are computed in; None without FLOPs."""
        by_peak: dict[float, float] = {}
        for row in self.rows:
            if row.peak_flops is not None and row.flops > 0.0:
                by_peak[row.peak_flops] = by_peak.get(row.peak_flops, 0.0) + row.flops
        return max(by_peak, key=lambda peak: by_peak[peak]) if by_peak else None

    @property
    def mfu(self) -> float | None:
        """Model FLOPs utilisation: FLOP/s over the whole time, against :attr:`peak_flops`."""
        peak = self.peak_flops
        return self.flops / self.seconds / peak if peak is not None else None

    @property
    def mbu(self) -> float:
        """Memory bandwidth utilisation: HBM byte/s over the whole time, against the hardware's peak."""
        return self.bytes / self.seconds / self.hbm_bandwidth

    def merged(self) -> list[OperatorCost]:
        """The rows with the draft passes added up operator by operator, as group ``draft``; longest first."""
        found: dict[tuple[str, str], list[OperatorCost]] = {}
        for row in self.rows:
            group = "draft" if row.group.startswith("draft") else row.group
            found.setdefault((group, row.name), []).append(row)
        rows = [_add(group, costs) for (group, _), costs in found.items()]
        return sorted(rows, key=lambda row: -row.seconds)


def _add(group: str, costs: Sequence[OperatorCost]) -> OperatorCost:
    total = replace(
        costs[0],
        group=group,
        count=sum(cost.count for cost in costs),
        flops=sum(cost.flops for cost in costs),
        bytes=sum(cost.bytes for cost in costs),
        message_bytes=sum(cost.message_bytes for cost in costs),
        floor_seconds=sum(cost.floor_seconds for cost in costs),
        compute_seconds=sum(cost.compute_seconds for cost in costs),
        transfer_seconds=sum(cost.transfer_seconds for cost in costs),
        share=sum(cost.share for cost in costs),
    )
    return replace(total, bound=largest(total.parts()))
