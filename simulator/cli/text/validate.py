"""A validation as text: the verdict, rows by curve, findings with their reasons, and implied acceptance lengths."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from simulator.cli.text.compare import sentence
from simulator.cli.text.page import Column, Page, not_shown, number
from simulator.results import words
from simulator.validation import Expected, Pair, Report, RowVerdict
from simulator.validation.reason import METRIC_WORDS, RANK, Place, Reason

MANY_ROWS = 60
"""With more rows than this only those that are not clean are listed."""
MOST_ROWS = 30
"""Rows of one curve that are listed then, the worst first."""
MOST_FINDINGS = 200
MOST_PLACES = 8
COLUMNS = (
    ("throughput", "tok/s/GPU", ("total_tok_s_gpu",), ("total_tok_s_gpu", "output_tok_s_gpu")),
    ("interactivity", "tok/s/user", (), ("interactivity_tok_s_user",)),
    ("TPOT", "ms", ("mean_tpot_ms", "median_tpot_ms"), ("mean_tpot_ms", "median_tpot_ms")),
    ("TTFT", "ms", ("mean_ttft_ms", "median_ttft_ms"), ("mean_ttft_ms", "median_ttft_ms")),
)
"""Title, unit, metrics expected and columns measured, the first that a row has."""


def validation_text(report: Report, piped: bool = False) -> str:
    """The whole report, 80 columns wide where there are no more."""
    page = Page.of(piped)
    several = len(report.meta["files"]) > 1
    parts = [page.paragraph(_headline(report)), ""]
    silent = () if len(report.rows) <= MANY_ROWS else ("clean", "unchecked")
    dropped: dict[str, None] = {}
    curves: dict[str, list[RowVerdict]] = {}
    for row in report.rows:
        curves.setdefault(row.curve, []).append(row)
    for curve, everything in curves.items():
        members = [row for row in everything if row.verdict not in silent]
        if not members:
            continue
        if silent:
            members = sorted(members, key=lambda row: -RANK[row.verdict])[:MOST_ROWS]
        rest = f", {len(everything) - len(members)} rows not shown" if len(everything) > len(members) else ""
        body, missing = page.table(_columns(members, several))
        dropped |= dict.fromkeys(missing)
        parts += [page.paragraph(f"{curve}{_calibration(report, curve)}{rest}"), body, ""]
    if dropped:
        parts += [page.paragraph(not_shown(dropped) + "."), ""]
    for reason in report.findings[:MOST_FINDINGS]:
        parts += [_finding(page, reason, several), ""]
    if len(report.findings) > MOST_FINDINGS:
        more = len(report.findings) - MOST_FINDINGS
        parts += [page.paragraph(f"... and {more} more findings, none worse than the last: --format json"), ""]
    if report.pairs:
        parts += [page.paragraph("Acceptance length, tokens per round, that MTP/Off pairs imply:"), ""]
        for curve in dict.fromkeys(pair.curve for pair in report.pairs):
            parts += [page.paragraph(curve), page.told(_pair_columns(report, curve)), ""]
        parts += [page.paragraph(line, "  ") for line in _unsolved(report)]
        parts.append("")
    if any(row.expected for row in report.rows):
        parts.append(page.paragraph(_conventions(report)))
        parts.append(page.paragraph(sentence(words.scope(report.records()))))
    return "\n".join(parts).rstrip()


def _headline(report: Report) -> str:
    counts = ", ".join(
        f"{count} {verdict}" for verdict, count in report.counts.items() if count or verdict == "unchecked"
    )
    files = ", ".join(Path(name).name for name in report.meta["files"])
    return f"{report.verdict.upper()}. {len(report.rows)} rows of {files}: {counts}."


def _calibration(report: Report, curve: str) -> str:
    used = report.meta["calibration"].get(curve)
    if used is None:
        return " (no expectation)"
    forced = f", FORCED outside of what it was fitted to: {'; '.join(used['forced_outside'])}"
    return f" (expected by {used['name']}{forced if used['forced_outside'] else ''})"


def _columns(rows: Sequence[RowVerdict], several: bool) -> list[Column]:
    columns = [Column("file", "", [Path(row.row.file).name for row in rows], 3, left=True)] if several else []
    columns += [
        Column("line", "", [f"{row.row.line}" for row in rows]),
        _load(rows),
    ]
    for title, unit, metrics, names in COLUMNS:
        found = [next((row.expected[m] for m in metrics if m in row.expected), None) for row in rows]
        values = [next((v for n in names if (v := getattr(row.row, n, None)) is not None), None) for row in rows]
        if any(value is not None for value in values):
            columns.append(Column(title, unit, [number(value, 4) for value in values]))
        if any(found):
            columns.append(Column("off", "%", [_off(e) for e in found], 1))
    return [*columns, Column("verdict", "", [row.verdict for row in rows], left=True)]


def _load(rows: Sequence[RowVerdict]) -> Column:
    """Clients, or of an open loop the rate."""
    rates = [getattr(row.row, "request_rate_per_s", None) for row in rows]
    if any(rate is not None for rate in rates):
        return Column("rate", "req/s", [number(rate) for rate in rates])
    return Column("clients", "", ["-" if row.row.concurrency is None else f"{row.row.concurrency:g}" for row in rows])


def _off(expected: Expected | None) -> str:
    """Measured against expected, and the half-width of the interval, both in per cent: ``+3 ±6``."""
    if expected is None:
        return "-"
    half = (expected.high / expected.low) ** 0.5 - 1.0
    return f"{100 * (expected.ratio - 1):+.0f} ±{100 * half:.0f}"


def _finding(page: Page, reason: Reason, several: bool) -> str:
    head = f"{reason.severity}, {_places(reason.places, several)}, {reason.kind}:"
    width = min(page.width, 100)
    return textwrap.fill(f"{head} {reason.message}", width, subsequent_indent="  ", break_on_hyphens=False)


def _places(places: Sequence[Place], several: bool) -> str:
    files = dict.fromkeys(file for file, _ in places)
    words = []
    for file in files:
        lines = sorted({line for name, line in places if name == file})
        more = f" and {len(lines) - MOST_PLACES} more" if len(lines) > MOST_PLACES else ""
        shown = ", ".join(map(str, lines[:MOST_PLACES])) + more
        words.append(f"{Path(file).name + ' ' if several else ''}line{'s' if len(lines) > 1 else ''} {shown}")
    return "; ".join(words)


def _pair_columns(report: Report, curve: str) -> list[Column]:
    pairs = [pair for pair in report.pairs if pair.curve == curve]
    rows = [(f"{p.concurrency}", number(p.ratio), _length(p), _stated(p)) for p in pairs]
    for pooled in report.pooled:
        if pooled.curve == curve:
            rows.append(("all", "", f"{pooled.length:.2f} ({pooled.low:.2f} to {pooled.high:.2f})", ""))
    titles = ["clients", "MTP/Off", "implied (90 %)", "stated"]
    columns = [
        Column(title, "", [row[i] for row in rows], rank=int(i == 1), left=i == 2) for i, title in enumerate(titles)
    ]
    return columns if any(row[3] for row in rows) else columns[:-1]


def _length(pair: Pair) -> str:
    if pair.length is None:
        return "none (see below)"
    return f"{pair.length:.2f} ({pair.low:.2f} to {pair.high:.2f})"


def _stated(pair: Pair) -> str:
    return "" if pair.stated is None else f"{pair.stated:g}"


def _unsolved(report: Report) -> list[str]:
    return [
        f"None at concurrency {pair.concurrency} of {pair.curve}: MTP/Off is {pair.absent}."
        for pair in report.pairs
        if pair.length is None
    ]


def _conventions(report: Report) -> str:
    inside = "; ".join(f"{METRIC_WORDS[metric][0]} {100 * share:.0f} %" for metric, share in report.coverage.items())
    beyond = report.meta["suspicious_beyond_half_widths"]
    return (
        f"off: measured against expected in %, ± the half-width of the 90 % interval; from {beyond:g} half-widths on "
        f"a row is suspicious. Inside their interval: {inside}. All numbers: --format json."
    )
