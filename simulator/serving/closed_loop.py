"""The closed-loop benchmark: draw lengths and rounds, run the discrete events, and reduce to the published metrics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator import kernels as kn
from simulator.serving.batch import Case, constants_of, draw_requests, expected_batch, stack
from simulator.serving.reduction import reduced
from simulator.serving.replica import Replica
from simulator.speculation.acceptance import Speculation
from simulator.speculation.rounds import round_moments
from simulator.traffic.benchmark import Workload
from simulator.units import KILO

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """One simulated run: times in seconds and lengths in tokens, one entry per request, and the kernel's counters."""

    send: Array
    first: Array
    finish: Array
    prompt: Array
    output: Array
    rounds: Array
    counters: kn.Counters

    @property
    def duration(self) -> float:
        """Seconds from the first request sent to the last one finished."""
        return float(self.finish.max() - self.send.min())

    def ttft(self) -> Array:
        """Time to first token, seconds."""
        return self.first - self.send

    def tpot(self) -> Array:
        """Time per output token of requests with more than one, seconds: (E2E - TTFT) / (output - 1)."""
        many = self.output > 1
        return (self.finish - self.first)[many] / (self.output[many] - 1)


def run_closed_loop(
    replica: Replica, workload: Workload, spec: Speculation, concurrency: int, cap: int, rng: np.random.Generator
) -> Run:
    """One benchmark run by discrete events.

    Assumptions: a prefill batch or decode step occupies the whole replica; all running requests advance one round per
    step; front-end work delays a request but not the GPU; a request's tokens are spread evenly over its rounds.
    """
    n = concurrency * workload.requests_per_client
    prompt, length, rounds = draw_requests(rng, workload, spec, n)
    send, first, finish = np.zeros(n), np.zeros(n), np.zeros(n)
    counters = kn.zero(kn.Counters)
    requests = kn.Requests(send, prompt, length, rounds, first, finish)
    constants = replica.launched_for(concurrency)
    kn.serve(replica.target, replica.draft, constants, float(cap), requests, concurrency, counters)
    return Run(send, first, finish, prompt, length, rounds, counters)


def metrics(run: Run, gpus: int) -> dict[str, float]:
    """The published metrics of one run; latencies in ms, throughput in tok/s/GPU over the whole duration."""
    times = (run.send, run.first, run.finish, run.prompt, run.output, run.rounds)
    send, first, finish, prompt, output, rounds = (values[None, :] for values in times)
    counters = np.array([run.counters])
    found = reduced(send, first, finish, prompt, output, rounds, counters, np.array([float(gpus)]))
    return {name: float(values[0]) for name, values in found.items()}


def expected_metrics(
    replica: Replica,
    workload: Workload,
    spec: Speculation,
    concurrency: int,
    cap: int,
    gpus: int,
    seed: int,
    runs: int | None = None,
) -> dict[str, float]:
    """Expected metrics: the mean over independent runs seeded from ``seed``, see :func:`runs_needed`.

    With at least four runs, ``sd_<metric>`` is the relative standard deviation of one run: the sampling of lengths and
    drafts.
    """
    return expected_batch([Case(replica, workload, spec, concurrency, cap, gpus, seed, runs)], threads=1)[0]


def closed_form_load(workload: Workload, spec: Speculation, concurrency: int, cap: int) -> Array:
    """Arguments of the closed form for one configuration, shape (7,); see :func:`closed_form_loads`."""
    loads: Array = closed_form_loads(workload, spec, np.array([concurrency]), cap)[0]
    return loads


def closed_form_loads(workload: Workload, spec: Speculation, concurrency: NDArray[np.int64], cap: int) -> Array:
    """Arguments of the closed form at many concurrencies: means and spreads of lengths and rounds, shape (n, 7)."""
    prompt, output = workload.mean_isl, workload.mean_osl
    rounds = round_moments(output, spec)
    width = workload.osl - max(1, int(workload.range_ratio * workload.osl)) + 1
    rounds_sd = np.sqrt((width**2 - 1) / 12 / rounds.per_round**2 + rounds.variance)
    loads = np.empty((concurrency.size, 7))
    loads[:, 0] = concurrency
    loads[:, 1:6] = workload.requests_per_client, prompt, output, max(rounds.mean, 1e-9), rounds_sd
    loads[:, 6] = np.minimum(cap, concurrency)
    return loads


def closed_form_metrics(
    replicas: list[Replica], which: NDArray[np.int64], loads: Array, gpus: Array
) -> dict[str, Array]:
    """Expected metrics of many configurations by the closed form, each array of shape (n,); see
    :func:`kernels.closed_form`."""
    out = kn.zeros(kn.ClosedForm, which.size)
    kn.closed_form_sweep(
        stack([p.target for p in replicas]),
        stack([p.draft for p in replicas]),
        constants_of(replicas),
        which,
        loads,
        out,
    )
    requests = loads[:, 0] * loads[:, 1]
    rate = requests / out["duration"]
    return {
        "total_tok_s_gpu": rate * (loads[:, 2] + loads[:, 3]) / gpus,
        "output_tok_s_gpu": rate * loads[:, 3] / gpus,
        "requests_per_s": rate,
        "mean_tpot_ms": out["mean_tpot"] * KILO,
        "median_tpot_ms": out["median_tpot"] * KILO,
        "mean_ttft_ms": out["mean_ttft"] * KILO,
        "median_ttft_ms": out["median_ttft"] * KILO,
        "p99_ttft_ms": out["p99_ttft"] * KILO,
        "mean_e2e_ms": out["mean_e2e"] * KILO,
        "decode_batch": out["decode_batch"],
        "prefill_share": out["prefill_share"],
    }
