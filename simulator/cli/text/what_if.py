"""What-if studies and inferred acceptance as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulator.cli.text.compare import sentence
from simulator.cli.text.page import Column, Page, not_shown, number
from simulator.cli.text.scope import scope_column
from simulator.cli.text.what_if_cache import cache_study_table, cache_title
from simulator.results import words
from simulator.what_if import Inference, Study, WideSweep

Rows = Sequence[Mapping[str, Any]]
CACHE_NOTE = (
    "pool: tokens and states kept over those that the GPUs have room for; ratio: of the hosts' over the same; "
    "only memory changes, no speed and no price; throughput counts cached input"
)


def study_text(study: Study, piped: bool = False) -> str:
    """The main table of a study, its sentences, and the inputs that matter."""
    page = Page.of(piped)
    body, dropped = page.table(TABLES[study.kind](study))
    titles = {"workload": None, "cache": cache_title}
    title = titles.get(study.kind, words.header)
    parts = [] if title is None else [page.paragraph(title(study.meta)), ""]
    parts += [body, "", *[page.paragraph(sentence(s), "  ") for s in study.sentences]]
    notes = []
    if study.kind not in titles:
        notes += [words.calibration(study.meta), words.method(study.meta)]
    if study.kind == "cache":
        fits = " and ".join(words.values(study.meta, "calibration"))
        notes += [*words.acceptances(study.meta), f"calibration {fits}", f"seed {study.meta['seed']}", CACHE_NOTE]
    if study.kind == "acceptance":
        notes.append("break-even: 90 % interval in brackets; slope: of log(throughput), per token accepted, there")
    if study.kind == "depth":
        notes.append(_at_depth(study.meta))
    if study.kind == "sensitivity":
        notes.append(
            "total: part of the variance with interactions; inputs vary independently; ends: gain over Off there"
        )
    if study.kind == "workload":
        notes.append("break-even in tokens per round, 90 % interval in brackets; decoding: part of Off's time")
    if dropped:
        notes.append(not_shown(dropped))
    return "\n".join([*parts, "", page.paragraph("; ".join(notes) + ".")])


def _at_depth(meta: Mapping[str, Any]) -> str:
    """The acceptance at the greatest depth; the lesser ones have the first of its positions."""
    k = len(meta["acceptance_positions"])
    return f"acceptance at depth {k}: {meta['acceptance_length']:.2f} tokens per round ({meta['acceptance_source']})"


def inference_text(found: Inference, piped: bool = False) -> str:
    """The pairs, the pooled length and what it says."""
    page = Page.of(piped)
    rows = found.points
    body = page.told(
        [
            Column("curve", "", [str(r["curve"]) for r in rows], left=True, wraps=page.narrow),
            Column("clients", "", [str(r["concurrency"]) for r in rows]),
            Column("MTP / Off", str(rows[0]["metric"]), [number(r["mtp_over_off"]) for r in rows]),
            Column("acceptance length", "tokens/round", [_bracket(r, "acceptance_length", "lo", "hi") for r in rows]),
        ]
    )
    text = [page.paragraph(sentence(s), "  ") for s in found.sentences]
    notes = f"Calibrations: {', '.join(found.meta['calibrations'])}; in brackets: 90 % interval."
    return "\n".join([body, "", *text, "", page.paragraph(notes)])


def sweep_text(found: WideSweep, piped: bool = False) -> str:
    """The best TP and depth by concurrency and acceptance rate."""
    page = Page.of(piped)
    rates = sorted({r["acceptance_rate"] for r in found.best})
    shown = rates[:: -(-len(rates) // 6)]
    counts = sorted({r["concurrency"] for r in found.best})
    best = {(r["concurrency"], r["acceptance_rate"]): r for r in found.best}
    columns = [Column("clients", "", [str(c) for c in counts])]
    for rate in shown:
        cells = [_best_cell(best[c, rate]) for c in counts]
        columns.append(
            Column(f"rate {rate:.2g}", "TP, k, gain %", cells, rank=0 if rate == shown[0] else 1 + shown.index(rate))
        )
    body, dropped = page.table(columns)
    notes = [
        f"{found.meta['configurations']} configurations",
        words.calibration({"calibration": "several", "forced_outside_calibration": [], **found.meta}),
        words.scope(found.best),
    ]
    if found.meta["left_out"]:
        notes.append(f"left out, since not even one request fits in memory: {', '.join(found.meta['left_out'])}")
    notes += found.meta.get("concurrency_left_out", [])
    notes.append("of each concurrency and rate the TP and depth of highest throughput per GPU, and its gain over Off")
    if dropped:
        notes.append(not_shown(dropped))
    if dropped or len(shown) < len(rates):
        notes.append("not all rates are shown: all are in --format csv and json")
    return "\n".join([body, "", page.paragraph("; ".join(notes) + ".")])


def _best_cell(row: Mapping[str, Any]) -> str:
    return f"{row['tp']}, {row['spec_tokens']}, {_percent(row['gain_over_off'])}"


def _acceptance(study: Study) -> list[Column]:
    rows = study.tables["break_even"]
    return [
        Column("clients", "", [str(r["concurrency"]) for r in rows]),
        Column("break-even length", "tokens/round", [_break_even(r, "acceptance_length") for r in rows]),
        Column("rate", "", [_break_even(r, "acceptance_rate") for r in rows], 1),
        Column("gain at rate 0", "%", [_percent(r["gain_at_rate_0"]) for r in rows]),
        Column("gain at rate 1", "%", [_percent(r["gain_at_rate_1"]) for r in rows]),
        Column("slope", "1/token", [number(r["dlog_throughput_dlength"]) for r in rows], 2),
        *scope_column(rows),
    ]


def _depth(study: Study) -> list[Column]:
    rows = study.tables["best"]
    return [
        Column("clients", "", [str(r["concurrency"]) for r in rows]),
        Column("best depth", "tokens", [str(r["spec_tokens"]) for r in rows]),
        Column("within 1 %", "", [",".join(map(str, r["alike"])) for r in rows]),
        Column("tokens", "per round", [number(r["acceptance_length"]) for r in rows], 2),
        Column("throughput", "tok/s/GPU", [number(r["total_tok_s_gpu"], 4) for r in rows]),
        Column("over Off", "%", [_percent(r["gain_over_off"]) for r in rows]),
        Column("over one depth", "%", [_percent(r["gain_over_fixed"], 1) for r in rows], 1),
        Column("adapting adds", "%", [_percent(r["adaptive_gain"], 1) for r in rows], 1),
        *scope_column(rows),
    ]


def _workload(study: Study) -> list[Column]:
    rows = study.tables["points"]
    where = [f"{r['hardware']} {r['precision'].upper()} TP{r['tp']}" for r in rows]
    return [
        Column("", "", where, left=True),
        Column("lengths", "in/out", [f"{r['isl']}/{r['osl']}" for r in rows]),
        Column("clients", "", [str(r["concurrency"]) for r in rows]),
        Column("Off", "tok/s/GPU", [number(r["off_total_tok_s_gpu"], 4) for r in rows], 2),
        Column("MTP", "tok/s/GPU", [number(r["total_tok_s_gpu"], 4) for r in rows], 1),
        Column("gain", "%", [_percent(r["gain_over_off"]) for r in rows]),
        Column("decoding", "%", [number(100 * r["off_decode_share"], 2) for r in rows], 3),
        Column("break-even", "tokens/round", [_break_even(r, "break_even_length") for r in rows]),
        *scope_column(rows),
    ]


def _sensitivity(study: Study) -> list[Column]:
    rows = [r for r in study.tables["indices"] if r["answer"] == "gain"]
    bars = {r["input"]: r for r in study.tables["tornado"] if r["answer"] == "gain"}
    chosen = [bars[r["input"]] for r in rows]
    return [
        Column("input", "", [str(r["input"]) for r in rows], left=True),
        Column("from", "", [str(b["low_text"]) for b in chosen], 1),
        Column("to", "", [str(b["high_text"]) for b in chosen], 1),
        Column("total", "% of variance", [f"{100 * r['total']:.1f} ±{100 * r['total_ci']:.1f}" for r in rows]),
        Column("alone", "%", [f"{100 * r['first']:.1f} ±{100 * r['first_ci']:.1f}" for r in rows], 2),
        Column("low end", "gain %", [_percent(b["at_low"]) for b in chosen]),
        Column("high end", "gain %", [_percent(b["at_high"]) for b in chosen]),
    ]


TABLES: dict[str, Callable[[Study], list[Column]]] = {
    "acceptance": _acceptance,
    "depth": _depth,
    "workload": _workload,
    "sensitivity": _sensitivity,
    "cache": cache_study_table,
}


def _break_even(row: Mapping[str, Any], name: str) -> str:
    if row[name] is None:
        return str(row["mtp_pays"])
    return _bracket(row, name, f"{name}_lo", f"{name}_hi")


def _bracket(row: Mapping[str, Any], name: str, low: str, high: str) -> str:
    if row[name] is None:
        return "-"
    ends = [f"{row[end]:.2f}" if row[end] is not None else "-" for end in (low, high)]
    return f"{row[name]:.2f} [{ends[0]}, {ends[1]}]"


def _percent(value: float, digits: int = 0) -> str:
    return f"{100 * value:+.{digits}f}"
