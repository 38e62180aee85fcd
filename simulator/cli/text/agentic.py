"""A comparison under recorded sessions as text."""

from __future__ import annotations

from simulator.cli.text.compare import sentence
from simulator.cli.text.page import Column, Page, not_shown, number, with_interval
from simulator.cli.text.replay import memory_line, sessions_line
from simulator.cli.text.scope import scope_column
from simulator.cli.text.simulate import open_title
from simulator.prediction.agentic import PAIRS, AgenticComparison, arm_names
from simulator.results import words


def agentic_text(found: AgenticComparison, piped: bool = False) -> str:
    """Title, the runs, readings at matched interactivity, sentences and the inputs that matter."""
    page, meta = Page.of(piped), found.meta
    body, dropped = page.table(_runs(found))
    parts = [
        page.paragraph(open_title(meta)),
        page.paragraph(f"{sessions_line(meta)} {memory_line(meta)}"),
        page.paragraph(words.recipes(meta)),
        "",
        body,
        "",
    ]
    if found.matched:
        matched, more = page.table(_matched(found))
        parts += [matched, ""]
        dropped = [*dropped, *more]
    parts += [page.paragraph(sentence(text), "  ") for text in found.sentences]
    notes = [*words.acceptances(meta), words.calibration(meta), words.cost(meta), f"seed {meta['seed']}"]
    notes += [words.scope(found.rows), *(note for note in meta["notes"] if note not in found.sentences)]
    if meta["intervals"]:
        notes.append(f"±: {meta['intervals']} interval; of gains with draws that both sides share")
    if dropped:
        notes.append(not_shown(list(dict.fromkeys(dropped))))
    return "\n".join([*parts, "", page.paragraph(f"{'; '.join(notes)}.")])


def _runs(found: AgenticComparison) -> list[Column]:
    names = arm_names(found.meta)
    order = {arm: i for i, arm in enumerate(names)}
    rows = sorted(found.rows, key=lambda row: (row["concurrency"], order[row["arm"]]))

    def share(head: str, name: str, rank: int = 0) -> Column:
        return Column(head, "%", [number(None if row[name] is None else 100 * row[name], 3) for row in rows], rank)

    def band(head: str, unit: str, name: str, rank: int, digits: int) -> Column:
        cells = [with_interval(row[name], row.get(f"{name}_lo"), row.get(f"{name}_hi"), digits) for row in rows]
        return Column(head, unit, cells, rank)

    return [
        Column("sessions", "live", [f"{row['concurrency']}" for row in rows]),
        Column("", "", [names[row["arm"]] for row in rows], left=True),
        band("throughput", "tok/s/GPU", "total_tok_s_gpu", 0, 4),
        band("p90 interactivity", "tok/s/user", "p90_interactivity_tok_s_user", 1, 3),
        share("hits", "hit_rate_gpu"),
        share("host hits", "hit_rate_host", 2),
        share("ideal", "hit_rate_ideal", 3),
        Column("cost", "USD/Mtok", [number(row["cost_usd_per_mtok"]) for row in rows], 5),
        *scope_column(rows),
    ]


def _matched(found: AgenticComparison) -> list[Column]:
    rows = found.matched
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    names = [PAIRS[one["compared"]][2] for one, _ in pairs]
    return [
        Column("p90 interactivity", "tok/s/user", [f"{one['p90_interactivity_tok_s_user']:g}" for one, _ in pairs]),
        Column("", "", [f"{name['mtp']} / {name['off']}" for name in names], left=True),
        Column("with", "tok/s/GPU", [number(one["total_tok_s_gpu"], 4) for one, _ in pairs], 1),
        Column("without", "tok/s/GPU", [number(other["total_tok_s_gpu"], 4) for _, other in pairs], 2),
        Column("gain", "%", [_gain(one.get("gain"), one.get("gain_lo"), one.get("gain_hi")) for one, _ in pairs]),
    ]


def _gain(gain: float | None, low: float | None, high: float | None) -> str:
    if gain is None:
        return "-"
    ends = "" if low is None or high is None else f" [{100 * low:+.0f}, {100 * high:+.0f}]"
    return f"{100 * gain:+.0f}{ends}"
