"""A simulated fleet as text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from simulator.cli.text.page import Column, Page, number
from simulator.prediction.simulate import Simulation
from simulator.results import words
from simulator.serving.delivered import Delivered, Load
from simulator.serving.fleet_cost import Cost
from simulator.serving.saturation import OVERLOADED, SATURATED, TOO_SHORT
from simulator.units import duration_text

STATES = {
    SATURATED: "SATURATED: the queue grows by {growth} requests per second, so there is no steady latency",
    TOO_SHORT: "The run is too short for a steady state: take a longer --duration",
    OVERLOADED: "Overloaded at times: requests piled up and the latencies are those of this traffic only",
}


def simulation_text(result: Simulation, piped: bool = False) -> str:
    """Title, verdict, latencies and what it costs."""
    page, meta, found = Page.of(piped), result.meta, result.delivered
    fleet = f"{meta['replicas']} replica{'s' if meta['replicas'] > 1 else ''}, {meta['router']}"
    if "prefill_replicas" in meta:
        fleet += f", {words.pool(meta)}"
    parts = [
        page.paragraph(f"{open_title(meta)}, {fleet}"),
        page.paragraph(f"{meta['traffic']}; {meta['lengths']}."),
        "",
    ]
    warning = STATES.get(found.state, "").format(growth=number(found.queue_growth_per_s))
    if warning:
        parts += [page.paragraph(warning + "."), ""]
    if found.ttft is not None:
        parts += [_latencies(page, found), ""]
    lines = [
        *_load(found.load, meta),
        *_hits(found, meta),
        *_promises(found),
        cost_line(result.fleet.total_gpus, result.cost),
    ]
    parts += [page.paragraph(line, "  ") for line in lines]
    notes = [
        *words.acceptances(meta),
        *words.hit_rates(meta),
        words.calibration(meta),
        f"scope: {result.verdict.text}",
        f"seed {meta['seed']}",
    ]
    return "\n".join([*parts, "", page.paragraph("; ".join(notes) + ".")])


def open_title(meta: Mapping[str, Any]) -> str:
    """What one replica is."""
    spec = f"MTP {meta['spec_tokens']}" if meta["spec_tokens"] else "MTP off"
    extra = "".join(f", {key.upper()} {meta[key]}" for key in ("ep", "dp") if meta.get(key, 1) != 1)
    return (
        f"{meta['model']} {meta['checkpoint']} on {meta['hardware']}, {meta['engine']}, TP {meta['tp']}{extra}, {spec}"
    )


def _latencies(page: Page, found: Delivered) -> str:
    rows = {"TTFT": found.ttft, "TPOT": found.tpot, "end to end": found.e2e}
    columns = [Column("latency", "", list(rows), left=True)]
    for name, rank in (("mean", 0), ("median", 0), ("p90", 2), ("p95", 1), ("p99", 0)):
        cells = [number(None if latency is None else getattr(latency, name)) for latency in rows.values()]
        columns.append(Column(name, "ms", cells, rank))
    return page.told(columns)


def _load(load: Load, meta: Mapping[str, Any]) -> list[str]:
    refused = f", {load.refused} refused ({100 * load.refused_share:.2g} %)" if load.refused else ", none refused"
    return [
        f"Requests: {load.requests} counted{refused}; {number(load.offered_per_s)} per second offered, "
        f"{number(load.completed_per_s)} completed; at most {meta['max_running']} run in a replica.",
        f"Utilisation {100 * load.utilisation:.0f} % ({100 * load.utilisation_lo:.0f} to "
        f"{100 * load.utilisation_hi:.0f} % per replica), {100 * load.prefill_share:.0f} % of it prefill; mean batch "
        f"{number(load.decode_batch)}; {number(load.total_tok_s_gpu, 4)} tok/s/GPU.",
    ]


def _hits(found: Delivered, meta: Mapping[str, Any]) -> list[str]:
    """What the prefix caches found."""
    if found.hits is None:
        return []
    return [
        f"Prefix caches: {100 * found.hits.hit_rate_gpu:.1f} % of the input found, "
        f"{100 * found.hits.hit_rate_ideal:.1f} % with an endless one for all; each replica has room for "
        f"{meta['kv_tokens_capacity']:,} tokens."
    ]


def _promises(found: Delivered) -> list[str]:
    """Each promise with what was reached, and the goodput."""
    lines = []
    for one in found.promises:
        value = duration_text(one.seconds) if math.isfinite(one.seconds) else "unbounded"
        verdict = "kept" if one.kept else "BROKEN"
        sure = ""
        if one.interval is not None and one.probability is not None:
            low, high = (duration_text(end) for end in one.interval)
            sure = f"; 90 % interval {low} to {high}, holds with {100 * one.probability:.0f} %"
        lines.append(f"{one.promise.name} {value} of {duration_text(one.promise.limit)}: {verdict}{sure}.")
    if found.goodput is not None:
        lines.append(
            f"Goodput: {number(found.goodput.per_s)} requests per second within all limits, "
            f"{100 * found.goodput.share:.1f} %."
        )
    return lines


def cost_line(gpus: int, cost: Cost) -> str:
    """GPUs, money and power, each with its basis."""
    money = "no price in the hardware profile"
    if cost.usd_per_hour is not None:
        money = (
            f"{number(cost.usd_per_hour, 4)} USD/h, {number(cost.cost_usd_per_mtok)} USD per M tokens in and out "
            f"({cost.cost_basis}, {cost.usd_per_gpu_hour:g} USD per GPU and hour)"
        )
    power = "no all-in power in the hardware profile"
    if cost.power_mw is not None:
        power = f"{number(cost.power_mw)} MW ({cost.all_in_kw_per_gpu:g} kW per GPU, all-in)"
    return f"{gpus} GPUs: {money}; {power}."
