"""Suggested measurements as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.cli.text.evaluate import SHORT, percent
from simulator.cli.text.page import Column, Page


def suggestion_text(meta: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], piped: bool = False) -> str:
    """The candidates, the most useful first."""
    page = Page.of(piped)
    target = (
        f"Target: {SHORT[meta['metric']]} of {meta['engine']} on {meta['hardware']}, {meta['checkpoint']}, "
        f"{meta['isl']}/{meta['osl']} at concurrency {meta['concurrency']}; its 90 % interval is now "
        f"±{percent(meta['half_width_now'])} % (calibration {meta['calibration']})"
    )
    body = page.told(
        [
            Column("measure next", "ISL/OSL", [f"{r['isl']}/{r['osl']}" for r in rows], left=True),
            Column("TP", "GPUs", [str(r["tp"]) for r in rows]),
            Column("MTP", "depth", [str(r["spec_tokens"]) for r in rows]),
            Column("clients", "", [str(r["concurrency"]) for r in rows]),
            Column("interval after", "± %", [percent(r["half_width"]) for r in rows]),
            Column("parameter part", "- %", [percent(r["narrowed"]) for r in rows], 1),
        ]
    )
    note = "Run-to-run noise and model error stay in the interval whatever is measured."
    command = _command(page, meta, rows[0]) if rows else []
    return "\n".join([page.paragraph(target + "."), "", body, "", page.paragraph(note), *command])


def _command(page: Page, meta: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """The command that measures the first candidate, on lines that a shell takes, and which server it needs."""
    spec = f"MTP {row['spec_tokens']}" if row["spec_tokens"] else "MTP off"
    server = f"Against a server of {meta['checkpoint']} with TP {row['tp']}, {spec} ({meta['tool_source']}):"
    return ["", page.paragraph(server), "", lines_of(row["command"], page.width)]


def lines_of(command: str, width: int) -> str:
    """A command on lines no longer than the page where its words allow it, continued as a shell takes it.

    Example:
        >>> print(lines_of("tool --first 1 --second 2", 18))
        tool --first 1 \\
          --second 2
    """
    words, lines = command.split(" "), [""]
    for word in words:
        if lines[-1].strip() and len(lines[-1]) + len(word) + 3 > width:
            lines.append("  ")
        lines[-1] += word if not lines[-1].strip() else f" {word}"
    return " \\\n".join(lines)
