"""The closed-loop benchmark against disaggregated pools, exactly, by running the open loop again and again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulator import kernels as kn
from simulator.serving.closed_loop import Run
from simulator.serving.fleet import Fleet, FleetRun
from simulator.serving.pools import Pools, run_pools
from simulator.speculation.rounds import draw_rounds
from simulator.traffic.arrivals import Requests
from simulator.traffic.benchmark import Workload, draw_lengths
from simulator.units import SECONDS_PER_HOUR


def run_pools_closed_loop(pools: Pools, workload: Workload, concurrency: int, seed: np.random.SeedSequence) -> Run:
    """One benchmark run: ``concurrency`` clients send the requests in order, each its next one when its last one ends.

    The times of sending are found by iteration: send as the last run's completions say, and run again. What happens
    until some time depends only on what was sent until then, so each round settles at least one more request, and the
    times at which two runs agree are those of one closed loop, not an approximation.

    Args:
        pools: both fleets.
        workload: lengths, and requests per client.
        concurrency: clients.
        seed: of lengths, drafts and routing.
    """
    pools = replace(pools, prefill=_for(pools.prefill, concurrency), decode=_for(pools.decode, concurrency))
    lengths, drafts, routing = seed.spawn(3)
    n = concurrency * workload.requests_per_client
    rng = np.random.default_rng(lengths)
    prompt = draw_lengths(rng, workload.isl, workload.range_ratio, n)
    output = draw_lengths(rng, workload.osl, workload.range_ratio, n)
    rounds = draw_rounds(np.random.default_rng(drafts), output - 1, pools.decode.speculation)
    send = np.zeros(n)
    send[concurrency:] = SECONDS_PER_HOUR * np.arange(1, n - concurrency + 1)
    for _ in range(n + 1):
        run = run_pools(pools, Requests(send, prompt, output), rounds, np.random.default_rng(routing))
        again = send.copy()
        again[concurrency:] = np.sort(run.finish)[: n - concurrency]
        if np.array_equal(again, send):
            return _as_run(run)
        send = again
    raise AssertionError("each round settles at least one more request")


def _for(fleet: Fleet, clients: int) -> Fleet:
    """The fleet launched for so many clients."""
    return replace(fleet, replica=replace(fleet.replica, constants=fleet.replica.launched_for(clients)))


def _as_run(run: FleetRun) -> Run:
    """The run with the counters of all replicas added up, each round weighing as it does in one replica."""
    counters = kn.zero(kn.Counters)
    for name in run.counters.dtype.names or ():
        setattr(counters, name, float(run.counters[name].sum()))
    r = run.requests
    return Run(r.send, run.first, run.finish, r.prompt.astype(float), r.output.astype(float), run.rounds, counters)
