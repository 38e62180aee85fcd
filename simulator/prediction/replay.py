"""Replay recorded sessions of agents against one replica: what its prefix cache finds, and what it delivers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.bounds import check_seed, number, whole
from simulator.cost.explain import RoundKernels, explain_round
from simulator.errors import InputError, brief
from simulator.files.limits import within
from simulator.prediction.intervals import Z90
from simulator.prediction.posterior import moved, shifts, used_parameters
from simulator.prediction.predict import check_concurrencies, derived, versions
from simulator.results.table import Result
from simulator.serving.batch import cores
from simulator.serving.prefix_cache import AS_IS, HostTier, Keeping, Pools, keeping
from simulator.serving.replay import Loop, Replayed, delivered, parts, play, recorded, with_rounds
from simulator.serving.replica import Replica, build_replica
from simulator.serving.scenario import Scenario, cost_basis_price, describe, for_lengths, make_scenario
from simulator.serving.scope import Reason, Verdict, judge_traffic
from simulator.speculation.acceptance import Speculation
from simulator.traffic.session_files import read_sessions, shipped_sessions
from simulator.traffic.sessions import Sessions
from simulator.units import KILO, parse_duration

Array = NDArray[np.float64]

CONCURRENCIES = (1, 4, 8, 16, 32)
WINDOW = 3600.0
"""Seconds in which requests are sent, as the published benchmark does."""
MOST_SECONDS = 1e7
RUNNING = 2
"""Requests that run at once for each session tree: servers of the published benchmark are launched so."""
DRAWS = 8
"""Draws from the posterior, each with an order of the sessions of its own."""
DRAWN_WINDOW = 900.0
"""Seconds of the window of a draw, at most."""
BYTES_OF_REQUEST = 400
MEASURED = {
    "total_tok_s_gpu": "throughput",
    "output_tok_s_gpu": "throughput",
    "uncached_tok_s_gpu": "throughput",
    "p90_interactivity_tok_s_user": "tpot",
    "mean_ttft_ms": "ttft",
    "median_ttft_ms": "ttft",
    "p90_ttft_ms": "ttft",
    "mean_tpot_ms": "tpot",
}
"""Columns with an interval, and which noise of a calibration each has."""
COLUMNS = (
    *("concurrency", "total_tok_s_gpu", "output_tok_s_gpu", "uncached_tok_s_gpu", "p90_interactivity_tok_s_user"),
    *("mean_ttft_ms", "median_ttft_ms", "p90_ttft_ms", "mean_tpot_ms", "requests", "sessions"),
    *("hit_rate_ideal", "hit_rate_gpu", "hit_rate_host", "kv_tokens_capacity", "state_slots", "queued_share"),
    *("bound_by", "cost_usd_per_mtok", "tok_s_per_mw", "scope"),
)
UNMEASURED = Reason("prefix_cache", "unmeasured", "recorded sessions: no such run is among the measurements", 0.0)


@dataclass(frozen=True)
class Replay(Result):
    """One row per concurrency, the requests behind each, and its metrics under every draw of an interval."""

    meta: Mapping[str, Any]
    rows: tuple[Mapping[str, Any], ...]
    runs: tuple[Replayed, ...]
    draws: tuple[tuple[Mapping[str, float], ...], ...] = ()

    def records(self) -> Sequence[Mapping[str, Any]]:
        """The rows."""
        return self.rows


def replay(
    scenario: Scenario | None = None,
    sessions: Sessions | str | os.PathLike[str] | Sequence[str] | None = None,
    *,
    concurrency: Sequence[int] | None = None,
    prefix_cache: str = "on",
    host_cache_ratio: float | None = None,
    host_cache_gb: float | None = None,
    duration: str | float | None = None,
    think_cap: str | float = 10.0,
    seed: int = 0,
    cost_basis: str = "hyperscaler",
    intervals: bool = True,
) -> Replay:
    """Recorded sessions in a closed loop over live session trees against one replica, one row per concurrency.

    Each lane begins inside a session, first sends the request before, and takes the next session when all requests of
    the last one have ended; no play finds anything of another.

    Args:
        scenario: what the replica is; its lengths play no part. None: the default one.
        sessions: paths of files or folders, or sessions already read; None: those that ship.
        concurrency: live session trees; None: 1, 4, 8, 16 and 32.
        prefix_cache: ``on`` or ``off``.
        host_cache_ratio: prompts kept in the memory of the hosts, over those that the GPUs keep.
        host_cache_gb: the same in GB of the whole replica.
        duration: in which requests are sent, such as ``"20min"``, or seconds; None: an hour.
        think_cap: no request waits longer than this after what it waits for.
        seed: of the order of the sessions, where the lanes begin, and accepted drafts.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.
        intervals: add ``*_lo`` and ``*_hi``, the ends of 90 % intervals.

    Raises:
        InputError: bad arguments or files, no room for a single request.

    Example:
        >>> from simulator import make_scenario, replay
        >>> found = replay(make_scenario(tp=4), concurrency=[2], duration="2min", intervals=False)
        >>> found.rows[0]["hit_rate_gpu"] <= found.rows[0]["hit_rate_ideal"]
        True
    """
    return replayed(
        scenario or make_scenario(),
        sessions,
        AS_IS,
        concurrency=concurrency,
        prefix_cache=prefix_cache,
        host_cache_ratio=host_cache_ratio,
        host_cache_gb=host_cache_gb,
        duration=duration,
        think_cap=think_cap,
        seed=seed,
        cost_basis=cost_basis,
        intervals=intervals,
    )


def check_counts(concurrency: Sequence[int]) -> list[int]:
    """Live session trees as a list.

    Raises:
        InputError: none, or what is no concurrency.
    """
    asked = list(concurrency)
    check_concurrencies(asked)
    return asked


def sessions_of(sessions: Sessions | str | os.PathLike[str] | Sequence[str] | None) -> Sessions:
    """Sessions of paths, or those already read; None: those that ship.

    Raises:
        InputError: files that cannot be read.
    """
    if isinstance(sessions, Sessions):
        return sessions
    return read_sessions(sessions) if sessions else shipped_sessions()


def replayed(
    base: Scenario,
    sessions: Sessions | str | os.PathLike[str] | Sequence[str] | None,
    pools: Pools,
    *,
    concurrency: Sequence[int] | None = None,
    prefix_cache: str = "on",
    host_cache_ratio: float | None = None,
    host_cache_gb: float | None = None,
    duration: str | float | None = None,
    think_cap: str | float = 10.0,
    seed: int = 0,
    cost_basis: str = "hyperscaler",
    intervals: bool = True,
) -> Replay:
    """:func:`replay` of a replica that would keep other ``pools``; with one seed, all draws are the same for all.

    Raises:
        InputError: as of :func:`replay`.
    """
    asked = check_counts(CONCURRENCIES if concurrency is None else concurrency)
    check_seed(seed)
    host = _host(host_cache_ratio, host_cache_gb)
    on = _is_on(prefix_cache, host)
    window = _seconds("--duration", WINDOW if duration is None else duration, 1e-3)
    cap = _seconds("--think-cap", think_cap, 0.0)
    cost_basis = cost_basis.lower()
    within("requests", max(asked) * window, "--concurrency times --duration", bytes_each=BYTES_OF_REQUEST)
    played = sessions_of(sessions)
    totals = played.totals
    if base.deployment.hit_rate:
        raise InputError("--hit-rate: a replay finds its own, with --prefix-cache on; expected none")
    base = for_lengths(base, totals.prompt / totals.requests)
    d, k = base.deployment, base.speculation.tokens
    price = cost_basis_price(d, cost_basis)
    keep = keeping(d, k, on, host, pools)
    played, notes = that_fit(base, played, keep)
    found = recorded(played, cap)
    loops = [Loop(c, _slots(base, keep, c), window, seed) for c in asked]
    tasks = [(base.speculation, base.calibration.values(), loop) for loop in loops]
    drawn: list[tuple[Speculation, Mapping[str, float], Loop]] = []
    if intervals:
        names, away = shifts(base.calibration, seed)
        sets, specs = moved(base, names, away[:DRAWS], used_parameters(base))
        short = min(window, DRAWN_WINDOW)
        drawn = [
            (spec, one, replace(loop, duration=short, seed=seed + 1 + i))
            for loop in loops
            for i, (spec, one) in enumerate(zip(specs, sets, strict=True))
        ]
    jobs = [(build_replica(d, spec, values), spec, loop) for spec, values, loop in (*tasks, *drawn)]

    def run(job: tuple[Replica, Speculation, Loop]) -> Replayed:
        replica, spec, loop = job
        return play(replica, with_rounds(found, spec, loop.seed), keep, loop, played.block_tokens)

    with ThreadPoolExecutor(cores()) as pool:
        runs = list(pool.map(run, jobs))
    own, others = runs[: len(asked)], runs[len(asked) :]
    kernels = RoundKernels.of(d, base.speculation, base.calibration.values(), ideal=False)
    each = [delivered(one, d.gpus) for one in others]
    draws = tuple(tuple(each[i * DRAWS : (i + 1) * DRAWS]) for i in range(len(asked)))
    rows = [
        _row(base, loop, one, some, keep, price, kernels) for loop, one, some in zip(loops, own, draws, strict=True)
    ]
    meta = _meta(base, played, keep, window, cap, seed, cost_basis, price, host, notes, intervals)
    return Replay(meta, tuple(rows), tuple(own), draws)


def _host(ratio: float | None, gb: float | None) -> HostTier | None:
    if ratio is not None and gb is not None:
        raise InputError("--host-cache-ratio and --host-cache-gb: expected one way to state host memory, found both")
    for option, value in (("--host-cache-ratio", ratio), ("--host-cache-gb", gb)):
        if value is not None and not 0 <= number(option, value) <= 1e6:
            raise InputError(f"{option}: expected a number from 0 to 1000000, found {brief(value)}")
    return HostTier(ratio, gb) if ratio or gb else None


def _is_on(text: str, host: HostTier | None) -> bool:
    if text not in ("on", "off"):
        raise InputError(f"--prefix-cache: expected on or off, found {brief(text)}")
    if text == "off" and host is not None:
        raise InputError(
            "--host-cache-ratio, --host-cache-gb: keep what the prefix cache finds; expected --prefix-cache on"
        )
    return text == "on"


def _seconds(option: str, value: str | float, least: float) -> float:
    found = parse_duration(option, value) if isinstance(value, str) else number(option, value, "seconds")
    if not least <= found <= MOST_SECONDS:
        raise InputError(f"{option}: expected {least:g} to {MOST_SECONDS:g} seconds, found {brief(value)}")
    return found


def _slots(scenario: Scenario, keep: Keeping, concurrency: int) -> int:
    most = scenario.deployment.engine.max_running or RUNNING * concurrency
    return whole("--concurrency", keep.slots(min(most, RUNNING * concurrency)))


def that_fit(scenario: Scenario, sessions: Sessions, keep: Keeping) -> tuple[Sessions, list[str]]:
    """The sessions as far as memory and the model's context hold their requests, and a note on the others.

    Raises:
        InputError: not one request fits.
    """
    room, most = keep.longest(sessions.block_tokens), scenario.deployment.model.context_length
    longest = room if most is None else min(room, most)
    before = sessions.totals.requests
    left = tuple(parts(sessions.items, longest)) if longest > 0 else ()
    if not left:
        d = scenario.deployment
        if longest == most:
            raise InputError(f"no request of {sessions.kind} fits in the context of {d.model.name}: {most:,} tokens")
        scenario.check_memory(1)
        raise InputError(
            f"no request of {sessions.kind} fits on {d.gpus} x {d.hardware.name} with {d.checkpoint}: "
            f"there is room for {longest:,} tokens"
        )
    fitting = replace(sessions, items=left)
    gone = before - fitting.totals.requests
    notes = (
        [f"{gone} requests left out: longer than the {longest:,} tokens {_of(longest == most)}, or after such a one"]
        if gone
        else []
    )
    return fitting, [*sessions.notes, *notes]


def _of(context: bool) -> str:
    return "of the model's context" if context else "that fit"


def _row(
    scenario: Scenario,
    loop: Loop,
    run: Replayed,
    draws: Sequence[Mapping[str, float]],
    keep: Keeping,
    price: float | None,
    kernels: RoundKernels,
) -> dict[str, Any]:
    d = scenario.deployment
    m: dict[str, Any] = dict.fromkeys(COLUMNS)
    found = delivered(run, d.gpus)
    m |= {"concurrency": loop.concurrency, "kv_tokens_capacity": keep.kv_tokens, "state_slots": keep.state_slots}
    m |= {name: found[name] for name in COLUMNS if name in found}
    if not keep.host_tokens:
        m["hit_rate_host"] = None
    verdict = _verdict(scenario, found)
    m |= _bounds(scenario, found, draws, verdict)
    if "total_tok_s_gpu" in found:
        m |= {
            n: v for n, v in derived(m, m, price, d.hardware.all_in_power).items() if not n.startswith("interactivity")
        }
        context = found["mean_input_tokens"] + 0.5 * found["mean_output_tokens"]
        batch = max(1.0, found.get("decode_batch", 1.0))
        account = explain_round(d, scenario.speculation, scenario.calibration.values(), batch, context, kernels)
        m["bound_by"] = account.bound_by
    return m | verdict.as_row()


def _verdict(scenario: Scenario, found: Mapping[str, float]) -> Verdict:
    if "mean_input_tokens" not in found:
        return Verdict((UNMEASURED,))
    lengths = found["mean_input_tokens"], found["mean_output_tokens"]
    return judge_traffic(scenario, *lengths, found.get("decode_batch")).also(UNMEASURED)


def _bounds(
    scenario: Scenario, found: Mapping[str, float], draws: Sequence[Mapping[str, float]], verdict: Verdict
) -> dict[str, float]:
    out: dict[str, float] = {}
    for name, kind in MEASURED.items():
        values = [one[name] for one in draws if one.get(name)]
        if not found.get(name) or len(values) < 2:
            continue
        noise = float(getattr(scenario.calibration.noise, kind))
        sd = float(np.sqrt(np.log(values).var(ddof=1) + noise**2 + verdict.spread(kind) ** 2))
        out[f"{name}_lo"] = found[name] * float(np.exp(-Z90 * sd))
        out[f"{name}_hi"] = found[name] * float(np.exp(Z90 * sd))
    return out


def _meta(
    scenario: Scenario,
    sessions: Sessions,
    keep: Keeping,
    window: float,
    think_cap: float,
    seed: int,
    cost_basis: str,
    price: float | None,
    host: HostTier | None,
    notes: Sequence[str],
    intervals: bool,
) -> dict[str, Any]:
    d, s, totals = scenario.deployment, scenario.speculation, sessions.totals
    meta = describe(scenario)
    for stated in ("isl", "osl", "range_ratio", "requests_per_client"):
        meta.pop(stated)
    power = d.hardware.all_in_power
    return meta | {
        "tp": d.tp,
        "ep": d.ep,
        "dp": d.dp,
        "spec_tokens": s.tokens,
        "acceptance_length": s.acceptance_length,
        "acceptance_source": s.source.text,
        "sessions": sessions.kind,
        "recorded_sessions": totals.sessions,
        "recorded_requests": totals.requests,
        "mean_input_tokens": totals.prompt / totals.requests,
        "mean_output_tokens": totals.output / totals.requests,
        "block_tokens": sessions.block_tokens,
        "duration_s": window,
        "think_cap_s": think_cap,
        "prefix_cache": None if keep.engine is None else keep.engine.states if keep.stateful else "blocks",
        "page_tokens": keep.page_tokens,
        "kv_tokens_capacity": keep.kv_tokens,
        "state_slots": keep.state_slots,
        "states_of_a_request": keep.states_each,
        "host_tokens": keep.host_tokens or None,
        "pool_gb": keep.pool_gb,
        "host_gb": keep.host_gb or None,
        "host_write": keep.engine.host_write if keep.engine is not None and host is not None else None,
        "seed": seed,
        "cost_basis": cost_basis,
        "usd_per_gpu_hour": price,
        "all_in_kw_per_gpu": None if power is None else power / KILO,
        "intervals": "90 %" if intervals else None,
        "notes": list(notes),
        "versions": versions(),
    }
