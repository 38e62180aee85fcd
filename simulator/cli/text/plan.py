"""A plan as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.cli.text.page import Column, Page, number
from simulator.cli.text.simulate import cost_line
from simulator.planning.answer import Answer
from simulator.planning.assurance import Assurance
from simulator.planning.gamble import Gamble
from simulator.planning.replica_kind import ReplicaKind
from simulator.planning.sized_fleet import SizedFleet
from simulator.planning.winner import PoolWinner, Winner, decode_name, prefill_name
from simulator.results import words
from simulator.serving.saturation import STABLE
from simulator.serving.scope import OUTSIDE
from simulator.units import GIGA, KILO, MILLI, duration_text

HALF = 0.5
"""Per cent up to which a difference is written as none."""


def plan_text(answer: Answer, piped: bool = False) -> str:
    """The question, the winner with its promises and intervals, the runners-up and what went in."""
    page, meta = Page.of(piped), answer.meta
    parts = [page.paragraph(_question(meta)), ""]
    if answer.winner is None:
        parts += [page.paragraph(line) for line in _impossible(answer)]
    else:
        parts += _winner(page, answer, answer.winner)
    if answer.runners_up:
        parts += ["", "Runners-up", _runners(page, answer)]
    if answer.frontier:
        parts += ["", "Rate against latency of the winner", _frontier(page, answer)]
    parts += ["", page.paragraph("; ".join(_notes(answer)) + ".")]
    return "\n".join(parts)


def _question(meta: Mapping[str, Any]) -> str:
    promised = " and ".join(f"{p['promise']} {duration_text(p['limit_s'])}" for p in meta["promises"])
    load = f"{meta['rate_per_s']:.6g} requests per second" if meta["gpus"] is None else f"{meta['gpus']} GPUs"
    if "traffic_source" in meta:
        load += f" ({meta['traffic_source']})"
    return (
        f"{meta['model']} {meta['checkpoint']} on {meta['hardware']}, {meta['engine']}: {load}, {meta['arrivals']}; "
        f"{meta['lengths']}; promised {promised}; {meta['router']}."
    )


def _winner(page: Page, answer: Answer, w: Winner | PoolWinner) -> list[str]:
    what = _pools(w) if isinstance(w, PoolWinner) else _fleet(w.fleet, answer.meta["gpus"] is not None)
    return [
        page.paragraph(what),
        page.paragraph(cost_line(w.gpus, w.cost)),
        "",
        _promises(page, w.sure),
        "",
        page.paragraph(_sure(w.sure)),
        *([] if answer.pools is None else [page.paragraph(_other_pools(answer.pools))]),
        *([] if w.gamble is None else [page.paragraph(_gamble(w.gamble, answer.meta["gpus"] is not None))]),
        "",
        page.paragraph(f"Check it with another seed: {answer.simulate}", "  "),
    ]


def _fleet(fleet: SizedFleet, rated: bool) -> str:
    found = f" serve {number(fleet.rate_per_s, 4)} requests per second" if rated else ""
    return (
        f"{fleet.gpus} GPUs{found}: {fleet.replicas}{_spare(fleet.spare_replicas)} replicas of {_name(fleet.kind)}, at "
        f"most {fleet.kind.max_running} requests running in each; knee at {number(fleet.knee_per_s)} req/s by the "
        f"closed form, {headroom(100 * fleet.headroom_to_knee)}. {_hits(fleet.kind)}Scope: {fleet.kind.verdict.text}."
    )


def _hits(kind: ReplicaKind) -> str:
    return f"Prefix caches hold {100 * kind.hit_rate:.0f} % of the input. " if kind.hit_rate else ""


def headroom(percent: float) -> str:
    """Where the knee is from the planned rate; discrete events settle a plan, so the closed form's may be below it."""
    if abs(percent) < HALF:
        return "at the planned rate"
    if percent > 0:
        return f"{percent:.0f} % above the planned rate"
    return f"{-percent:.0f} % below the planned rate, which discrete events serve all the same"


def _pools(w: PoolWinner) -> str:
    spare = _spare(w.spare_replicas)
    return (
        f"{w.gpus} GPUs in two pools: {w.prefill.replicas}{spare} replicas of {prefill_name(w.prefill.kind)}, "
        f"{w.decode.replicas}{spare} of {decode_name(w.decode.kind)}, at most {w.decode.kind.max_running} requests "
        f"running in each; the caches take {number(w.kv_transfer * KILO)} ms at {w.kv_bandwidth / GIGA:g} GB/s per "
        f"GPU; knee at {number(w.knee_per_s)} req/s by the closed form. Scope: {w.verdict.text}; drafts "
        "may gain anything from nothing to all that is predicted."
    )


