"""Where figures stand to what was measured, beside the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.cli.text.page import Column


def scope_column(rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """The verdict on each row; none where all of them were measured, which a note says."""
    cells = [str(row["scope"]) for row in rows]
    return [] if set(cells) <= {"inside"} else [Column("scope", "", cells, 2, left=True)]
