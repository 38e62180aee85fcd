"""A made-up replica in round numbers for the tests of the kernels' pieces."""

from __future__ import annotations

import math

import numpy as np

from simulator import kernels as kn
from simulator.kernels.passes import bends
from simulator.kernels.records import Costs

LOADS = ("one", "token", "pair", "logit", "cached", "state", "expert")


def made_up(**fields: float) -> Costs:
    """Seconds per load in one row of both tables, and constants; every token goes to the only expert."""
    table = np.array([[1.0, 0.0, *(fields.pop(load, 0.0) for load in LOADS), 0.0, math.inf, math.inf, 0.0, 0.0]])
    c = kn.zero(kn.Constants)
    c.experts = c.top_k = c.verify = c.poll = c.split = 1.0
    c.chunk = 1e9
    for name, value in fields.items():
        assert name in c.dtype.names, name
        setattr(c, name, value)
    return Costs(table, table, c, kn.routing_constant(c.experts, c.top_k, c.skew), bends(table, table, c))
