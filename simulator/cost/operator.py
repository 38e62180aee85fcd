"""FLOPs, bytes and messages of every operator of a forward pass.

A pass is described by seven loads, and every operator's work is linear in them:

====== ==================================================================================================
ONE    1 (weights that are read whatever the batch is)
T      tokens in the pass
QK     query-key pairs in one full-attention layer (sum over queries of the keys they see)
L      tokens whose logits are computed
KV     cached tokens read in one full-attention layer, repeated reads counted
ST     recurrent-state transfers (one read or one write of one sequence's state in every layer)
D      distinct routed experts touched per layer
====== ==================================================================================================

Layers may have windows (:attr:`Operator.window`), of which QK and KV say nothing: an operator takes its part of them.
Kernels that serve only the prompts of a pass, or only the requests that decode in it (:class:`Part`), take that part of
T, QK and KV.

The time of an operator is ``count x max(floor, latency + FLOPs / F_eff + bytes / BW_eff)``. The published kernels
decide for the sum rather than the maximum of the compute and the memory term: fused MoE and small-M GEMMs are both
fitted better by it (``benchmarks/fit_kernels.py`` prints both).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

ONE, T, QK, L, KV, ST, D = range(7)


LOADS = 7
LEAST, MOST = 2 + LOADS, 3 + LOADS
"""Columns of a table."""
COLUMNS = 2 + LOADS + 5
"""Of a table: count, floor, the loads, the tokens of a pass from which and up to which the row counts, the window, the
part, and the walk."""


class Part(IntEnum):
    """Which tokens of a pass an operator serves: all, those of prompts, or those of requests that decode."""

    WHOLE = 0
    PROMPTS = 1
    DECODES = 2


@dataclass(frozen=True)
class Operator:
    """One kind of kernel in a pass, per GPU.

    ``flops`` and ``bytes`` map a load to the FLOPs and bytes per unit of it (bytes are messages for communication).
    ``flops_rate`` in FLOP/s and ``byte_rate`` in byte/s are the achieved ones, efficiency included. It runs in passes
    of at least ``least`` and fewer than ``most`` tokens: engines switch kernels by size. FLOPs of the tokens of a pass
    go at ``first_speed`` times that rate up to ``bend`` tokens. Its queries see ``window`` tokens at most: of QK it
    counts no more than that many pairs per token, and of KV no more than that many tokens per read of a sequence. It
    serves the tokens of one ``part`` of a pass, and does not run where there are none. Where ``overlaps``, reading a
    cached token hides behind the arithmetic of one pair of query and key, or as much of it as that takes. One read of a
    sequence takes no less than ``walk`` seconds per cached token after the latency, however few sequences there are.
    Over prompts one call is ``launched`` kernels.
    """

    name: str
    resource: str
    count: float
    latency: float
    flops_rate: float
    byte_rate: float
    floor: float = 0.0
    flops: Mapping[int, float] = field(default_factory=dict)
    bytes: Mapping[int, float] = field(default_factory=dict)
    least: float = 0.0
    most: float = math.inf
    bend: float = math.inf
    first_speed: float = 1.0
    window: float = math.inf
    part: Part = Part.WHOLE
    overlaps: bool = False
    walk: float = 0.0
    launched: float = 1.0

    def runs(self, tokens: float, prompts: bool = False) -> bool:
        """Whether a pass over so many tokens, of ``prompts`` or of requests that decode, has it."""
        mine = self.part is not (Part.DECODES if prompts else Part.PROMPTS)
        return mine and self.least <= tokens < self.most

    def seconds(self, loads: NDArray[np.float64], each: float = 0.0) -> float:
        """Seconds of one call under the loads of a pass as its window leaves them, shape (LOADS,), with ``each``
        cached tokens in one read of a sequence."""
        row = next((row for row in self.rows() if row[LEAST] <= loads[T] < row[MOST]), self.rows()[-1])
        return max(self.least_seconds(each), float(np.dot(row[2 : 2 + LOADS], loads)))

    def least_seconds(self, each: float) -> float:
        """Seconds that one call takes at least with ``each`` cached tokens in one read of a sequence."""
        return max(self.floor, self.latency + self.walk * each if self.walk else 0.0)

    def compute_seconds(self, loads: NDArray[np.float64]) -> float:
        """Seconds of one call in which it computes, shape (LOADS,)."""
        tokens = float(loads[T])
        seconds = sum(amount * float(loads[load]) for load, amount in self.flops.items()) / self.flops_rate
        first = self.flops.get(T, 0.0) / self.flops_rate
        return seconds + (min(tokens, self.bend) * first * (1.0 / self.first_speed - 1.0) if self.bent else 0.0)

    def transfer_seconds(self, loads: NDArray[np.float64]) -> float:
        """Seconds of one call in which it only moves bytes, shape (LOADS,)."""
        moved = sum(amount * float(loads[load]) for load, amount in self.bytes.items())
        return moved / self.byte_rate - self._hidden * float(loads[KV])

    @property
    def _hidden(self) -> float:
        """Seconds of reading a cached token that hide behind arithmetic."""
        read, pair = self.bytes.get(KV, 0.0) / self.byte_rate, self.flops.get(QK, 0.0) / self.flops_rate
        return min(read, pair) if self.overlaps else 0.0

    @property
    def bent(self) -> bool:
        """Whether the first tokens of a pass are computed at another rate than further ones."""
        return self.first_speed != 1.0 and math.isfinite(self.bend)

    def rows(self) -> list[list[float]]:
        """Seconds per call: ``[count, floor, seconds per load..., least, most, window, part]``, :data:`COLUMNS`
        numbers; two rows where the rate has a bend."""
        when = [self.least, self.most, self.window, float(self.part), self.walk]
        out = [self.count, self.floor, self.latency] + [0.0] * (LOADS - 1) + when
        for load, amount in self.flops.items():
            out[2 + load] += amount / self.flops_rate
        for load, amount in self.bytes.items():
            out[2 + load] += amount / self.byte_rate
        out[2 + KV] -= self._hidden
        if not self.bent:
            return [out]
        slower = self.flops.get(T, 0.0) / self.flops_rate * (1.0 / self.first_speed - 1.0)
        below, above = out.copy(), out.copy()
        below[2 + T] += slower
        above[2] += slower * self.bend
        below[MOST], above[LEAST] = min(self.most, self.bend), max(self.least, self.bend)
        return [row for row in (below, above) if row[LEAST] < row[MOST]]


def launches(operators: Sequence[Operator], tokens: float, prompts: bool = False) -> float:
    """Kernels that a pass over so many tokens, of ``prompts`` or of requests that decode, launches."""
    return sum(op.count * (op.launched if prompts else 1.0) for op in operators if op.runs(tokens, prompts))


def table(operators: list[Operator]) -> NDArray[np.float64]:
    """Operators as rows for the kernels. Operators without a floor or a walk are linear, so those that run in the same
    passes and have the same window and part are summed into one row, the first that of all passes and contexts.

    Returns:
        Array of shape (rows, COLUMNS): seconds and tokens.
    """
    rows = [row for op in operators for row in op.rows()]
    always: tuple[float, ...] = (0.0, math.inf, math.inf, 0.0, 0.0)
    linear = {always: [1.0, 0.0] + [0.0] * LOADS + [*always]}
    for row in rows:
        if row[1] == 0.0 and row[-1] == 0.0:
            when = tuple(row[2 + LOADS :])
            total = linear.setdefault(when, [1.0, 0.0] + [0.0] * LOADS + [*when])
            for i in range(2, 2 + LOADS):
                total[i] += row[0] * row[i]
    return np.array([*linear.values()] + [row for row in rows if row[1] > 0.0 or row[-1] > 0.0])
