"""The closed-loop benchmark of the measurements: its lengths and how they are drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from simulator.facts.quantities import Spec


class Workload(Spec):
    """The closed-loop benchmark of the measurements: lengths uniform integers in [range_ratio x L, L].

    ``isl`` and ``osl`` are the nominal L in tokens; each of ``concurrency`` clients sends ``requests_per_client``
    requests.
    """

    isl: int = Field(gt=0, le=2_000_000)
    osl: int = Field(gt=0, le=2_000_000)
    range_ratio: float = Field(default=0.8, gt=0, le=1)
    requests_per_client: int = Field(default=10, gt=0, le=100_000)

    @property
    def mean_isl(self) -> float:
        """Mean input length in tokens."""
        return (int(self.range_ratio * self.isl) + self.isl) / 2

    @property
    def mean_osl(self) -> float:
        """Mean output length in tokens."""
        return (max(1, int(self.range_ratio * self.osl)) + self.osl) / 2


def draw_lengths(rng: np.random.Generator, nominal: int, ratio: float, n: int) -> NDArray[np.int64]:
    """Uniform integers in [ratio x nominal, nominal], shape (n,)."""
    return rng.integers(max(1, int(nominal * ratio)), nominal, size=n, endpoint=True)
