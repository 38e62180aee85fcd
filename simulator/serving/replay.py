"""Recorded sessions played against one replica in a closed loop, and what was delivered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator import kernels as kn
from simulator.serving.prefix_cache import Keeping, keeping_rules
from simulator.serving.replica import Replica
from simulator.speculation.acceptance import Speculation
from simulator.speculation.rounds import draw_rounds
from simulator.traffic.session_clock import packed_blocks, started
from simulator.traffic.sessions import Session, Sessions
from simulator.units import KILO

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

START = 0.25, 0.75
"""Between which parts of its session a lane begins."""


@dataclass(frozen=True)
class Loop:
    """The closed loop.

    Attributes:
        concurrency: live session trees.
        slots: requests that run at once.
        duration: seconds in which requests are sent.
        seed: of the order of the sessions, where the lanes begin, and accepted drafts.
    """

    concurrency: int
    slots: int
    duration: float
    seed: int = 0


@dataclass(frozen=True)
class Replayed:
    """The requests of one replay in the order of sending: seconds, tokens, and what was found of each prompt.

    ``counted``: sent in the window. ``plays``: sessions, with the seconds at which each began and ended.
    """

    send: Array
    first: Array
    finish: Array
    prompt: Array
    output: Array
    gpu: Array
    host: Array
    ideal: Array
    queued: Array
    counted: NDArray[np.bool_]
    play: Indices
    plays: kn.Records
    counters: kn.Counters


def recorded(sessions: Sessions, think_cap: float) -> kn.Recorded:
    """Sessions as the kernel has them, without rounds; no wait is longer than ``think_cap`` seconds."""
    items = sessions.items
    begins = np.cumsum([0, *(one.count for one in items)])
    packed = [packed_blocks(one) for one in items]
    of = [np.array([0])]
    for one, low in zip(items, np.cumsum([0, *(one.run_first.size for one in items)]), strict=False):
        of.append(one.runs_of[1:] + low)
    waits = np.concatenate([np.diff(one.waits_of) for one in items])
    later = np.repeat(np.arange(begins[-1]), waits)
    sooner = np.concatenate([one.waits_for + low for one, low in zip(items, begins, strict=False)])
    delay = np.minimum(np.concatenate([one.delay for one in items]), think_cap)
    by_sooner = np.argsort(sooner, kind="stable")
    after_of = np.searchsorted(sooner[by_sooner], np.arange(begins[-1] + 1))
    return kn.Recorded(
        begins.astype(np.int64),
        np.array([size for _, size in packed], np.int64),
        np.concatenate([one.prompt for one in items]).astype(float),
        np.concatenate([one.output for one in items]).astype(float),
        np.zeros(int(begins[-1])),
        np.concatenate([one.stream for one in items]).astype(np.int64),
        np.concatenate([started(one, think_cap) for one in items]),
        waits.astype(np.int64),
        after_of.astype(np.int64),
        later[by_sooner].astype(np.int64),
        delay[by_sooner].astype(float),
        kn.Paths(
            np.concatenate(of).astype(np.int64),
            np.concatenate([first for first, _ in packed]).astype(np.int64),
            np.concatenate([one.run_count for one in items]).astype(np.int64),
        ),
    )


def with_rounds(found: kn.Recorded, speculation: Speculation, seed: int) -> kn.Recorded:
    """The same with the decode rounds of every recorded request drawn; one seed gives the same luck everywhere."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 7_001]))
    return found._replace(rounds=draw_rounds(rng, found.output.astype(np.int64) - 1, speculation))


def rules_of(keep: Keeping, loop: Loop, block_tokens: int) -> kn.Rules:
    """How a replica keeps prompts, and the run, as the kernel has them."""
    rules = keeping_rules(keep, loop.slots, block_tokens)
    rules.lanes, rules.duration, rules.warm = loop.concurrency, loop.duration, 1.0
    return rules


def play(replica: Replica, found: kn.Recorded, keep: Keeping, loop: Loop, block_tokens: int) -> Replayed:
    """One replay by discrete events.

    Assumptions: those of :func:`~simulator.serving.closed_loop.run_closed_loop`; recorded replies are in later prompts,
    so what is computed of replies is not kept; a request takes memory for its whole output when it is let in.
    """
    rng = np.random.default_rng(np.random.SeedSequence([loop.seed, 7_002]))
    order = rng.permutation(found.blocks.size).astype(np.int64)
    starts = rng.uniform(*START, loop.concurrency)
    counters, outcome = kn.zero(kn.Counters), kn.zero(kn.Outcome)
    constants = replica.launched_for(loop.concurrency)
    rules = rules_of(keep, loop, block_tokens)
    requests, entries, plays = kn.replay(
        replica.target, replica.draft, constants, rules, found, order, starts, counters, outcome
    )
    assert outcome.stuck == 0.0, "a request is longer than all memory"
    n = entries.shape[0]
    return Replayed(
        requests.send[:n],
        requests.first[:n],
        requests.finish[:n],
        requests.prompt[:n],
        requests.output[:n],
        entries["gpu"].copy(),
        entries["host"].copy(),
        entries["ideal"].copy(),
        entries["queued"].copy(),
        entries["counted"] > 0,
        entries["play"].copy(),
        plays,
        counters,
    )


def delivered(run: Replayed, gpus: int) -> dict[str, float]:
    """The published metrics of one replay; what no request has is left out.

    Throughput is over the time from the first request of the window to the last answer, cached input counted.
    """
    on = run.counted
    send, first, finish = run.send[on], run.first[on], run.finish[on]
    prompt, output = run.prompt[on], run.output[on]
    out: dict[str, float] = {"requests": int(on.sum()), "sessions": int(np.unique(run.play[on]).size)}
    if not send.size:
        return out
    seconds = (finish.max() - send.min()) * gpus
    cached = (run.gpu + run.host)[on].sum()
    ttft, e2e = first - send, finish - send
    many = output > 1
    out |= {
        "total_tok_s_gpu": (prompt.sum() + output.sum()) / seconds,
        "output_tok_s_gpu": output.sum() / seconds,
        "uncached_tok_s_gpu": (prompt.sum() - cached) / seconds,
        "p90_interactivity_tok_s_user": 1.0 / np.percentile(e2e / output, 90.0),
        "mean_ttft_ms": ttft.mean() * KILO,
        "median_ttft_ms": np.median(ttft) * KILO,
        "p90_ttft_ms": np.percentile(ttft, 90.0) * KILO,
        "hit_rate_ideal": run.ideal[on].sum() / prompt.sum(),
        "hit_rate_gpu": run.gpu[on].sum() / prompt.sum(),
        "hit_rate_host": run.host[on].sum() / prompt.sum(),
        "queued_share": run.queued[on].sum() / e2e.sum(),
        "mean_input_tokens": prompt.mean(),
        "mean_output_tokens": output.mean(),
    }
    if many.any():
        out["mean_tpot_ms"] = ((finish - first)[many] / (output[many] - 1.0)).mean() * KILO
    counters = run.counters
    if counters.decode_time > 0:
        out["decode_batch"] = min(counters.batch_time / counters.decode_time, float(send.size))
    return {name: value if isinstance(value, int) else float(value) for name, value in out.items()}


def parts(sessions: Sequence[Session], longest: int) -> Iterator[Session]:
    """Sessions with no request longer than so many tokens: such a request ends its conversation."""
    from simulator.traffic.overflow import shortened

    for one in sessions:
        left = shortened(one, longest)
        if left is not None:
            yield left
