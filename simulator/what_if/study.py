"""The answer of a what-if study: named tables, sentences, and every input beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.results.table import ResultTable, rows_to_csv, to_json

Rows = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Study:
    """Tables of one study.

    Attributes:
        kind: ``acceptance``, ``depth``, ``workload`` or ``sensitivity``.
        meta: every input.
        tables: name -> rows; the first is the main one. Units are those of :data:`simulator.results.table.UNITS`;
            acceptance rates, gains and indices are fractions, lengths tokens per round.
        sentences: what a reader needs.
    """

    kind: str
    meta: Mapping[str, Any]
    tables: Mapping[str, Rows]
    sentences: tuple[str, ...]

    def table(self, name: str | None = None) -> ResultTable:
        """One table, by default the main one."""
        return ResultTable(self.meta, self.tables[name or next(iter(self.tables))])

    def to_json(self) -> str:
        """``{"meta", <a list per table>, "sentences"}``."""
        return to_json({"meta": self.meta, **self.tables, "sentences": self.sentences})

    def to_csv(self) -> str:
        """The main table as CSV."""
        return rows_to_csv(next(iter(self.tables.values())))
