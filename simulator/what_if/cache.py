"""What memory for prompts is worth under recorded sessions: more on the GPUs, on their hosts, or used otherwise."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, get_args

from simulator.bounds import number
from simulator.errors import InputError, unknown_name
from simulator.facts.prefix_cache import Strategy
from simulator.files.limits import within
from simulator.prediction.replay import check_counts, replayed, sessions_of
from simulator.prediction.several import split_meta
from simulator.results import words
from simulator.serving.batch import cores
from simulator.serving.prefix_cache import Pools
from simulator.serving.scenario import Scenario, make_scenario
from simulator.traffic.sessions import Sessions
from simulator.what_if.cache_words import name_of, sentences
from simulator.what_if.grid import Progress, silent
from simulator.what_if.ranges import BYTES_OF_POINT
from simulator.what_if.study import Study

CONCURRENCIES = (16, 64)
SCALES = (0.5, 1.0, 2.0)
RATIOS = (0.0, 1.5)
WINDOW = 1200.0
"""Seconds in which requests are sent: a third of the benchmark's."""
LEAST_SCALE, MOST_SCALE = 1e-3, 1e3
FIGURES = (
    *("kv_tokens_capacity", "state_slots", "hit_rate_ideal", "hit_rate_gpu", "hit_rate_host", "total_tok_s_gpu"),
    *("p90_interactivity_tok_s_user", "mean_ttft_ms", "mean_tpot_ms", "queued_share", "requests"),
    *("cost_usd_per_mtok", "scope", "scope_reasons"),
)


@dataclass(frozen=True)
class Choice:
    """One replica with its memory."""

    scenario: Scenario
    states: Strategy | None
    scale: float
    ratio: float


