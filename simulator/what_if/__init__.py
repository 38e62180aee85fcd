"""What-if studies: where MTP helps, where it hurts, how deep to draft, and what moves the answer."""

from simulator.what_if.acceptance import what_if_acceptance
from simulator.what_if.backends import Backend
from simulator.what_if.cache import what_if_cache
from simulator.what_if.combinations import WideSweep, what_if_sweep
from simulator.what_if.depth import what_if_depth
from simulator.what_if.infer import Inference, infer_acceptance
from simulator.what_if.sensitivity import what_if_sensitivity
from simulator.what_if.study import Study
from simulator.what_if.workload import what_if_workload

__all__ = [
    "Backend",
    "Inference",
    "Study",
    "WideSweep",
    "infer_acceptance",
    "what_if_acceptance",
    "what_if_cache",
    "what_if_depth",
    "what_if_sensitivity",
    "what_if_sweep",
    "what_if_workload",
]
