"""An evaluation as text: errors by group, then over all rows, then the worst rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.cli.text.page import Column, Page, number
from simulator.fitting.evaluate import Evaluation
from simulator.results import words

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
ALIKE = 10
"""Added to the rank of a column that is the same in all rows."""


def evaluation_text(result: Evaluation, piped: bool = False) -> str:
    """MAPE and coverage tables, and what was used."""
    page = Page.of(piped)
    metrics = list(result.mape)
    parts = []
    if result.groups:
        parts += [_groups(page, result.groups, metrics), ""]
    summary = [Column("all rows", "", ["MAPE", "inside 90 % interval"] if result.coverage90 else ["MAPE"], left=True)]
    for rank, m in enumerate(metrics):
        cells = [percent(result.mape[m])]
        if result.coverage90:
            cells.append(percent(result.coverage90.get(m)))
        summary.append(Column(SHORT[m], "%", cells, rank))
    parts += [page.told(summary), ""]
    parts.append(_frontier(page, result.points) if not result.groups else _worst(page, result.points, metrics))
    meta = result.meta
    notes = [f"{meta['rows']} rows", f"calibration {meta['calibration']}"]
    notes += [f"acceptance: {source}" for source in meta.get("acceptance_sources", [])]
    if meta["forced_outside_calibration"]:
        notes.append(f"FORCED outside the calibration: {', '.join(meta['forced_outside_calibration'])}")
    notes += [words.scope(result.points)] if result.groups else []
    notes += meta["on_bounds"]
    return "\n".join([*parts, "", page.paragraph("; ".join(notes) + "."), ""])


def percent(fraction: float | None) -> str:
    """A fraction in percent with one decimal."""
    return "-" if fraction is None else f"{100 * fraction:.1f}"


def _groups(page: Page, groups: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> str:
    def text(name: str) -> list[str]:
        return [str(g[name]) for g in groups]

    differ = [name for name in ("hardware", "model") if len(set(text(name))) > 1]

    def apart(title: str, unit: str, cells: list[str], rank: int, left: bool = True) -> Column:
        """A column that tells groups apart; one that does not is needed least."""
        return Column(title, unit, cells, rank if len(set(cells)) > 1 else rank + ALIKE, left)

    columns = [
        apart("engine", "", text("engine"), 3),
        *(apart(name, "", text(name), 2) for name in differ),
        apart("weights", "", text("precision"), 0),
        apart("spec", "", text("spec"), 0),
        apart("ISL/OSL", "tokens", [f"{g['isl']}/{g['osl']}" for g in groups], 1, left=False),
        apart("TP", "GPUs", text("tp"), 1, left=False),
        Column("rows", "", text("rows"), 4),
    ]
    columns += [
        Column(SHORT[m], "MAPE %", [percent(g["mape"].get(m)) for g in groups], 2 + rank if rank > 1 else 0)
        for rank, m in enumerate(metrics)
    ]
    return page.told(columns)


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
            wraps=page.narrow,
        ),
        _load([p for _, p, _ in rows]),
        Column("metric", "", [SHORT[m] for *_, m in rows], left=True),
        Column("measured", "", [number(p[m], 4) for _, p, m in rows], 1),
        Column("predicted", "", [number(p[f"predicted_{m}"], 4) for _, p, m in rows], 2),
        Column("error", "%", [f"{100 * p[f'error_{m}']:+.1f}" for _, p, m in rows]),
    ]
    return page.told(columns)


def _load(points: Sequence[Mapping[str, Any]]) -> Column:
    """Clients, and of an open loop the rate."""
    counts = [p["concurrency"] for p in points]
    if None not in counts:
        return Column("clients", "", list(map(str, counts)))
    return Column(
        "load",
        "",
        [f"{c} clients" if c else f"{p['request_rate_per_s']:g} req/s" for c, p in zip(counts, points, strict=True)],
    )


def _frontier(page: Page, points: Sequence[Mapping[str, Any]]) -> str:
    columns = [
        Column("spec", "", [p["spec"] for p in points], left=True),
        Column("interactivity", "tok/s/user", [f"{p['interactivity_tok_s_user']:g}" for p in points]),
    ]
    for rank, m in enumerate(("total_tok_s_gpu", "cost_usd_per_mtok", "concurrency", "tok_s_per_mw")):
        columns.append(
            Column(
                SHORT[m],
                "measured / predicted",
                [f"{number(p[m], 4)} / {number(p[f'predicted_{m}'], 4)}" for p in points],
                rank,
            )
        )
    return page.told(columns)
