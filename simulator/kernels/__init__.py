"""All compiled code: floats, arrays and records in, arrays and records out. Nothing else imports numba.

Randomness never enters: lengths and rounds are drawn outside and passed in as arrays. Times are seconds, sizes are
tokens. Records and bundles are named in :mod:`simulator.kernels.records`.
"""

from simulator.kernels.batch import serve_batch
from simulator.kernels.closed_loop import closed_form, closed_form_sweep
from simulator.kernels.fleet import LEAST_OUTSTANDING, ROUND_ROBIN, TWO_CHOICES, serve_fleet
from simulator.kernels.open_loop import open_form
from simulator.kernels.passes import (
    distinct_experts,
    independent_tokens,
    pass_time,
    poll_of,
    prefill_time,
    round_time,
    routing_constant,
)
from simulator.kernels.records import ClosedForm, Constants, Counters, Load, OpenForm, Records, Requests, zero, zeros
from simulator.kernels.replica import serve

__all__ = [
    "LEAST_OUTSTANDING",
    "ROUND_ROBIN",
    "TWO_CHOICES",
    "ClosedForm",
    "Constants",
    "Counters",
    "Load",
    "OpenForm",
    "Records",
    "Requests",
    "closed_form",
    "closed_form_sweep",
    "distinct_experts",
    "independent_tokens",
    "open_form",
    "pass_time",
    "poll_of",
    "prefill_time",
    "round_time",
    "routing_constant",
    "serve",
    "serve_batch",
    "serve_fleet",
    "zero",
    "zeros",
]
