"""A plan as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.cli.text.page import Column, Page, number
from simulator.cli.text.simulate import cost_lines
from simulator.planning.answer import Answer
from simulator.results import words
from simulator.units import MILLI, duration_text


def plan_text(answer: Answer, piped: bool = False) -> str:
    """The question, the winner with its promises and intervals, the runners-up and what went in."""
    page, meta = Page.of(piped), answer.meta
    parts = [page.paragraph(_question(meta)), ""]
    if answer.winner is None:
        parts += [page.paragraph(line) for line in _impossible(answer)]
    else:
        parts += _winner(page, answer.winner, meta)
    if answer.runners_up:
        parts += ["", "Runners-up", _runners(page, answer)]
    if answer.frontier:
        parts += ["", "Rate against latency of the winner", _frontier(page, answer)]
    parts += ["", page.paragraph("; ".join(_notes(answer)) + ".")]
    return "\n".join(parts)


def _question(meta: Mapping[str, Any]) -> str:
    promised = " and ".join(f"{p['promise']} {duration_text(p['limit_s'])}" for p in meta["promises"])
    load = f"{meta['rate_per_s']:g} requests per second" if meta["gpus"] is None else f"{meta['gpus']} GPUs"
    return (
        f"{meta['model']} {meta['checkpoint']} on {meta['hardware']}, {meta['engine']}: {load}, {meta['arrivals']}; "
        f"{meta['lengths']}; promised {promised}; {meta['router']}."
    )


def _winner(page: Page, w: Mapping[str, Any], meta: Mapping[str, Any]) -> list[str]:
    spare = f" + {w['spare_replicas']} spare" if w["spare_replicas"] else ""
    found = f" serve {number(w['rate_per_s'], 4)} requests per second" if meta["gpus"] is not None else ""
    if "prefill_replicas" in w:
        return [page.paragraph(" ".join(_pools(w)[:3])), page.paragraph(_pools(w)[3]), *_kept(page, w)]
    head = (
        f"{w['gpus']} GPUs{found}: {w['replicas']}{spare} replicas of {_name(w)}, at most {w['max_running']} requests "
        f"running in each; knee at {number(w['knee_per_s'])} req/s by the closed form, "
        f"{100 * w['headroom_to_knee']:.0f} % above the planned rate."
    )
    return [page.paragraph(head), page.paragraph(cost_lines(w)[0]), *_kept(page, w)]


def _pools(w: Mapping[str, Any]) -> list[str]:
    spare = f" + {w['spare_replicas']} spare" if w["spare_replicas"] else ""
    decode = w["name"].split(" + ")[1].removesuffix(" decode")
    return [
        f"{w['gpus']} GPUs in two pools: {w['prefill_replicas']}{spare} replicas of TP{w['prefill_tp']} prefill,",
        f"{w['replicas']}{spare} of {decode} decode, at most {w['max_running']} requests running in each; the caches",
        f"take {number(w['kv_transfer_ms'])} ms at {w['kv_bandwidth_gb_s_per_gpu']:g} GB/s per GPU; knee at "
        f"{number(w['knee_per_s'])} req/s by the closed form.",
        cost_lines(w)[0],
    ]


def _kept(page: Page, w: Mapping[str, Any]) -> list[str]:
    rows = w["promises"]
    table, _ = page.table(
        [
            Column("promise", "", [r["promise"] for r in rows], left=True),
            Column("limit", "ms", [number(r["limit_ms"]) for r in rows]),
            Column("reached", "ms", [number(r["reached_ms"]) for r in rows]),
            Column("90 % interval", "ms", [f"{number(r['reached_ms_lo'])}-{number(r['reached_ms_hi'])}" for r in rows]),
            Column("holds with", "%", [f"{100 * r['probability']:.0f}" for r in rows]),
        ]
    )
    return [
        "",
        table,
        "",
        page.paragraph(_sure(w)),
        "",
        page.paragraph(f"Check it with another seed: {w['simulate']}", "  "),
    ]


def _sure(w: Mapping[str, Any]) -> str:
    text = (
        f"All promises hold with a probability of {100 * w['probability_all_hold']:.0f} %, given what the calibration "
    )
    text += "leaves uncertain. "
    if w["margin_for_95_percent"] is None:
        return text + "A third of the load does not reach 95 % either: more GPUs do not buy it."
    if w["margin_for_95_percent"] == 0:
        return text + "No margin is needed for 95 %."
    if "prefill_replicas_for_95_percent" in w:
        both = f"{w['prefill_replicas_for_95_percent']} + {w['replicas_for_95_percent']}"
        return text + f"95 % takes {both} replicas, {w['gpus_for_95_percent']} GPUs."
    if "replicas_for_95_percent" in w:
        return text + f"95 % takes {w['replicas_for_95_percent']} replicas, {w['gpus_for_95_percent']} GPUs."
    return text + f"95 % allows {number(w['rate_for_95_percent'])} requests per second."


def _runners(page: Page, answer: Answer) -> str:
    rows = answer.runners_up
    rated = answer.meta["gpus"] is not None
    return page.table(
        [
            Column("replica", "", [_name(r) for r in rows], left=True),
            Column("replicas", "", [str(r["replicas"] or "-") for r in rows]),
            Column("GPUs", "", [str(r["gpus"] or "-") for r in rows]),
            Column("rate" if rated else "USD/h", "req/s" if rated else "", [_figure(r, rated) for r in rows]),
            Column("settled by", "", [str(r.get("method", "-")) for r in rows], 2, left=True),
            Column("fails on", "", [r["fails"] for r in rows], left=True, wraps=True),
        ]
    )[0]


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['name']}{'' if row['calibrated'] else ' *'}"


def _figure(row: Mapping[str, Any], rated: bool) -> str:
    return number(row.get("rate_per_s" if rated else "usd_per_hour"), 4)


def _frontier(page: Page, answer: Answer) -> str:
    rows = answer.frontier
    names = [name for name in rows[0] if name.endswith("_ms")]
    return page.table(
        [
            Column("rate", "req/s", [number(r["rate_per_s"]) for r in rows]),
            *(Column(name.removesuffix("_ms"), "ms", [number(r[name]) for r in rows]) for name in names),
            Column("", "", [r["state"] if r["kept"] or r["state"] != "stable" else "broken" for r in rows], left=True),
        ]
    )[0]


def _impossible(answer: Answer) -> list[str]:
    lines = ["No configuration keeps the promises, however many GPUs."]
    for entry in answer.impossible:
        lines.append(
            f"{entry['promise']} {duration_text(entry['limit_ms'] * MILLI)} is missed by {100 * entry['over']:.0f} %: "
            f"the nearest possible is {duration_text(entry['nearest_ms'] * MILLI)}, with {entry['nearest_with']}, "
            "one request alone."
        )
    return lines


def _notes(answer: Answer) -> list[str]:
    meta = answer.meta
    notes = [words.calibration(meta)]
    if meta["outside_calibration"]:
        notes.append("outside of what it was fitted to (*): " + ", ".join(meta["outside_calibration"]))
    sources = {r["acceptance_source"] for r in (answer.winner or {}, *answer.runners_up) if r.get("spec_tokens")}
    notes += [f"acceptance: {source}" for source in sorted(sources)]
    notes += [f"left out: {reason}" for reason in answer.left_out]
    return [*notes, f"latencies by discrete events, seed {meta['seed']}"]
