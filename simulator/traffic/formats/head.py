"""The beginning of a traffic file, as far as it tells which format it has."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from typing import Any

from simulator.bounds import parse_number
from simulator.errors import brief
from simulator.files.json_reading import parse_json_object

LINES = 50
"""Lines that are looked at."""
WIDEST = 400
"""Cells of the first line that are looked at."""


@dataclass(frozen=True)
class Head:
    """The text of a file and its name for messages."""

    text: str
    path: str

    @functools.cached_property
    def lines(self) -> list[tuple[int, str]]:
        """The first lines that are not blank, with their numbers."""
        out, at = [], 0
        for number in range(1, LINES + 1):
            end = self.text.find("\n", at)
            line = self.text[at:] if end < 0 else self.text[at:end]
            if line.strip():
                out.append((number, line.strip("\r\n")))
            if end < 0:
                break
            at = end + 1
        return out

    @property
    def is_json(self) -> bool:
        """Whether it begins as JSON does."""
        return bool(self.lines) and self.lines[0][1].lstrip()[:1] in ("{", "[")

    @functools.cached_property
    def first_object(self) -> dict[str, Any]:
        """The JSON object of the first line; empty in a table.

        Raises:
            InputError: the line is no JSON object.
        """
        if not self.is_json:
            return {}
        number, line = self.lines[0]
        return parse_json_object(line, f"{self.path}: line {number}")

    @functools.cached_property
    def cells(self) -> list[list[str]]:
        """The cells of the first lines of a table, stripped; empty in JSON."""
        if self.is_json:
            return []
        try:
            return [[cell.strip() for cell in row] for row in csv.reader(line for _, line in self.lines)]
        except csv.Error:
            return []

    @functools.cached_property
    def header(self) -> frozenset[str]:
        """The names in the first line of a table, in small letters."""
        return frozenset(cell.lower() for cell in self.cells[0][:WIDEST]) if self.cells else frozenset()

    @property
    def found(self) -> str:
        """What stands in the first line, for messages."""
        if self.is_json:
            return f"the keys {brief(', '.join(self.first_object))}"
        return ", ".join(cell.lower() for cell in self.cells[0]) if self.cells else "an empty file"


def is_number(cell: str) -> bool:
    """Whether a cell is a finite decimal number."""
    try:
        parse_number(cell)
    except ValueError:
        return False
    return True