def what_if_cache(
    scenarios: Sequence[Scenario] | Scenario | None = None,
    sessions: Sessions | str | os.PathLike[str] | Sequence[str] | None = None,
    *,
    concurrency: Sequence[int] | None = None,
    pool_scale: Sequence[float] = SCALES,
    host_cache_ratio: Sequence[float] = RATIOS,
    states: Sequence[str] = (),
    duration: str | float = WINDOW,
    think_cap: str | float = 10.0,
    seed: int = 0,
    cost_basis: str = "hyperscaler",
    progress: Progress = silent,
) -> Study:
    """Hit rate and throughput of recorded sessions by the memory for prompts: what to buy, HBM or host memory.

    Table ``points``: one row per scenario, strategy, size of the pool on the GPUs, host ratio and concurrency. Every
    row is a :func:`~simulator.replay` without intervals, of the same sessions in the same order. Only memory changes:
    a larger pool makes nothing faster or dearer. What does not fit is left out and noted.

    Args:
        scenarios: replicas, which may differ in anything; None: the default one.
        sessions: paths of files or folders, or sessions already read; None: those that ship.
        concurrency: live session trees; None: 16 and 64.
        pool_scale: tokens and states that the GPUs keep, over those that they have room for.
        host_cache_ratio: prompts kept in the memory of the hosts, over those that the GPUs keep at scale 1.
        states: where recurrent states are stored: ``chunk_ends``, ``branches`` or ``steps``; none: where each engine
            stores them.
        duration: in which requests are sent, such as ``"20min"``, or seconds.
        think_cap: no request waits longer than this after what it waits for.
        seed: of the order of the sessions, where the lanes begin, and accepted drafts.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.
        progress: told how many configurations are done.

    Raises:
        InputError: bad arguments or files, or nothing fits.

    Example:
        >>> from simulator import make_scenario, what_if_cache
        >>> study = what_if_cache(make_scenario(tp=4), concurrency=[2], pool_scale=[1], duration="1min")
        >>> [row["host_cache_ratio"] for row in study.records()]
        [0.0, 1.5]
    """
    found = [scenarios] if isinstance(scenarios, Scenario) else list(scenarios or [make_scenario()])
    asked = check_counts(CONCURRENCIES if concurrency is None else concurrency)
    scales = _numbers("--pool-scale", pool_scale, LEAST_SCALE, MOST_SCALE)
    ratios = _numbers("--host-cache-ratio", host_cache_ratio, 0.0, 1e6)
    where = _strategies(states)
    count = len(found) * len(where) * len(scales) * len(ratios)
    within("points", count * len(asked), "configurations of the study", bytes_each=BYTES_OF_POINT)
    choices = [Choice(*one) for one in itertools.product(found, where, scales, ratios)]
    played = sessions_of(sessions)
    metas: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    each = len(scales) * len(ratios)
    left_out: list[str] = []
    fault: InputError | None = None

    def run(one: Choice) -> tuple[dict[str, Any], list[dict[str, Any]]] | InputError:
        try:
            result = replayed(
                one.scenario,
                played,
                Pools(one.scale, one.states),
                concurrency=asked,
                host_cache_ratio=one.ratio or None,
                duration=duration,
                think_cap=think_cap,
                seed=seed,
                cost_basis=cost_basis,
                intervals=False,
            )
        except InputError as error:
            return error
        return dict(result.meta), [_row(one, result.meta, row) for row in result.rows]

    with ThreadPoolExecutor(cores()) as pool:
        for done, (one, answer) in enumerate(zip(choices, pool.map(run, choices), strict=True), 1):
            progress(done, count)
            if isinstance(answer, InputError):
                fault = fault or answer
                left_out.append(f"{name_of(_place(one, {}))}, {_memory(one)}: left out: {answer}")
                continue
            metas.append(answer[0])
            rows += [row | {"place": (done - 1) // each} for row in answer[1]]
    rows.sort(key=lambda row: (row.pop("place"), asked.index(row["concurrency"])))
    if not rows:
        assert fault is not None
        raise fault
    notes = list(dict.fromkeys(note for meta in metas for note in meta["notes"]))
    shared, own = split_meta([_of_scenario(meta) for meta in metas])
    meta = {**shared, "scenarios": own, "left_out": left_out, "notes": notes}
    return Study("cache", meta, {"points": tuple(rows)}, (*sentences(rows), *left_out, *notes, words.scope(rows)))


def _numbers(option: str, values: Sequence[float], low: float, high: float) -> list[float]:
    wanted = f"numbers from {low:g} to {high:g}"
    if not len(values):
        raise InputError(f"{option}: expected {wanted}, found none")
    for value in values:
        if not low <= number(option, value, wanted) <= high:
            raise InputError(f"{option}: expected {wanted}, found {value:g}")
    return list(dict.fromkeys(float(value) for value in values))


def _strategies(names: Sequence[str]) -> list[Strategy | None]:
    known = [one for one in get_args(Strategy) if one != "interval"]
    for name in names:
        if name not in known:
            raise unknown_name("place of states", name, known)
    return list(dict.fromkeys(one for name in names for one in known if one == name)) or [None]


def _of_scenario(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs that are the same at every size of memory."""
    sized = ("kv_tokens_capacity", "state_slots", "host_tokens", "pool_gb", "host_gb", "host_write", "notes")
    of_what_fits = ("recorded_sessions", "recorded_requests", "mean_input_tokens", "mean_output_tokens")
    return {name: value for name, value in meta.items() if name not in (*sized, *of_what_fits)}


def _place(one: Choice, meta: Mapping[str, Any]) -> dict[str, Any]:
    d = one.scenario.deployment
    return {
        "hardware": d.hardware.name,
        "engine": d.engine.name,
        "precision": d.weights.precision,
        "tp": d.tp,
        "spec_tokens": one.scenario.speculation.tokens,
        "kv_dtype": d.kv_format,
        "state_dtype": d.engine.state_dtype,
        "states": meta.get("prefix_cache", one.states),
    }


def _memory(one: Choice) -> str:
    return f"pool x {one.scale:g}, host ratio {one.ratio:g}"


def _row(one: Choice, meta: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_place(one, meta),
        "concurrency": row["concurrency"],
        "pool_scale": one.scale,
        "host_cache_ratio": one.ratio,
        "pool_gb": meta["pool_gb"],
        "host_gb": meta["host_gb"] or 0.0,
        "host_tokens": meta["host_tokens"] or 0,
        **{name: row[name] for name in FIGURES},
    }
