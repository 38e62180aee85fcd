"""Recorded sessions with one thing changed: MTP against Off, prefix cache on against off, host tier against none."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from simulator.errors import InputError
from simulator.prediction.cliff import Cliff, cliff_of, mean_working_set
from simulator.prediction.compare import check_at, round_interactivities, scope_near
from simulator.prediction.frontier import INTERACTIVITY, THROUGHPUT, Frontier, pareto_front
from simulator.prediction.intervals import Z90
from simulator.prediction.matched import Comparison, MatchedPoint, Spec, read_fronts
from simulator.prediction.replay import Replay, check_counts, replay, sessions_of
from simulator.results.table import Result
from simulator.serving.scenario import Scenario, make_scenario
from simulator.speculation.acceptance import OFF
from simulator.traffic.sessions import Sessions

Arm = Literal["base", "off", "no_cache", "host"]
Rows = tuple[Mapping[str, Any], ...]

CONCURRENCIES = (4, 8, 16, 24, 32, 48, 64, 96)
WINDOW = 1200.0
"""Seconds in which requests are sent: a third of the benchmark's, so that all arms together take no longer."""
RATIO = 1.5
P90 = "p90_interactivity_tok_s_user"
PAIRS: dict[str, tuple[Arm, Arm, dict[Spec, str]]] = {
    "mtp": ("base", "off", {"mtp": "MTP", "off": "Off"}),
    "prefix_cache": ("base", "no_cache", {"mtp": "cache on", "off": "cache off"}),
    "host": ("host", "base", {"mtp": "hosts on", "off": "hosts off"}),
}
"""What is compared -> the side with it, the side without, and their names."""
LEAST_DRAWS = 4
"""Draws whose curves must both exist at a place for an interval there."""


@dataclass(frozen=True)
class AgenticComparison(Result):
    """A comparison under recorded sessions.

    Attributes:
        meta: every input, as of a replay.
        rows: as of :func:`~simulator.replay`, per arm (``base``, ``off``, ``no_cache``, ``host``) and concurrency.
        matched: readings at matched P90 interactivity, per comparison (``mtp``, ``prefix_cache``, ``host``) the side
            with it, then the side without; ``gain`` is the throughput of the first over the second, less 1.
        fronts: arm -> its front of throughput over P90 interactivity; an arm that nothing was measured of has none.
        comparisons: what is compared -> bands and sentences.
        cliff: where the working set leaves the cache.
        sentences: what a reader needs, the cliff last.
    """

    meta: Mapping[str, Any]
    rows: Rows
    matched: Rows
    fronts: Mapping[Arm, Frontier]
    comparisons: Mapping[str, Comparison]
    cliff: Cliff
    sentences: tuple[str, ...]

    def records(self) -> Rows:
        """The rows of all arms."""
        return self.rows

    def document(self) -> Mapping[str, Any]:
        """``meta``, ``rows``, ``matched``, ``bands``, ``cliff``, ``sentences``."""
        bands = {arm: front.band for arm, front in self.fronts.items()}
        return {
            "meta": self.meta,
            "rows": self.rows,
            "matched": self.matched,
            "bands": bands,
            "cliff": self.cliff.as_row(),
            "sentences": self.sentences,
        }


