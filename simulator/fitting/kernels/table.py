"""A kernel table: CSV of kernel times in the columns of the published tables of AMD and NVIDIA GPUs."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulator.bounds import parse_number
from simulator.errors import InputError
from simulator.facts.formats import Format
from simulator.facts.hardware import Hardware
from simulator.facts.reading import shipped_name
from simulator.files.paths import user_path
from simulator.files.reading import check_rows, decoded, read_bytes
from simulator.measurements.parsing import Faults
from simulator.results.printable import printable
from simulator.units import MICRO

REQUIRED = ("kernel", "precision", "time_us")
NUMBERS = (
    *("tp", "ep", "gpus", "tokens", "batch", "context", "n", "k", "message_bytes"),
    *("heads", "kv_heads", "head_dim", "hidden", "intermediate", "experts", "top_k"),
)
WORDS = ("hardware", "activation", "quantisation", "distribution", "framework", "notes")

FORMATS: dict[str, Format] = {
    "bf16": "bf16",
    "fp16": "bf16",
    "fp8": "fp8",
    "fp8_block": "fp8",
    "fp4": "mxfp4",
    "mxfp4": "mxfp4",
    "nvfp4": "nvfp4",
}
"""Precision of a table -> format of the cost model. Others (int4, mixed widths) have no parameters."""
BYTES_OF_ROW = 4000
"""Memory that a row takes until it is fitted."""


@dataclass(frozen=True)
class KernelRow:
    """One measured kernel call on one GPU.

    Attributes:
        kernel: what was timed, as the table names it.
        precision: as the table writes it.
        seconds: of one call.
        line: in the file.
        numbers: shape and load, by column; what is blank is absent.
        words: other columns that matter, by name, blank if absent.
    """

    kernel: str
    precision: str
    seconds: float
    line: int
    numbers: Mapping[str, float]
    words: Mapping[str, str]

    def __getitem__(self, column: str) -> float:
        """A number that the kernel needs."""
        return self.numbers[column]

    def get(self, column: str, default: float) -> float:
        """A number, or a default where the table leaves it blank."""
        return self.numbers.get(column, default)

    @property
    def implementation(self) -> tuple[str, ...]:
        """What must be the same for times to be of one kernel: precision, scales, library and its remark."""
        return (self.precision, self.words["quantisation"], self.words["framework"], self.words["notes"])


@dataclass(frozen=True)
class KernelTable:
    """The rows of one file that are of one accelerator.

    Attributes:
        path: as it was named.
        sha256: of the file.
        rows: of the accelerator, outliers left out.
        elsewhere: number of rows of other accelerators.
        outliers: number of rows of this one that their notes call outliers.
    """

    path: str
    sha256: str
    rows: tuple[KernelRow, ...]
    elsewhere: int = 0
    outliers: int = 0


def read_table(path: str | Path, hardware: Hardware) -> KernelTable:
    """Read a kernel table.

    Column names are case-insensitive and their order is free; rows of other accelerators (column ``hardware``), rows
    marked as outliers in ``notes`` and other columns are left out.

    Args:
        path: of the CSV file.
        hardware: whose rows are wanted.

    Raises:
        InputError: the file cannot be read, lacks a column, or has a cell that is no positive number; all at once.
    """
    name = str(path)
    data = read_bytes(user_path("kernel table", name), name)
    check_rows(data, name, bytes_each=BYTES_OF_ROW)
    faults = Faults(name)
    lines = list(csv.reader(io.StringIO(decoded(data, name))))
    header = [cell.strip().lower() for cell in lines[0]] if lines else []
    missing = [column for column in REQUIRED if column not in header]
    if missing:
        raise InputError(
            f"{name}: line 1: missing column {', '.join(missing)}; a kernel table has {', '.join(REQUIRED)} and the "
            f"shape of each kernel ({', '.join(NUMBERS)}); found {printable(', '.join(header)) or 'nothing'}"
        )
    rows: list[KernelRow] = []
    elsewhere = outliers = 0
    for line, texts in enumerate(lines[1:], start=2):
        if not any(text.strip() for text in texts):
            continue
        cells = dict(zip(header, (text.strip() for text in texts), strict=False))
        if not _is_of(cells.get("hardware", ""), hardware):
            elsewhere += 1
        elif "outlier" in cells.get("notes", "").lower():
            outliers += 1
        elif (found := _row(cells, line, faults)) is not None:
            rows.append(found)
    faults.raise_if_any()
    if not rows:
        raise InputError(
            f"{name}: no row of {hardware.name}; expected its name in the column hardware, or no such column"
        )
    return KernelTable(name, hashlib.sha256(data).hexdigest(), tuple(rows), elsewhere, outliers)


def _is_of(named: str, hardware: Hardware) -> bool:
    return not named or hardware.name in (named.lower(), shipped_name("hardware", named))


def _row(cells: Mapping[str, str], line: int, faults: Faults) -> KernelRow | None:
    numbers: dict[str, float] = {}
    for column in (*NUMBERS, "time_us"):
        text = cells.get(column, "")
        if not text:
            continue
        try:
            value = parse_number(text)
        except ValueError:
            value = 0.0
        if value > 0.0:
            numbers[column] = value
        else:
            faults.add(f"expected a number above 0, found {printable(text)!r}", line=line, column=column)
    if not cells.get("time_us", ""):
        faults.add("expected the time of one call in microseconds, found nothing", line=line, column="time_us")
    if "time_us" not in numbers:
        return None
    words = {word: cells.get(word, "") for word in WORDS}
    time = numbers.pop("time_us") * MICRO
    return KernelRow(cells.get("kernel", ""), cells.get("precision", "").lower(), time, line, numbers, words)


def main_implementation(rows: Sequence[KernelRow]) -> list[KernelRow]:
    """Of several implementations of one kernel the rows of that with the most; of equals one with scales in blocks.

    Engines run one of them, and a table has most rows of the one that they run.
    """
    groups: dict[tuple[str, ...], list[KernelRow]] = defaultdict(list)
    for row in rows:
        groups[row.implementation].append(row)
    if not groups:
        return []
    best = max(groups, key=lambda key: (len(groups[key]), "block" in " ".join(key), key))
    return groups[best]
