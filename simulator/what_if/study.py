"""The answer of a what-if study: named tables, sentences, and every input beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.results.table import Result, ResultTable

Rows = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Study(Result):
    """Tables of one study.

    Attributes:
        kind: ``acceptance``, ``depth``, ``workload``, ``sensitivity`` or ``cache``.
        meta: every input.
        tables: name -> rows; the first is the main one. Units are those of :data:`simulator.results.columns.UNITS`;
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

    def records(self) -> Rows:
        """The main table."""
        return next(iter(self.tables.values()))

    def document(self) -> Mapping[str, Any]:
        """``meta``, a list per table, ``sentences``."""
        return {"meta": self.meta, **self.tables, "sentences": self.sentences}
