"""The result of every command: rows of named columns with units, and everything that went in, beside them."""

from __future__ import annotations

import csv
import io
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from simulator.results.columns import declared
from simulator.results.printable import safe_cell

if TYPE_CHECKING:
    import pandas as pd

Rows = Sequence[Mapping[str, Any]]
SHOWN = 60
"""Rows of the table that a notebook shows; all are in the result."""


class Result(ABC):
    """What every public function answers: a main table, every input, and whatever else its own class holds.

    A value that does not exist is None, never a guess. Units of the columns: :data:`simulator.results.columns.UNITS`.
    """

    meta: Mapping[str, Any]

    @abstractmethod
    def records(self) -> Rows:
        """The main table, one mapping per row; the names carry the units."""

    def document(self) -> Mapping[str, Any]:
        """Everything, as the JSON of the command line has it."""
        return {"meta": self.meta, "rows": self.records()}

    def column(self, name: str) -> list[Any]:
        """One column of the main table in row order; None where a row has no such value."""
        return [row.get(name) for row in self.records()]

    def to_json(self) -> str:
        """:meth:`document` as strict JSON; not-a-number becomes null."""
        return to_json(self.document())

    def to_csv(self) -> str:
        """The main table as CSV, one header line."""
        return rows_to_csv(self.records())

    def to_frame(self) -> pd.DataFrame:
        """The main table as a pandas DataFrame (needs ``pip install mtpsim[frames]``)."""
        import pandas

        return pandas.DataFrame([dict(row) for row in self.records()])

    def _repr_html_(self) -> str:
        """The main table, as a notebook shows it."""
        return rows_to_html(self.records())


@dataclass(frozen=True)
class ResultTable(Result):
    """Rows and the inputs that made them."""

    meta: Mapping[str, Any]
    rows: tuple[Mapping[str, Any], ...]

    def records(self) -> Rows:
        """The rows."""
        return self.rows


def to_json(content: Mapping[str, Any]) -> str:
    """A result block as strict JSON; not-a-number becomes null."""
    return json.dumps(clean(content), indent=1, allow_nan=False)


def columns_of(rows: Rows) -> list[str]:
    """Names of all columns, in the order in which rows first have them."""
    return list(dict.fromkeys(name for row in rows for name in row))


def rows_to_csv(rows: Rows) -> str:
    """CSV text of rows that may differ in their columns; blank where a value is missing, texts of a list in one cell.

    Example:
        >>> print(rows_to_csv([{"a": 1, "b": ["x", "y"]}, {"a": None, "b": []}, {"a": 2, "b": "=1+1"}]), end="")
        a,b
        1,x; y
        ,
        2,'=1+1
    """
    columns = columns_of(rows)
    return csv_text(columns, ([row.get(name) for name in columns] for row in clean(list(rows))))


def csv_text(columns: Iterable[str], rows: Iterable[Sequence[Any]]) -> str:
    """CSV text of a header and rows of cells. No cell commands a terminal or a spreadsheet."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(_csv_cell, columns))
    writer.writerows(map(_csv_cell, row) for row in rows)
    return buffer.getvalue()


def _csv_cell(value: Any) -> Any:
    """Texts of a list as one text; texts as :func:`safe_cell` has them; anything else as it is."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = "; ".join(value)
    return safe_cell(value) if isinstance(value, str) else value


def rows_to_html(rows: Rows, most: int = SHOWN) -> str:
    """An HTML table of the first ``most`` rows: numbers to four digits, a missing value blank, every cell escaped."""
    columns = columns_of(rows)
    head = "".join(f"<th title='{escape(_unit(name))}'>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(row.get(name))}</td>' for name in columns)}</tr>" for row in rows[:most])
    more = f"<p>{len(rows) - most} more rows</p>" if len(rows) > most else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _unit(name: str) -> str:
    column = declared(name)
    return "" if column is None else column.unit


def _cell(value: Any) -> str:
    value = clean(value)
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))


def clean(value: Any) -> Any:
    """Plain JSON types: mappings to dicts, sequences to lists, NaN and infinity to None, numpy scalars to Python's."""
    if isinstance(value, Mapping):
        return {str(k): clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [clean(v) for v in value]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
