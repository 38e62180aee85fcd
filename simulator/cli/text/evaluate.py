"""An evaluation as text: errors by group, then over all rows, then the worst rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.cli.text.page import Column, Page, number
from simulator.fitting.evaluate import Evaluation

SHORT = {
    "total_tok_s_gpu": "throughput",
    "mean_tpot_ms": "TPOT",
    "median_tpot_ms": "median TPOT",
    "mean_ttft_ms": "TTFT",
    "median_ttft_ms": "median TTFT",
    "p99_ttft_ms": "p99 TTFT",
    "cost_usd_per_mtok": "cost",
    "tok_s_per_mw": "per power",
    "concurrency": "clients",
}
WORST = 5


def evaluation_text(result: Evaluation, piped: bool = False) -> str:
    """MAPE and coverage tables, and what was used."""
    page = Page.of(piped)
    metrics = list(result.mape)
    parts = []
    if result.groups:
        parts += [_groups(page, result.groups, metrics), ""]
    summary = [Column("all rows", "", ["MAPE", "inside 90 % interval"] if result.coverage90 else ["MAPE"], left=True)]
    for m in metrics:
        cells = [percent(result.mape[m])]
        if result.coverage90:
            cells.append(percent(result.coverage90.get(m)))
        summary.append(Column(SHORT[m], "%", cells))
    parts += [page.table(summary)[0], ""]
    parts.append(_frontier(page, result.points) if not result.groups else _worst(page, result.points, metrics))
    meta = result.meta
    notes = [f"{meta['rows']} rows", f"calibration {meta['calibration']}"]
    notes += [f"acceptance: {source}" for source in meta.get("acceptance_sources", [])]
    if meta["forced_outside_calibration"]:
        notes.append(f"FORCED outside the calibration: {', '.join(meta['forced_outside_calibration'])}")
    notes += meta["on_bounds"]
    return "\n".join([*parts, "", page.paragraph("; ".join(notes) + "."), ""])


def percent(fraction: float | None) -> str:
    """A fraction in percent with one decimal."""
    return "-" if fraction is None else f"{100 * fraction:.1f}"


def _groups(page: Page, groups: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> str:
    def text(name: str) -> list[str]:
        return [str(g[name]) for g in groups]

    differ = [name for name in ("hardware", "model") if len(set(text(name))) > 1]
    columns = [
        Column("engine", "", text("engine"), left=True),
        *(Column(name, "", text(name), left=True) for name in differ),
        Column("weights", "", text("precision"), left=True),
        Column("spec", "", text("spec"), left=True),
        Column("ISL/OSL", "tokens", [f"{g['isl']}/{g['osl']}" for g in groups]),
        Column("TP", "GPUs", text("tp")),
        Column("rows", "", text("rows")),
    ]
    columns += [Column(SHORT[m], "MAPE %", [percent(g["mape"].get(m)) for g in groups]) for m in metrics]
    return page.table(columns)[0]


def _worst(page: Page, points: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> str:
    found = [(abs(p[f"error_{m}"]), p, m) for p in points for m in metrics if f"error_{m}" in p]
    found.sort(key=lambda entry: -entry[0])
    rows = found[:WORST]
    columns = [
        Column(
            "worst rows",
            "",
            [f"line {p['line']}, {p['engine']} {p['precision']} {p['spec']}" for _, p, _ in rows],
            left=True,
        ),
        Column("clients", "", [str(p["concurrency"]) for _, p, _ in rows]),
        Column("metric", "", [SHORT[m] for *_, m in rows], left=True),
        Column("measured", "", [number(p[m], 4) for _, p, m in rows]),
        Column("predicted", "", [number(p[f"predicted_{m}"], 4) for _, p, m in rows]),
        Column("error", "%", [f"{100 * p[f'error_{m}']:+.1f}" for _, p, m in rows]),
    ]
    return page.table(columns)[0]


def _frontier(page: Page, points: Sequence[Mapping[str, Any]]) -> str:
    columns = [
        Column("spec", "", [p["spec"] for p in points], left=True),
        Column("interactivity", "tok/s/user", [f"{p['interactivity_tok_s_user']:g}" for p in points]),
    ]
    for m in ("total_tok_s_gpu", "cost_usd_per_mtok", "tok_s_per_mw", "concurrency"):
        columns.append(
            Column(
                SHORT[m],
                "measured / predicted",
                [f"{number(p[m], 4)} / {number(p[f'predicted_{m}'], 4)}" for p in points],
            )
        )
    return page.table(columns)[0]
