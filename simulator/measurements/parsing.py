"""One row of text -> values; every fault is collected, none is guessed away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.bounds import parse_number
from simulator.errors import InputError, brief
from simulator.measurements.rows import Column
from simulator.traffic.sweeps import Grid, parse_grid

FLAGS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
SPEC_NAMES = {
    **dict.fromkeys(("off", "none"), "off"),
    **dict.fromkeys(("mtp", "nextn", "eagle", "eagle3", "draftmodel", "ngram"), "mtp"),
}
"""What the launch options of engines call drafting, without case and punctuation -> the two curves of a comparison."""
SHOWN = 20
SENSIBLE = (1e-9, 1e12)
"""Range of any number in a measurement file, in the unit of its column."""
NOT_NUMBERS = frozenset({"nan", "na", "n/a", "null", "none", "-", "inf", "infinity"})


@dataclass
class Faults:
    """The faults of one file, raised together; ``place`` is what a number of a line counts."""

    file: str
    found: list[str] = field(default_factory=list)
    context: str = ""
    place: str = "line"

    def add(self, what: str, *, line: int | None = None, column: str | None = None) -> None:
        """Note one fault, with the line and column it is in."""
        places = ([f"{self.place} {line}"] if line is not None else []) + ([f"column {column!r}"] if column else [])
        self.found.append(f"{', '.join(places)}: {what}" if places else what)

    def raise_if_any(self) -> None:
        """Raise one :class:`InputError` with the first faults and the number of the rest."""
        if not self.found:
            return
        more = [f"... and {len(self.found) - SHOWN} more"] if len(self.found) > SHOWN else []
        head = f"{self.file}: {len(self.found)} fault{'s' if len(self.found) > 1 else ''}"
        context = [self.context] if self.context else []
        raise InputError("\n  ".join([head, *self.found[:SHOWN], *more, *context]))


def parse_cell(column: Column, text: str) -> Any:
    """The value of a cell that is not blank.

    Raises:
        ValueError: what was found and what was expected.
    """
    if column.kind == "text":
        return text
    if column.kind == "spec":
        return _spec(column, text)
    if column.kind == "flag":
        return _one_of(column, text, FLAGS)
    if column.kind == "sweep":
        return _sweep(text)
    return _number(column, text)


def _spec(column: Column, text: str) -> str:
    name = "".join(c for c in text.lower() if c.isalnum())
    if name not in SPEC_NAMES:
        raise ValueError(f"found {brief(text)}, expected {column.expected}")
    return SPEC_NAMES[name]


def _sweep(text: str) -> Grid:
    try:
        return parse_grid("a sweep", text)
    except InputError as fault:
        raise ValueError(str(fault).removeprefix("a sweep: ")) from None


def _one_of(column: Column, text: str, known: Mapping[str, Any]) -> Any:
    if text.lower() not in known:
        raise ValueError(f"found {brief(text)}, expected {column.expected}")
    return known[text.lower()]


def _number(column: Column, text: str) -> float | int:
    hint = "; leave the cell blank when it was not published"
    try:
        value = parse_number(text)
    except ValueError:
        tail = hint if text.lower() in NOT_NUMBERS else ""
        raise ValueError(f"found {brief(text)}, expected {column.expected}{tail}") from None
    if value <= 0.0:
        raise ValueError(f"found {brief(text)}, expected {column.expected}{hint}")
    if not SENSIBLE[0] <= value <= SENSIBLE[1]:
        raise ValueError(f"found {brief(text)}, expected {column.expected} from {SENSIBLE[0]:g} to {SENSIBLE[1]:g}")
    if column.kind == "count":
        if value != int(value):
            raise ValueError(f"found {brief(text)}, expected {column.expected}")
        return int(value)
    return value


def parse_row(
    columns: Mapping[str, Column], cells: Mapping[str, str], line: int, faults: Faults
) -> dict[str, Any] | None:
    """The values of one row by column name, or None with its faults noted. Blank cells are None."""
    before = len(faults.found)
    values: dict[str, Any] = {}
    for name, column in columns.items():
        text = cells.get(name, "")
        if name == "spec_tokens" and text in ("0", "0.0") and cells.get("spec", "").lower() in ("off", "none"):
            text = ""
        if not text:
            if column.required:
                faults.add(f"blank, expected {column.expected}", line=line, column=name)
            values[name] = None
            continue
        try:
            values[name] = parse_cell(column, text)
        except ValueError as error:
            faults.add(str(error), line=line, column=name)
    if len(faults.found) == before:
        _check_speculation(values, line, faults)
    return values if len(faults.found) == before else None


def _check_speculation(values: Mapping[str, Any], line: int, faults: Faults) -> None:
    k, length = values["spec_tokens"], values["acceptance_length"]
    if values["spec"] == "off":
        for name in ("spec_tokens", "acceptance_length"):
            if values[name] is not None:
                faults.add(f"found {values[name]:g} with spec = off, expected blank", line=line, column=name)
    elif length is not None and (length < 1.0 or (k is not None and length > k + 1)):
        upper = f"{k + 1} (spec_tokens + 1)" if k is not None else "spec_tokens + 1"
        faults.add(f"found {length:g}, expected 1 to {upper}", line=line, column="acceptance_length")
