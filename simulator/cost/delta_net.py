"""Names of :mod:`simulator.cost.mixers.gated_delta_net` for the fits to kernel times."""

from simulator.cost.mixers.gated_delta_net import moved_per_token, prefill_flops

__all__ = ["moved_per_token", "prefill_flops"]
