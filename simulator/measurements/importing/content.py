"""A result file as far as it takes to recognise it: text, and JSON, YAML or CSV if it is one of these, parsed once."""

from __future__ import annotations

import csv
import functools
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.errors import InputError
from simulator.files.json_reading import parse_json, parse_json_object
from simulator.files.limits import within
from simulator.files.reading import MEGABYTE, decoded
from simulator.files.yaml_reading import parse_yaml
from simulator.measurements.parsing import Faults

BYTES_OF_BYTE = 12
"""Memory that a byte of JSON takes while it is read: 50 MB of request lists took 0.5 GB."""
_KEY = re.compile(r"[\w\"'./ -]{1,80}:(\s|$)")


@dataclass(frozen=True)
class Content:
    """One file. Nothing is parsed before it is asked for, and nothing twice.

    Attributes:
        name: what messages call the file.
        data: its bytes.
    """

    name: str
    data: bytes

    @functools.cached_property
    def text(self) -> str:
        """The file as text.

        Raises:
            InputError: not UTF-8.
        """
        return decoded(self.data, self.name)

    @functools.cached_property
    def first_line(self) -> str:
        """The first line that is neither blank nor a comment."""
        for line in io.StringIO(self.text[: 1 << 16]):
            if line.strip() and not line.lstrip().startswith("#"):
                return line.strip()
        return ""

    @property
    def is_json(self) -> bool:
        """Whether it begins as JSON does."""
        return self.first_line[:1] in ("{", "[")

    @functools.cached_property
    def objects(self) -> tuple[tuple[int, Mapping[str, Any]], ...]:
        """(number, object) of every record: one JSON object, those of an array, or one a line.

        Records are counted from 1; of one a line the number is that of the line. Empty if the file is not JSON.

        Raises:
            InputError: JSON that cannot be read, all faulty lines at once.
        """
        if not self.is_json:
            return ()
        within("file-mb", len(self.data) / MEGABYTE, self.name, bytes_each=MEGABYTE * BYTES_OF_BYTE)
        lines = [(i, line) for i, line in enumerate(self.text.split("\n"), start=1) if line.strip()]
        if len(lines) > 1 and all(line.lstrip().startswith("{") and _ends(line) for _, line in (lines[0], lines[1])):
            return self._lines(lines)
        found = parse_json(self.text, self.name)
        return tuple(
            (i, one) for i, one in enumerate(found if isinstance(found, list) else [found], 1) if isinstance(one, dict)
        )

    def _lines(self, lines: list[tuple[int, str]]) -> tuple[tuple[int, Mapping[str, Any]], ...]:
        faults = Faults(self.name)
        found = []
        for number, line in lines:
            try:
                found.append((number, parse_json_object(line, f"line {number}", finite=False)))
            except InputError as fault:
                faults.add(str(fault))
        faults.raise_if_any()
        return tuple(found)

    @functools.cached_property
    def document(self) -> Mapping[str, Any]:
        """The one object of a JSON file, or the mapping of a YAML file; empty if it is neither.

        Raises:
            InputError: JSON, or a file named ``.yaml``, that cannot be read.
        """
        if self.is_json:
            return self.objects[0][1] if len(self.objects) == 1 else {}
        named = self.name.lower().endswith((".yaml", ".yml"))
        if not named and not _KEY.match(self.first_line):
            return {}
        within("yaml-mb", len(self.data) / MEGABYTE, self.name)
        try:
            return parse_yaml(self.text, self.name)
        except InputError:
            if named:
                raise
            return {}

    @functools.cached_property
    def cells(self) -> tuple[tuple[int, list[str]], ...]:
        """(line, trimmed cells) of every line of a comma-separated file; empty if it is none."""
        if self.is_json or "," not in self.first_line:
            return ()
        out = []
        reader = csv.reader(io.StringIO(self.text, newline=""))
        try:
            for cells in reader:
                out.append((reader.line_num, [cell.strip() for cell in cells]))
        except csv.Error as fault:
            raise InputError(f"{self.name}, line {reader.line_num}: {fault}; expected comma-separated values") from None
        return tuple(out)

    @functools.cached_property
    def header(self) -> tuple[str, ...]:
        """The cells of the first line, small letters; empty if the file is not comma-separated.

        Raises:
            InputError: the line is not what CSV allows.
        """
        if self.is_json or "," not in self.first_line:
            return ()
        try:
            return tuple(cell.strip().lower() for cell in next(csv.reader([self.first_line]), []))
        except csv.Error as fault:
            raise InputError(f"{self.name}, line 1: {fault}; expected comma-separated values") from None

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the first record or document."""
        if self.is_json:
            return frozenset(self.objects[0][1]) if self.objects else frozenset()
        return frozenset(self.document)


def _ends(line: str) -> bool:
    return line.rstrip().endswith(("}", "},")) or len(line) > 2000
