"""A simulated fleet as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.cli.text.page import Column, Page, number
from simulator.prediction.simulate import Simulation
from simulator.results import words
from simulator.serving.saturation import OVERLOADED, SATURATED, TOO_SHORT
from simulator.units import duration_text

STATES = {
    SATURATED: "SATURATED: the queue grows by {growth} requests per second, so there is no steady latency",
    TOO_SHORT: "The run is too short for a steady state: take a longer --duration",
    OVERLOADED: "Overloaded at times: requests piled up and the latencies are those of this traffic only",
}


def simulation_text(result: Simulation, piped: bool = False) -> str:
    """Title, verdict, latencies and what it costs."""
    page, meta, f = Page.of(piped), result.meta, result.figures
    fleet = f"{meta['replicas']} replica{'s' if meta['replicas'] > 1 else ''}, {meta['router']}"
    if "prefill_replicas" in meta:
        fleet += (
            f", behind {meta['prefill_replicas']} of TP{meta['prefill_tp']} that prefill (the caches take "
            f"{number(meta['kv_transfer_ms'])} ms at {meta['kv_bandwidth_gb_s_per_gpu']:g} GB/s per GPU)"
        )
    parts = [
        page.paragraph(f"{open_title(meta)}, {fleet}"),
        page.paragraph(f"{meta['traffic']}; {meta['lengths']}."),
        "",
    ]
    warning = STATES.get(f["state"], "").format(growth=number(f["queue_growth_per_s"]))
    if warning:
        parts += [page.paragraph(warning + "."), ""]
    if f["mean_ttft_ms"] is not None:
        parts += [_latencies(page, f), ""]
    parts += [page.paragraph(line, "  ") for line in [*_load(f, meta), *promise_lines(f), *cost_lines(f)]]
    notes = [*words.acceptances(meta), words.calibration(meta), f"seed {meta['seed']}"]
    return "\n".join([*parts, "", page.paragraph("; ".join(notes) + ".")])


def open_title(meta: Mapping[str, Any]) -> str:
    """What one replica is."""
    spec = f"MTP {meta['spec_tokens']}" if meta["spec_tokens"] else "MTP off"
    extra = "".join(f", {key.upper()} {meta[key]}" for key in ("ep", "dp") if meta.get(key, 1) != 1)
    return (
        f"{meta['model']} {meta['checkpoint']} on {meta['hardware']}, {meta['engine']}, TP {meta['tp']}{extra}, {spec}"
    )


def _latencies(page: Page, f: Mapping[str, Any]) -> str:
    names = ("mean", "p50", "p90", "p95", "p99")
    rows = [("TTFT", "ttft"), ("TPOT", "tpot"), ("end to end", "e2e")]
    columns = [Column("latency", "", [title for title, _ in rows], left=True)]
    columns += [Column(name, "ms", [number(f[f"{name}_{key}_ms"]) for _, key in rows]) for name in names]
    return page.table(columns)[0]


def _load(f: Mapping[str, Any], meta: Mapping[str, Any]) -> list[str]:
    refused = f", {f['refused']} refused ({100 * f['refused_share']:.2g} %)" if f["refused"] else ", none refused"
    return [
        f"Requests: {f['requests']} counted{refused}; {number(f['offered_per_s'])} per second offered, "
        f"{number(f['completed_per_s'])} completed; at most {meta['max_running']} run in a replica.",
        f"Utilisation {100 * f['utilisation']:.0f} % ({100 * f['utilisation_lo']:.0f} to "
        f"{100 * f['utilisation_hi']:.0f} % per replica), {100 * f['prefill_share']:.0f} % of it prefill; mean batch "
        f"{number(f['decode_batch'])}; {number(f['total_tok_s_gpu'], 4)} tok/s/GPU.",
    ]


def promise_lines(f: Mapping[str, Any]) -> list[str]:
    """Each promise with what was reached, and the goodput."""
    lines = []
    for entry in f.get("promises", ()):
        reached = entry["reached_s"]
        value = duration_text(reached) if reached != float("inf") else "unbounded"
        lines.append(
            f"{entry['promise']} {value} of {duration_text(entry['limit_s'])}: {'kept' if entry['kept'] else 'BROKEN'}."
        )
    if "goodput_share" in f:
        lines.append(
            f"Goodput: {number(f['goodput_per_s'])} requests per second within all limits, "
            f"{100 * f['goodput_share']:.1f} %."
        )
    return lines


def cost_lines(f: Mapping[str, Any]) -> list[str]:
    """GPUs, money and power, each with its basis."""
    cost = "no price in the hardware profile"
    if f["usd_per_hour"] is not None:
        cost = (
            f"{number(f['usd_per_hour'], 4)} USD/h, {number(f['usd_per_mtok'])} USD per M tokens in and out "
            f"({f['cost_basis']}, {f['usd_per_gpu_hour']:g} USD per GPU and hour)"
        )
    power = "no all-in power in the hardware profile"
    if f["power_mw"] is not None:
        power = f"{number(f['power_mw'])} MW ({f['all_in_kw_per_gpu']:g} kW per GPU, all-in)"
    return [f"{f['gpus']} GPUs: {cost}; {power}."]
