"""How deep to draft: the best depth per concurrency, and what an engine gains that picks the depth for each batch.

A per-position profile ``a_1..a_K`` gives every depth k up to K its acceptance: the first k positions. The best fixed
depth at one concurrency is the one of highest throughput.

An adaptive engine picks, for each round over b running requests, the depth of least ``round time(b) / tokens per
round``. What that gains over the best fixed depth follows from the timeline of a simulated run of the latter: between
two changes of the number of running requests, its decode time shrinks by the ratio of the two; prefill time stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator import kernels as kn
from simulator.bounds import check_seed
from simulator.prediction.predict import derived
from simulator.results import words
from simulator.serving.batch import runs_needed
from simulator.serving.closed_loop import run_closed_loop
from simulator.serving.replica import Replica, build_replica
from simulator.serving.scenario import Scenario, cost_basis_price, make_scenario
from simulator.serving.scope import judge
from simulator.speculation.acceptance import OFF, Speculation
from simulator.units import KILO
from simulator.what_if.acceptance import SHOWN, fallen, study_meta
from simulator.what_if.backends import LOCAL, Backend, events_grid
from simulator.what_if.gain import THROUGHPUT
from simulator.what_if.grid import Progress, silent, trusted_grid
from simulator.what_if.ranges import check_drafts, check_method, chosen_concurrencies
from simulator.what_if.study import Study

Array = NDArray[np.float64]
ALIKE = 0.01
"""Depths within this part of the best throughput are named beside it: the model cannot tell them apart."""
MOST_RUNS = 4


def at_depth(scenario: Scenario, k: int) -> Scenario:
    """The scenario that drafts only the first k positions of its profile; 0 is off."""
    s = scenario.speculation
    return scenario.drafting(Speculation(s.probabilities[:k], s.source) if k else OFF)


def what_if_depth(
    scenario: Scenario | None = None,
    concurrencies: Sequence[int] | None = None,
    *,
    method: str = "des",
    seed: int = 0,
    cost_basis: str = "hyperscaler",
    backend: Backend = LOCAL,
    progress: Progress = silent,
) -> Study:
    """The best draft depth per concurrency, 0 (off) to the depth of the scenario, whose acceptance is the profile.

    Tables: ``best`` (per concurrency the best depth, its gain over off, over the one depth that is best for all
    concurrencies together, and what adapting per batch adds; fractions), ``points`` (per depth and concurrency) and
    ``policy`` (the depth an adaptive engine picks at each number of running requests).

    Args:
        scenario: with drafts, as deep as is to be looked at; None: the default one to depth 8, with the
            acceptance that a prediction of it has.
        concurrencies: clients; None: those of 4 to 256 that fit at the greatest depth.
        method: ``des`` or ``closed-form``.
        seed: of lengths and accepted drafts.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.
        backend: where discrete events run.
        progress: told how many configurations are done.

    Raises:
        InputError: no drafts, or bad concurrencies.

    Example:
        >>> from simulator import make_scenario, what_if_depth
        >>> study = what_if_depth(make_scenario(mtp=4, acceptance=[0.95, 0.7, 0.1, 0.1]), [32], method="closed-form")
        >>> study.tables["best"][0]["spec_tokens"]
        2
    """
    scenario = scenario or make_scenario(mtp=8)
    check_drafts(scenario)
    check_method(method)
    check_seed(seed)
    counts = chosen_concurrencies(scenario, concurrencies)
    price = cost_basis_price(scenario.deployment, cost_basis)
    variants = [at_depth(scenario, k) for k in range(scenario.speculation.tokens + 1)]
    if method == "des":
        grid, how = events_grid(variants, counts, seed=seed, backend=backend, progress=progress)
    else:
        grid, how = trusted_grid(variants, counts, seed=seed, progress=progress)
    throughput = grid[THROUGHPUT]
    fixed = int(np.log(throughput).mean(axis=1).argmax())
    rounds = Rounds(scenario)
    power = scenario.deployment.hardware.all_in_power
    points, best = [], []
    for j, count in enumerate(counts):
        top = int(throughput[:, j].argmax())
        for k, variant in enumerate(variants):
            metrics = {name: float(grid[name][k, j]) for name in SHOWN}
            row: dict[str, Any] = {"concurrency": count, "spec_tokens": k}
            row["acceptance_length"] = variant.speculation.acceptance_length
            row |= metrics | derived(metrics, {}, price, power)
            row["gain_over_off"] = float(throughput[k, j] / throughput[0, j]) - 1.0
            row |= {"best": k == top, "method": str(how[k, j])}
            points.append(row | judge(variant, count).as_row())
        best.append(
            {
                "concurrency": count,
                "spec_tokens": top,
                "acceptance_length": variants[top].speculation.acceptance_length,
                "alike": [k for k in range(len(variants)) if throughput[k, j] > (1 - ALIKE) * throughput[top, j]],
                "total_tok_s_gpu": float(throughput[top, j]),
                "gain_over_off": float(throughput[top, j] / throughput[0, j]) - 1.0,
                "gain_over_fixed": float(throughput[top, j] / throughput[fixed, j]) - 1.0,
                "adaptive_gain": rounds.adaptive_gain(variants[top], count, seed),
                **judge(variants[top], count).as_row(),
            }
        )
    meta = study_meta(scenario, method, seed, cost_basis, price)
    s = scenario.speculation
    meta |= {
        "acceptance_positions": list(s.probabilities),
        "acceptance_length": s.acceptance_length,
        "acceptance_source": s.source.text,
        "best_fixed_depth": fixed,
    }
    return Study(
        kind="depth",
        meta=meta,
        tables={"best": tuple(best), "points": tuple(points), "policy": tuple(rounds.policy(max(counts)))},
        sentences=(*_sentences(best, fixed), *fallen(points), words.scope(points)),
    )


class Rounds:
    """Seconds of one round at each depth of a scenario's profile."""

    def __init__(self, scenario: Scenario) -> None:
        """Plans of all depths, 0 (off) to that of the scenario."""
        self.variants = [at_depth(scenario, k) for k in range(scenario.speculation.tokens + 1)]
        values = scenario.calibration.values()
        self.replicas: list[Replica] = [build_replica(v.deployment, v.speculation, values) for v in self.variants]
        self.context = scenario.workload.mean_isl + 0.5 * scenario.workload.mean_osl

    def seconds_per_token(self, k: int, batch: float) -> float:
        """Round time over tokens per round and request, for ``batch`` running requests of mean context."""
        p = self.replicas[k]
        round_time = float(kn.round_time(p.target, p.draft, p.constants, float(batch), float(batch) * self.context))
        return round_time / self.variants[k].speculation.acceptance_length

    def pick(self, batch: float) -> int:
        """The depth of least time per token."""
        return min(range(len(self.replicas)), key=lambda k: self.seconds_per_token(k, batch))

    def policy(self, most: int) -> list[dict[str, Any]]:
        """What is picked at 1, 2, 4, ... up to ``most`` running requests."""
        batches = [2**i for i in range(most.bit_length())]
        return [
            {
                "decode_batch": b,
                "spec_tokens": self.pick(b),
                **{f"ms_per_token_k{k}": KILO * self.seconds_per_token(k, b) for k in range(len(self.replicas))},
            }
            for b in batches
        ]

    def adaptive_gain(self, fixed: Scenario, concurrency: int, seed: int) -> float:
        """Throughput of picking the depth per batch over ``fixed``, a fraction of at least 0, from its timeline."""
        k = fixed.speculation.tokens
        count = min(MOST_RUNS, runs_needed(concurrency, fixed.workload.requests_per_client))
        seeds = np.random.SeedSequence([seed, concurrency]).spawn(count)
        saved = duration = 0.0
        faster: dict[int, float] = {}
        for one in seeds:
            run = run_closed_loop(
                self.replicas[k],
                fixed.workload,
                fixed.speculation,
                concurrency,
                max(1, fixed.slots),
                np.random.default_rng(one),
            )
            busy = run.counters.decode_time + run.counters.prefill_time
            decoding = float(run.counters.decode_time / busy)
            times = np.concatenate((run.first, run.finish))
            order = np.argsort(times, kind="stable")
            steps = np.concatenate((np.ones(run.first.size), -np.ones(run.finish.size)))[order]
            running = np.cumsum(steps)[:-1].astype(int)
            spent = np.bincount(running, weights=np.diff(times[order]))
            for batch in np.nonzero(spent[1:])[0] + 1:
                b = int(batch)
                if b not in faster:
                    faster[b] = 1.0 - self.seconds_per_token(self.pick(b), b) / self.seconds_per_token(k, b)
                saved += decoding * float(spent[b]) * faster[b]
            duration += run.duration
        return duration / (duration - saved) - 1.0


