"""What was taken from where: every value of a converted row with its field, its unit there, and its definition."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

AS_IT_STANDS = "as it stands"
TOTAL, OUTPUT = "total_tok_s", "output_tok_s"
"""Throughput of all GPUs together; a row has it per GPU."""


@dataclass(frozen=True)
class Taken:
    """One value of a row.

    Attributes:
        column: of our schema; any other becomes an extra column.
        value: in the unit of the column.
        field: where it stands in the file, such as ``metrics.request_latency.successful.mean``.
        unit: that it has there, empty for words and counts.
        definition: what it is, and how it was converted.
        weak: follows from something else in the file, so that a user who says otherwise is not contradicting it.
    """

    column: str
    value: Any
    field: str
    unit: str = ""
    definition: str = AS_IT_STANDS
    weak: bool = False

    def given(self, value: Any, option: str) -> Taken:
        """The same column as the user states it."""
        return replace(self, value=value, field=option, unit="", definition="given", weak=False)


@dataclass
class Record:
    """One run of a file, before the user adds what the file does not hold.

    Attributes:
        tool: that wrote it.
        file: the file.
        number: of the record in it, or of its line.
        taken: column -> what was taken.
        notes: what else has to be said of the conversion.
    """

    tool: str
    file: str
    number: int
    taken: dict[str, Taken] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def put(
        self, column: str, value: Any, field: str, unit: str = "", definition: str = AS_IT_STANDS, *, weak: bool = False
    ) -> None:
        """Take a value, unless it is None or the column has one."""
        if value is not None and column not in self.taken:
            self.taken[column] = Taken(column, value, field, unit, definition, weak)

    def value(self, column: str) -> Any:
        """What was taken for a column, None if nothing was."""
        found = self.taken.get(column)
        return None if found is None else found.value

    def note(self, text: str) -> None:
        """Say something once."""
        if text not in self.notes:
            self.notes.append(text)
