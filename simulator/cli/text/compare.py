"""A comparison as text, in the shape of the published table."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.cli.text.page import Column, Page, not_shown, number, with_interval
from simulator.cli.text.scope import scope_column
from simulator.prediction.compare import Matched
from simulator.prediction.matched import LABELS
from simulator.results import words


def comparisons_text(several: Sequence[Matched], piped: bool = False) -> str:
    """The text of each, one after the other; with several, each below a line that names its draft depth."""
    texts = [comparison_text(one, piped) for one in several]
    if len(several) == 1:
        return texts[0]
    return "\n\n".join(f"== MTP {one.meta['spec_tokens']}\n{text}" for one, text in zip(several, texts, strict=True))


def comparison_text(matched: Matched, piped: bool = False) -> str:
    """Title, table, sentences and the inputs that matter."""
    page, rows, meta = Page.of(piped), matched.rows, matched.meta

    def banded(name: str, digits: int) -> list[str]:
        return [with_interval(row[name], row.get(f"{name}_lo"), row.get(f"{name}_hi"), digits) for row in rows]

    parts = [page.paragraph(words.header(meta)), ""]
    dropped: list[str] = []
    if rows:
        body, dropped = page.table(
            [
                Column("interactivity", "tok/s/user", [f"{row['interactivity_tok_s_user']:g}" for row in rows]),
                Column("", "", [LABELS[row["spec"]] for row in rows], left=True),
                Column("throughput", "tok/s/GPU", banded("total_tok_s_gpu", 4)),
                Column("cost", "USD/Mtok", [number(row["cost_usd_per_mtok"]) for row in rows]),
                Column("per power", "tok/s/MW", [number(row["tok_s_per_mw"]) for row in rows], 2),
                Column("clients", "", [number(row["concurrency"], 2) for row in rows], 1),
                Column("TP", "GPUs", ["-" if row["tp"] is None else f"{row['tp']}" for row in rows], 3),
                *scope_column(rows),
            ]
        )
        parts += [body, ""]
    parts += [page.paragraph(sentence(text), "  ") for text in (*matched.comparison.sentences, *matched.ties)]
    parts += [page.paragraph(note + ".", "  ") for note in meta["left_out"]]
    notes = [
        *words.acceptances(meta),
        *words.hit_rates(meta),
        words.calibration(meta),
        words.cost(meta),
        words.method(meta),
    ]
    notes += [words.scope(rows)] if rows else []
    if meta.get("intervals"):
        notes.append(f"±: {meta['intervals']} interval")
    if dropped:
        notes.append(not_shown(dropped))
    return "\n".join([*parts, "", page.paragraph("; ".join(notes) + ".")])


def sentence(text: str) -> str:
    """A sentence of a result with its capital and its full stop."""
    return f"{text[:1].upper()}{text[1:]}."