def _spare(replicas: int) -> str:
    return f" + {replicas} spare" if replicas else ""


def _promises(page: Page, sure: Assurance) -> str:
    kept = sure.promises
    return page.told(
        [
            Column("promise", "", [p.promise for p in kept], left=True),
            Column("limit", "ms", [number(p.limit_ms) for p in kept]),
            Column("reached", "ms", [number(p.reached_ms) for p in kept]),
            Column("90 % interval", "ms", [f"{number(p.reached_ms_lo)}-{number(p.reached_ms_hi)}" for p in kept], 1),
            Column("holds with", "%", [f"{100 * p.probability:.0f}" for p in kept]),
        ]
    )


def _sure(sure: Assurance) -> str:
    text = (
        f"All promises hold with a probability of {100 * sure.probability:.0f} %, given what the calibration "
        "leaves uncertain"
    )
    if sure.confident:
        return f"{text}; {100 * sure.confidence:g} % were asked for."
    return f"{text}. Three times the GPUs, or a third of the rate, do not reach {100 * sure.confidence:g} % either."


def _gamble(gamble: Gamble, rated: bool) -> str:
    """The footnote."""
    money = "" if gamble.usd_per_hour is None else f" ({number(gamble.usd_per_hour, 4)} USD/h)"
    if rated:
        what = f"{number(gamble.rate_per_s, 4)} requests per second with {gamble.replicas} replicas of {gamble.name}"
    else:
        prefill = "" if gamble.prefill_replicas is None else f"{gamble.prefill_replicas} + "
        what = f"{gamble.gpus} GPUs{money}, {prefill}{gamble.replicas} replicas of {gamble.name}"
    return f"The {'faster' if rated else 'cheaper'} gamble: {what}, hold with {100 * gamble.probability:.0f} %."


def _other_pools(pools: Gamble) -> str:
    text = _gamble(pools, False).removeprefix("The cheaper gamble: ")
    return f"Disaggregated pools that are not sure enough: {text} Scope: {pools.verdict.text}."


def _runners(page: Page, answer: Answer) -> str:
    rows = answer.runners_up
    rated = answer.meta["gpus"] is not None
    return page.told(
        [
            Column("replica", "", [_name(r.kind) for r in rows], left=True),
            Column("replicas", "", [str(r.replicas or "-") for r in rows]),
            Column("GPUs", "", [str(r.gpus or "-") for r in rows]),
            Column("rate" if rated else "USD/h", "req/s" if rated else "", [_figure(r.fleet, rated) for r in rows], 1),
            Column("settled by", "", [r.method or "-" for r in rows], 2, left=True),
            Column("fails on", "", [r.fails for r in rows], left=True, wraps=True),
        ]
    )


def _name(kind: ReplicaKind) -> str:
    return f"{kind.name}{' *' if kind.verdict.scope in OUTSIDE else ''}"


def _figure(fleet: SizedFleet | None, rated: bool) -> str:
    if fleet is None:
        return number(None)
    return number(fleet.rate_per_s if rated else fleet.cost.usd_per_hour, 4)


def _frontier(page: Page, answer: Answer) -> str:
    points = answer.frontier
    return page.told(
        [
            Column("rate", "req/s", [number(p.rate_per_s) for p in points]),
            *(
                Column(name, "ms", [number(p.reached_ms[name]) for p in points], rank)
                for rank, name in enumerate(points[0].reached_ms)
            ),
            Column("", "", [p.state if p.kept or p.state != STABLE else "broken" for p in points], left=True),
        ]
    )


def _impossible(answer: Answer) -> list[str]:
    lines = ["No configuration keeps the promises, however many GPUs."]
    for one in answer.impossible:
        lines.append(
            f"{one.promise} {duration_text(one.limit_ms * MILLI)} is missed by {100 * one.over:.0f} %: "
            f"the nearest possible is {duration_text(one.nearest_ms * MILLI)}, with {one.nearest_with}, "
            "one request alone."
        )
    return lines


def _notes(answer: Answer) -> list[str]:
    meta = answer.meta
    notes = [*words.hit_rates(meta), words.calibration(meta)]
    if meta["outside_calibration"]:
        notes.append("outside of what it was fitted to (*): " + ", ".join(meta["outside_calibration"]))
    found = [*answer.runners_up] if answer.winner is None else [answer.winner, *answer.runners_up]
    kinds = [one.kind for one in found if one.kind.spec_tokens]
    notes += sorted(
        {f"MTP {k.spec_tokens}: {k.acceptance_length:.2f} tokens per round ({k.acceptance_source})" for k in kinds}
    )
    notes += [f"left out: {reason}" for reason in answer.left_out]
    return [*notes, f"latencies by discrete events, seed {meta['seed']}"]