def compare_agentic(
    scenario: Scenario | None = None,
    sessions: Sessions | str | os.PathLike[str] | Sequence[str] | None = None,
    *,
    concurrency: Sequence[int] | None = None,
    at: Sequence[float] = (),
    host_cache_ratio: float = RATIO,
    duration: str | float = WINDOW,
    think_cap: str | float = 10.0,
    seed: int = 0,
    cost_basis: str = "hyperscaler",
    intervals: bool = True,
) -> AgenticComparison:
    """MTP against Off, prefix cache on against off, and a host tier against none, under recorded sessions.

    All arms play the same sessions in the same order. Of each the front of throughput over P90 interactivity is splined
    and read where both sides of a comparison exist; nothing is extrapolated. Intervals of gains rest on draws of the
    calibration and of the order of sessions that both sides share; that no run of such lengths was measured is not in
    them, as it is in those of the rows.

    Args:
        scenario: the replica, as of :func:`~simulator.replay`; None: the default one with MTP 3. Without drafts there
            is no arm ``off``.
        sessions: paths of files or folders, or sessions already read; None: those that ship.
        concurrency: live session trees; None: 4, 8, 16, 24, 32, 48, 64 and 96. A spline between two points hangs on
            those beside them, so a per cent between fronts says nothing.
        at: P90 interactivities in tok/s/user; none: round ones inside the band where both curves exist.
        host_cache_ratio: of the arm with a host tier. Where none is known for the engine or accelerator, there is no
            such arm.
        duration: in which requests are sent, such as ``"20min"``, or seconds.
        think_cap: no request waits longer than this after what it waits for.
        seed: of the order of the sessions, where the lanes begin, and accepted drafts.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.
        intervals: give 90 % intervals.

    Raises:
        InputError: bad arguments or files, no room for a single request, or a ratio that is not above 0.

    Example:
        >>> from simulator import compare_agentic, make_scenario
        >>> found = compare_agentic(make_scenario(mtp=3), concurrency=[1, 2], duration="1min", intervals=False)
        >>> found.sentences[-1][:26]
        'no cliff up to 2 sessions:'
    """
    base = scenario or make_scenario(mtp=3)
    asked = sorted(check_counts(CONCURRENCIES if concurrency is None else concurrency))
    check_at(at)
    if not host_cache_ratio > 0:
        raise InputError(
            f"--host-cache-ratio: expected a number above 0 to compare with none, found {host_cache_ratio}"
        )
    played = sessions_of(sessions)
    common: dict[str, Any] = {
        "concurrency": asked,
        "duration": duration,
        "think_cap": think_cap,
        "seed": seed,
        "cost_basis": cost_basis,
        "intervals": intervals,
    }
    runs: dict[Arm, Replay] = {"base": replay(base, played, **common)}
    notes: list[str] = []
    if base.speculation.tokens:
        runs["off"] = replay(base.drafting(OFF), played, **common)
    else:
        notes.append("no drafts: nothing to compare with MTP off")
    runs["no_cache"] = replay(base, played, prefix_cache="off", **common)
    try:
        runs["host"] = replay(base, played, host_cache_ratio=host_cache_ratio, **common)
    except InputError as fault:
        notes.append(f"no host tier to compare with: {fault}")
    rows = tuple({"arm": arm, **row} for arm, run in runs.items() for row in run.rows)
    fronts = {arm: front for arm, run in runs.items() if (front := front_of(run.rows)) is not None}
    comparisons, matched, said = {}, [], []
    for name, (one, other, names) in PAIRS.items():
        if one not in fronts or other not in fronts:
            continue
        places = tuple(at) or round_interactivities(fronts[one].band, fronts[other].band)
        comparisons[name] = found = read_fronts(fronts[one], fronts[other], places, names)
        own = _matched(name, found, runs[one], runs[other], intervals)
        matched += own
        gains = [_ends(row, names["mtp"]) for row in own if "gain" in row]
        each = [f"{text}{ends}" for text, ends in zip(found.sentences[:-1], gains, strict=True)]
        said += [*together(each), _band(found, names), _most(fronts[one], fronts[other], names)]
    cliff = cliff_of(
        runs["base"].rows, runs["host"].rows if "host" in runs else (), mean_working_set(played), host_cache_ratio
    )
    asked_for = runs["base"].meta
    meta = {
        **asked_for,
        "host_cache_ratio": host_cache_ratio if "host" in runs else None,
        "notes": [*asked_for["notes"], *notes],
    }
    sentences = (*said, *notes, cliff.sentence)
    return AgenticComparison(meta, rows, tuple(matched), fronts, comparisons, cliff, sentences)


def arm_names(meta: Mapping[str, Any]) -> dict[str, str]:
    """Arm -> what it is, in words, of the inputs of a comparison."""
    k, ratio = meta["spec_tokens"], meta["host_cache_ratio"]
    own = f"MTP {k}" if k else "Off"
    host = "" if ratio is None else f"{own}, hosts {ratio:g}"
    return {"base": own, "off": "Off", "no_cache": f"{own}, cache off", "host": host}


def together(sentences: Sequence[str]) -> list[str]:
    """Sentences on interactivities, those that say the same in one.

    Example:
        >>> together(["at 30 tok/s/user all is well", "at 40 tok/s/user all is well", "at 50 tok/s/user it is not"])
        ['at 30 and 40 tok/s/user all is well', 'at 50 tok/s/user it is not']
    """
    places: dict[str, list[str]] = {}
    for one in sentences:
        at, _, text = one.partition(" tok/s/user ")
        places.setdefault(text, []).append(at.removeprefix("at "))
    return [f"at {' and '.join(filter(None, (', '.join(p[:-1]), p[-1])))} tok/s/user {t}" for t, p in places.items()]


