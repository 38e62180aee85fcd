"""Points of two replica sizes that run-to-run noise cannot tell apart: either may be on a measured front."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.prediction.frontier import INTERACTIVITY, THROUGHPUT, Frontier, Rule, pareto_front

NOISE = 0.01
"""Relative run-to-run noise: points closer than this in interactivity and in throughput are a tie."""

SIZE = "tp"
MATTERS = {THROUGHPUT: NOISE, "concurrency": 0.1}
"""Relative differences of two fronts from which on it matters to which size a tie goes. Cost and tok/s/MW follow from
the throughput; concurrency is splined over steps of a factor of two and published in whole clients."""

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TiedFronts:
    """The front of a sweep, and what it would be if every tie went to one replica size.

    Attributes:
        front: of all points, no tie considered.
        favouring: replica size (GPUs) -> the front with its points wherever they tie; empty without a tie.
    """

    front: Frontier
    favouring: Mapping[int, Frontier]

    @classmethod
    def from_points(cls, columns: Mapping[str, ArrayLike], rule: Rule = "each") -> TiedFronts:
        """The fronts of simulated points.

        Args:
            columns: as of :meth:`Frontier.from_points`, with the replica size in ``tp``.
            rule: of all fronts.

        Raises:
            InputError: as of :meth:`Frontier.from_points`.

        Example:
            >>> points = {"interactivity_tok_s_user": [60, 81.2, 80.9, 99], "total_tok_s_gpu": [900, 629, 623, 400]}
            >>> tied = TiedFronts.from_points({**points, "tp": [2, 2, 4, 4], "concurrency": [16, 8, 16, 8]})
            >>> tied.sizes(84), tied.sizes(99)
            ((2, 4), (4,))
            >>> [round(tied.favour(84, tp).at(84)["concurrency"]) for tp in (2, 4)]
            [8, 16]
        """
        front = Frontier.from_points(columns, rule)
        table = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
        x, y, sizes = table[INTERACTIVITY], table[THROUGHPUT], table[SIZE]
        ties = _near(x) & _near(y) & (sizes[:, None] != sizes[None, :])
        on_front = pareto_front(x, y)
        involved = ties[on_front].any(axis=0)
        involved[on_front] |= ties[on_front].any(axis=1)
        kept = {int(size): _favouring(sizes == size, x, y, ties) for size in np.unique(sizes[involved])}
        return cls(
            front, {n: Frontier.from_points({k: v[at] for k, v in table.items()}, rule) for n, at in kept.items()}
        )

    def sizes(self, interactivity: float) -> tuple[int, ...]:
        """The replica sizes that a measured front may hold there: those of the front's points beside it, and of ties.

        Outside the band of every front there are none.
        """
        found = {size for size in self.favouring if self._differs(interactivity, size)}
        return tuple(sorted(found | _beside(self.front, interactivity)))

    def favour(self, interactivity: float, size: int | None) -> Frontier:
        """The front with ties given to one replica size, if that changes anything there, else the front of all."""
        if size is not None and size in self.favouring and self._differs(interactivity, size):
            return self.favouring[size]
        return self.front

    def others(self, interactivity: float, size: int | None) -> dict[int, dict[str, float]]:
        """Replica size -> what its front gives there, for ties that matter (:data:`MATTERS`).

        Args:
            interactivity: tok/s/user.
            size: the size that ties were given to; None: the front of all points.
        """
        chosen = self.favour(interactivity, size).at(interactivity)
        fronts = {n: self.favour(interactivity, n).at(interactivity) for n in self.sizes(interactivity) if n != size}
        return {n: read for n, read in fronts.items() if _apart(chosen, read)}

    def _differs(self, interactivity: float, size: int) -> bool:
        return _apart(
            self.front.at(interactivity), self.favouring[size].at(interactivity), dict.fromkeys(MATTERS, 1e-9)
        )


def _near(values: Floats) -> Bools:
    """Which pairs differ by less than the noise."""
    return np.asarray(np.abs(np.log(values[:, None] / values[None, :])) < NOISE)


def _favouring(own: Bools, x: Floats, y: Floats, ties: Bools) -> Bools:
    """Which points stay where ties go to some: a point is taken out only for one of them that then is on the front."""
    out = ties[:, own].any(axis=1) & ~own
    rest = np.flatnonzero(~out)
    front = np.zeros(x.size, dtype=bool)
    front[rest[pareto_front(x[rest], y[rest])]] = True
    return np.asarray(~(out & ties[:, front & own].any(axis=1)))


def _beside(front: Frontier, interactivity: float) -> set[int]:
    """Replica sizes of the front's points next to an interactivity; none outside of its band."""
    x, sizes = front.columns[INTERACTIVITY], front.columns[SIZE]
    if not x[0] <= interactivity <= x[-1]:
        return set()
    left, right = int(np.searchsorted(x, interactivity, "right")) - 1, int(np.searchsorted(x, interactivity))
    return {int(sizes[left]), int(sizes[right])}


def _apart(a: Mapping[str, float], b: Mapping[str, float], limits: Mapping[str, float] = MATTERS) -> bool:
    """Whether two readings differ by more than the limits; one that does not exist differs from one that does."""
    return any(
        math.isnan(a[name]) != math.isnan(b[name]) or abs(a[name] - b[name]) > limit * abs(a[name])
        for name, limit in limits.items()
        if name in a and name in b
    )
