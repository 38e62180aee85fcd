"""Aligned text tables: plain when piped, bold headers on a terminal, fewer columns where there is no room."""

from __future__ import annotations

import io
import math
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from simulator.results.printable import printable

PIPED_WIDTH = 100
"""Width of what does not go to a terminal, unless COLUMNS says otherwise."""

NARROWEST = 24
"""Characters that text is wrapped to at the least; half of that on a narrow page."""

NARROW = 72
"""A page of fewer columns is narrow."""


_BEGIN, _END = ("\x1b[1m", "\ue0b1"), ("\x1b[0m", "\ue0b0")
"""Bold type on and off, as a terminal takes it and as it stands in the text until :func:`bold`."""


def bold(text: str) -> str:
    """The text with what is to be bold so written that a terminal shows it."""
    for code, mark in (_BEGIN, _END):
        text = text.replace(mark, code)
    return text


@dataclass(frozen=True)
class Column:
    """One column. Where there is no room, those of the highest ``rank`` go first; rank 0 stays. Text may wrap."""

    title: str
    unit: str
    cells: Sequence[str]
    rank: int = 0
    left: bool = False
    wraps: bool = False

    def printable(self) -> Column:
        """The same with every cell on one line, and nothing in it that a terminal obeys."""
        title, *cells = (" ".join(printable(text).split("\n")) for text in (self.title, *self.cells))
        return replace(self, title=title, cells=cells)

    def width(self, narrow: bool) -> int:
        """Characters of the widest cell, or the fewest that text can be wrapped to."""
        head = max(len(self.title), len(self.unit))
        widest = max(map(len, self.cells), default=0)
        return max(head, min(widest, NARROWEST // (2 if narrow else 1)) if self.wraps else widest)


@dataclass(frozen=True)
class Page:
    """Where text goes: its width, and whether it is a terminal that shows styles."""

    width: int
    terminal: bool

    @classmethod
    def of(cls, piped: bool) -> Page:
        """The page of standard output; ``piped`` says that the text goes to a file instead."""
        terminal = sys.stdout.isatty() and not piped
        if not terminal and not os.environ.get("COLUMNS", "").isdigit():
            return cls(PIPED_WIDTH, False)
        return cls(max(40, shutil.get_terminal_size((PIPED_WIDTH, 24)).columns), terminal)

    @property
    def narrow(self) -> bool:
        """Whether there is so little room that text wraps early."""
        return self.width < NARROW

    def told(self, columns: Iterable[Column]) -> str:
        """The table, and below it which columns found no room."""
        body, dropped = self.table(columns)
        return f"{body}\n{self.paragraph(not_shown(dropped) + '.')}" if dropped else body

    def table(self, columns: Iterable[Column]) -> tuple[str, list[str]]:
        """The table, and the titles of the columns that found no room."""
        from rich import console
        from rich import table as tables
        from rich.text import Text

        kept, dropped = _fitting([column.printable() for column in columns], self.width)
        table = tables.Table(box=None, pad_edge=False, show_edge=False)
        units = any(column.unit for column in kept)
        for column in kept:
            header = Text(f"{column.title}\n{column.unit}" if units else column.title)
            justify: Literal["left", "right"] = "left" if column.left else "right"
            table.add_column(header, justify=justify, no_wrap=not column.wraps, overflow="fold")
        for cells in zip(*(column.cells for column in kept), strict=True):
            table.add_row(*map(Text, cells))
        target = io.StringIO()
        width = max(self.width, _width(kept, self.narrow))
        console.Console(file=target, force_terminal=self.terminal, width=width).print(table)
        lines = target.getvalue().replace(*_BEGIN).replace(*_END).split("\n")
        return "\n".join(line.rstrip() for line in lines).strip("\n"), dropped

    def paragraph(self, text: str, indent: str = "") -> str:
        """Text wrapped to the page."""
        return textwrap.fill(
            printable(text),
            min(self.width, 100),
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )


def not_shown(dropped: Iterable[str]) -> str:
    """Which columns found no room, in words."""
    return f"Not shown for lack of room: {', '.join(dict.fromkeys(dropped))}"


def _fitting(columns: list[Column], width: int) -> tuple[list[Column], list[str]]:
    dropped = []
    narrow = width < NARROW
    while _width(columns, narrow) > width and any(column.rank for column in columns):
        worst = max(column.rank for column in columns)
        dropped += [column.title for column in columns if column.rank == worst]
        columns = [column for column in columns if column.rank != worst]
    return columns, dropped


def _width(columns: Sequence[Column], narrow: bool) -> int:
    return sum(column.width(narrow) for column in columns) + 2 * (len(columns) - 1)


def number(value: float | None, digits: int = 3) -> str:
    """A number to so many significant digits, never in powers of ten; ``-`` if there is none.

    Example:
        >>> number(2221.94, 4), number(22.664), number(0.18564), number(838467.0), number(None)
        ('2222', '22.7', '0.186', '838000', '-')
    """
    if value is None or not math.isfinite(value):
        return "-"
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    return f"{rounded:.{max(0, places)}f}"


def with_interval(value: float | None, low: float | None, high: float | None, digits: int = 3) -> str:
    """A value and the half-width of its interval in per cent, as a factor: ``2222 ±9 %`` is 2222 / 1.09 to 2222 x 1.09.

    Example:
        >>> with_interval(100.0, 80.0, 125.0)
        '100 ±25 %'
    """
    text = number(value, digits)
    if value is None or not low or not high or low <= 0:
        return text
    return f"{text} ±{100 * (math.sqrt(high / low) - 1):.0f} %"
