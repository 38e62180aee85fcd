"""What the user knows and a file does not hold: column values for all files, and for some by name."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from simulator.errors import InputError, brief, unknown_name
from simulator.facts.naming import written
from simulator.facts.reading import shipped_name
from simulator.files.paths import user_path
from simulator.files.yaml_reading import read_yaml
from simulator.measurements.parsing import parse_cell
from simulator.measurements.rows import FRONTIER_COLUMNS, POINT_COLUMNS

READINGS: dict[str, tuple[str, ...]] = {
    "format": (),
    "latency_unit": ("s", "ms"),
    "throughput_of": ("gpu", "replica"),
    "throughput_counts": ("total", "output"),
}
"""What may be said of a file beside columns: its format, and in which unit and of what its figures are."""
NAMED = ("hardware", "model", "engine")
FILES = "files"
SAME = 1e-9


@dataclass(frozen=True)
class Known:
    """Column -> value as text: for every file, and for files whose name fits a pattern."""

    columns: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, stated: Mapping[str, Any] | Known | None, option: str = "--set") -> Known:
        """Checked values; ``files`` maps patterns of file names to values of their own.

        Raises:
            InputError: no such column, or a value that it cannot hold.

        Example:
            >>> Known.of({"tp": 4, "files": {"h200*.json": {"hardware": "h200"}}}).of_file("runs/h200-a.json")
            {'tp': '4', 'hardware': 'h200'}
        """
        if stated is None or isinstance(stated, Known):
            return stated or Known()
        files = stated.get(FILES) or {}
        if not isinstance(files, Mapping) or not all(isinstance(one, Mapping) for one in files.values()):
            raise InputError(f"{option} {FILES}: expected file names, each with columns and values below it")
        columns = _checked({key: value for key, value in stated.items() if key != FILES}, option)
        return cls(columns, {str(name): _checked(one, f"{option} {name}") for name, one in files.items()})

    def of_file(self, name: str) -> dict[str, str]:
        """The values for one file; its own go before those of all."""
        out = dict(self.columns)
        for pattern, own in self.files.items():
            if any(fnmatch.fnmatch(one, pattern) for one in (name, PurePath(name).name)):
                out |= own
        return out


Stated = Mapping[str, Any] | Known | None
"""What files do not hold: column -> value, and ``files``, which maps names of files to values of their own."""


def _checked(stated: Mapping[Any, Any], option: str) -> dict[str, str]:
    out = {}
    schema = FRONTIER_COLUMNS | POINT_COLUMNS
    for key, value in stated.items():
        name = str(key).strip().lower()
        text = ("false", "true")[value] if isinstance(value, bool) else str(value).strip()
        if name in READINGS:
            if READINGS[name] and text.lower() not in READINGS[name]:
                raise InputError(f"{option} {name}: found {brief(text)}, expected {' or '.join(READINGS[name])}")
            out[name] = text.lower()
            continue
        if name not in schema:
            raise unknown_name(f"column in {option}", str(key), (*schema, *READINGS))
        if value is None or not text:
            raise InputError(f"{option} {name}: found no value, expected {schema[name].expected}")
        try:
            parse_cell(schema[name], text)
        except ValueError as fault:
            raise InputError(f"{option} {name}: {fault}") from None
        out[name] = text
    return out


def from_options(settings: Sequence[str], file: str | None = None) -> Known:
    """``--set column=value``, repeated, and ``--set-file known.yaml``; the first go before the second.

    Raises:
        InputError: not of this form, a column twice, or as of :meth:`Known.of`.
    """
    out: dict[str, Any] = {}
    if file is not None:
        out |= read_yaml(user_path("--set-file", file), f"--set-file {file}")
        Known.of(out, f"--set-file {file}")
    seen: set[str] = set()
    for text in settings:
        name, equals, value = text.partition("=")
        name = name.strip().lower()
        if not equals or not name or name == FILES:
            raise InputError(f"--set {brief(text)}: expected COLUMN=VALUE, such as hardware=h200")
        if name in seen:
            raise InputError(f"--set {name}: found twice, expected once")
        seen.add(name)
        out[name] = value
    return Known.of(out)


def agree(column: str, one: Any, other: Any) -> bool:
    """Whether two values of a column say the same: numbers by size, names by what they name, text without case."""
    kind = (POINT_COLUMNS | FRONTIER_COLUMNS)[column]
    if isinstance(one, bool):
        one = ("false", "true")[one]
    try:
        left, right = (parse_cell(kind, str(value)) for value in (one, other))
    except ValueError:
        return False
    if isinstance(left, float | int) and isinstance(right, float | int):
        return abs(left - right) <= SAME * max(abs(left), abs(right))
    if column in NAMED:
        names = [shipped_name(column, str(value)) for value in (left, right)]
        return (names[0] is not None and names[0] == names[1]) or written(str(left)) == written(str(right))
    return bool(left == right) or str(left).casefold() == str(right).casefold()


def ships(column: str, name: str) -> bool:
    """Whether a profile ships under this name."""
    return column in NAMED and shipped_name(column, name) is not None


def stem(path: str | Path) -> str:
    """The name of a file without its folders."""
    return PurePath(path).name
