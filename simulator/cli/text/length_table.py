"""Lengths of requests as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.cli.text.page import Column


def length_table(row: Mapping[str, Any]) -> list[Column]:
    """Mean, median, 95th percentile and maximum of input and output."""
    kinds = ("input", "output")
    cells = {
        start: [f"{row[f'{start}_{kind}_tokens']:,.0f}" for kind in kinds] for start in ("mean", "median", "p95", "max")
    }
    return [
        Column("length", "", list(kinds), left=True),
        *(Column(start, "tokens", values) for start, values in cells.items()),
    ]