def _sentences(best: Sequence[dict[str, Any]], fixed: int) -> tuple[str, ...]:
    def name(k: int) -> str:
        return f"depth {k}" if k else "off"

    out = []
    for row in best:
        others = [name(k) for k in row["alike"] if k != row["spec_tokens"]]
        tie = f", within 1 % of {' and '.join(others)}" if others else ""
        gain = f" ({100 * row['gain_over_off']:+.0f} % over off)" if row["spec_tokens"] else ""
        out.append(f"at {row['concurrency']} clients {name(row['spec_tokens'])} is best{gain}{tie}")
    worst = max(best, key=lambda row: float(row["gain_over_fixed"]))
    if worst["gain_over_fixed"] == 0.0:
        out.append(f"one choice is best at all concurrencies: {name(fixed)}")
    else:
        out.append(
            f"one depth for all concurrencies would be {name(fixed)}; the best of each gains at most "
            f"{100 * worst['gain_over_fixed']:.1f} % over it, at {worst['concurrency']} clients"
        )
    most = max(best, key=lambda row: float(row["adaptive_gain"]))
    out.append(
        f"picking the depth for each batch would add at most {100 * most['adaptive_gain']:.1f} % to the best fixed "
        f"depth, at {most['concurrency']} clients"
    )
    return tuple(out)
