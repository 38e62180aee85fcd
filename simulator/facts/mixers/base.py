"""What every kind of mixer answers about its shape.

Counts are of one layer. Parameters are pure numbers by tensor group, sizes bytes; ``hidden`` is the width of the
residual stream in channels, and ``ranks`` the number of GPUs over which the layer is sharded."""

from __future__ import annotations

import math
from abc import abstractmethod

from simulator.facts.quantities import Spec


class MixerShape(Spec):
    """A kind of mixer. What is not overridden is that of one that keeps no cache, no state and has no pairs."""

    @abstractmethod
    def parameters(self, hidden: int) -> dict[str, int]:
        """Parameters of one layer by tensor group."""

    @abstractmethod
    def share_per_gpu(self, hidden: int, ranks: int) -> dict[str, float]:
        """Part of each tensor group that each of ``ranks`` GPUs holds."""

    @abstractmethod
    def faults(self, ranks: int) -> list[str]:
        """What a number of ranks breaks, each as the end of a sentence that begins with the number."""

    def cache_bytes(self, fmt: str, ranks: int = 1) -> float:
        """Bytes of one cached token on each of ``ranks`` GPUs, stored in ``fmt``."""
        return 0.0

    def cached_tokens(self, context: float) -> float:
        """Tokens that the cache of a sequence of ``context`` tokens holds."""
        return context

    def caches(self, context: float, fmt: str, ranks: int = 1) -> list[tuple[float, float]]:
        """What a sequence of ``context`` tokens keeps on each of ``ranks`` GPUs: numbers of keys, and bytes of each."""
        return [(self.cached_tokens(context), self.cache_bytes(fmt, ranks))]

    def read_tokens(self, context: float) -> float:
        """Kept keys that one query of a sequence of ``context`` tokens sees."""
        return min(self.cached_tokens(context), self.reach)

    def state_bytes(self, dtype: str) -> float:
        """Bytes of one copy of a sequence's recurrent state, of which ``ranks`` GPUs hold an equal part each."""
        return 0.0

    @property
    def pair_flops(self) -> float:
        """FLOPs of one pair of query and key, all heads: product with the key and sum of values."""
        return 0.0

    @property
    def reach(self) -> float:
        """Most tokens that a query sees; infinite without a window or an index."""
        return math.inf