def _band(found: Comparison, names: Mapping[Spec, str]) -> str:
    text = found.sentences[-1]
    return text if found.band is None else f"{names['mtp']} and {names['off']}: {text}"


def _most(one: Frontier, other: Frontier, names: Mapping[Spec, str]) -> str:
    """Where each side delivers most, whatever the interactivity."""
    parts = []
    for front, name in ((one, names["mtp"]), (other, names["off"])):
        most, at = float(front.columns[THROUGHPUT][0]), front.band[0]
        parts.append(f"{name} {most:,.0f} tok/s/GPU at {at:.3g} tok/s/user")
    return f"most of all: {', '.join(parts)}"


def front_of(rows: Sequence[Mapping[str, Any]]) -> Frontier | None:
    """The front of throughput over P90 interactivity; None: no row has both.

    Cost and tok/s/MW follow from the splined throughput, as on the pages of the benchmark.
    """
    some = [row for row in rows if row.get(P90) and row.get(THROUGHPUT)]
    if not some:
        return None
    columns = {INTERACTIVITY: [row[P90] for row in some]}
    names = (THROUGHPUT, "cost_usd_per_mtok", "tok_s_per_mw", "concurrency")
    return Frontier.from_points(columns | {name: [row.get(name) for row in some] for name in names}, "derived")


def _matched(name: str, found: Comparison, one: Replay, other: Replay, intervals: bool) -> list[dict[str, Any]]:
    """Both sides at every place, with the gain of the first."""
    out = []
    shared = intervals and one.meta["calibration_hash"] == other.meta["calibration_hash"]
    for mine, theirs in zip(found.points[::2], found.points[1::2], strict=True):
        gain = mine.total_tok_s_gpu / theirs.total_tok_s_gpu - 1.0
        sd = log_sd(one, other, mine.interactivity_tok_s_user) if shared and math.isfinite(gain) else None
        ends = (
            {}
            if sd is None
            else {
                f"gain{end}": (1.0 + gain) * math.exp(sign * Z90 * sd) - 1.0 for end, sign in (("_lo", -1), ("_hi", 1))
            }
        )
        for side, run, point in ((PAIRS[name][0], one, mine), (PAIRS[name][1], other, theirs)):
            row = {"compared": name, "arm": side, **_reading(point, run)}
            if point is mine:
                row |= {"gain": gain if math.isfinite(gain) else None, **ends}
            out.append(row)
    return out


def _ends(row: Mapping[str, Any], side: str) -> str:
    """The interval of the gain of a side, in words; nothing where there is none."""
    if row.get("gain_lo") is None:
        return ""
    low, high = (round(100 * row[name]) for name in ("gain_lo", "gain_hi"))
    return f" (gain of {side} in tok/s/GPU, 90 % interval: {low:+d} to {high:+d} %)"


def _reading(point: MatchedPoint, run: Replay) -> dict[str, Any]:
    read = point.as_row()
    at = read.pop(INTERACTIVITY)
    read.pop("spec")
    rows = [{**row, INTERACTIVITY: row[P90]} for row in run.rows if row.get(P90) and row.get(THROUGHPUT)]
    front = pareto_front([row[P90] for row in rows], [row[THROUGHPUT] for row in rows])
    return {P90: at, **read, **scope_near(point.interactivity_tok_s_user, [rows[i] for i in front])}


def log_sd(one: Replay, other: Replay, at: float) -> float | None:
    """Standard deviation of the log of the gain over the draws that both sides share; None: too few reach there."""
    logs = []
    for mine, theirs in zip(_drawn(one), _drawn(other), strict=True):
        fronts = front_of(mine), front_of(theirs)
        if fronts[0] is not None and fronts[1] is not None:
            read = [front.at(at)[THROUGHPUT] for front in fronts if front is not None]
            if all(math.isfinite(value) for value in read):
                logs.append(math.log(read[0] / read[1]))
    return float(np.std(logs, ddof=1)) if len(logs) >= LEAST_DRAWS else None


def _drawn(run: Replay) -> list[list[dict[str, Any]]]:
    """Of every draw its rows, one per concurrency."""
    counts = [row["concurrency"] for row in run.rows]
    each = zip(*run.draws, strict=True)
    return [[{"concurrency": c, **found} for c, found in zip(counts, rows, strict=True)] for rows in each]
