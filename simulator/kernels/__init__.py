"""All compiled code: floats, arrays and records in, arrays and records out. Nothing else imports numba.

Randomness never enters: lengths and rounds are drawn outside and passed in as arrays. Times are seconds, sizes are
tokens. Records and bundles are named in :mod:`simulator.kernels.records`.
"""

from simulator.kernels.admission import NO_HOST, ON_EVICTION, SELECTIVE, WRITE_THROUGH, Rules
from simulator.kernels.batch import serve_batch
from simulator.kernels.caching_fleet import PREFIX_AWARE, STICKY, Shared, serve_caching_fleet
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
from simulator.kernels.prefix_cache import Paths, lru_hits
from simulator.kernels.records import ClosedForm, Constants, Counters, Load, OpenForm, Records, Requests, zero, zeros
from simulator.kernels.replay import ENDLESS, Outcome, replay
from simulator.kernels.replica import serve
from simulator.kernels.reuse_distance import Held, Prompts, nothing_held, reuse_distances
from simulator.kernels.sessions import Recorded

__all__ = [
    "ENDLESS",
    "LEAST_OUTSTANDING",
    "NO_HOST",
    "ON_EVICTION",
    "PREFIX_AWARE",
    "ROUND_ROBIN",
    "SELECTIVE",
    "STICKY",
    "TWO_CHOICES",
    "WRITE_THROUGH",
    "ClosedForm",
    "Constants",
    "Counters",
    "Held",
    "Load",
    "OpenForm",
    "Outcome",
    "Paths",
    "Prompts",
    "Recorded",
    "Records",
    "Requests",
    "Rules",
    "Shared",
    "closed_form",
    "closed_form_sweep",
    "distinct_experts",
    "independent_tokens",
    "lru_hits",
    "nothing_held",
    "open_form",
    "pass_time",
    "poll_of",
    "prefill_time",
    "replay",
    "reuse_distances",
    "round_time",
    "routing_constant",
    "serve",
    "serve_batch",
    "serve_caching_fleet",
    "serve_fleet",
    "zero",
    "zeros",
]
