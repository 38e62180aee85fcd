"""What every kind of feed-forward answers about its shape; units as in :mod:`simulator.facts.mixers.base`."""

from __future__ import annotations

from abc import abstractmethod

from simulator.facts.quantities import Spec


class FeedForwardShape(Spec):
    """A kind of feed-forward."""

    @abstractmethod
    def parameters(self, hidden: int) -> dict[str, int]:
        """Parameters of one layer by tensor group."""

    @abstractmethod
    def share_per_gpu(self, hidden: int, ranks: int) -> dict[str, float]:
        """Part of each tensor group that each of the ``ranks`` GPUs of a replica holds."""

    @abstractmethod
    def faults(self, ranks: int) -> list[str]:
        """What a number of ranks breaks, each as the end of a sentence that begins with the number."""
