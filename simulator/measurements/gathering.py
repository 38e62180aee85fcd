"""Result files of tools, folders and patterns of them -> one table; what is missing is said for all at once."""

from __future__ import annotations

import glob
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from simulator.errors import InputError
from simulator.files.paths import user_path
from simulator.files.reading import read_bytes
from simulator.measurements.importing.completing import complete
from simulator.measurements.importing.content import Content
from simulator.measurements.importing.known import Known, Stated
from simulator.measurements.importing.registry import all_importers, importer_of, unknown
from simulator.measurements.importing.taken import Record
from simulator.measurements.parsing import Faults
from simulator.measurements.reading import LackingError, Table, parse_csv
from simulator.measurements.rows import FRONTIER_COLUMNS, POINT_COLUMNS, FrontierPoint, Row

OURS = "our_csv"
POINTS: Literal["points"] = "points"
FRONTIER: Literal["frontier"] = "frontier"
SUFFIXES = (".json", ".jsonl", ".csv", ".yaml", ".yml", ".txt")
"""Names of files that are looked at in a folder."""
EXAMPLES = {
    "hardware": "h200",
    "model": "qwen3-32b",
    "precision": "fp8",
    "engine": "vllm",
    "spec": "off",
    "isl": "1024",
    "osl": "1024",
    "tp": "4",
    "concurrency": "64",
}
"""Values that show what an option takes."""
NAMED = 4
"""Files that are named where a column is missing in many."""


def read_results(results: str | Path | Sequence[str | Path], /, **known: Any) -> Table:
    """The runs of result files as their tools write them, as rows of our schema.

    Read are vLLM ``bench serve`` JSON, SGLang ``bench_serving`` JSONL, InferenceX ``agg_bmk.json``, aiperf and
    genai-perf JSON and CSV, GuideLLM JSON, LLMPerf summaries, inference-perf and llm-d-benchmark reports, and our CSV,
    each known by its content. Definitions: docs/results.md.

    Args:
        results: a path, a folder, a pattern such as ``runs/*.json``, or several of them, mixed.
        known: what the files do not hold: column -> value, such as ``hardware="h200"``, ``tp=4``; ``files`` maps
            patterns of file names to values of their own.

    Returns:
        Table: ``rows`` with the file and the number of the record in it (``line``), and in ``records`` where every
        value is from, in which unit and by which definition.

    Raises:
        InputError: unreadable or unknown files, faults in them, values that contradict a file, or columns that neither
            the files nor ``known`` hold: all of it in one message.

    Example:
        >>> from simulator import read_results, shipped_measurements
        >>> table = read_results(shipped_measurements("sglang_mi355x_8k1k.csv"))
        >>> len(table.rows), table.rows[0].line
        (32, 2)
    """
    return gather([results] if isinstance(results, str | Path) else results, known)


def gather(files: Sequence[str | Path], known: Stated = None) -> Table:
    """The same with what is known as one argument."""
    found = Gathered(Known.of(known))
    for name, listed in expanded(files):
        found.add(Content(name, read_bytes(user_path("results", name), name)), listed=listed)
    return found.table()


def gather_each(files: Sequence[str | Path], known: Stated = None) -> list[Table]:
    """The same, a table for each file; mixed kinds are fine.

    Raises:
        InputError: as of :func:`read_results`, of all files together.
    """
    found = Gathered(Known.of(known))
    for name, listed in expanded(files):
        found.add(Content(name, read_bytes(user_path("results", name), name)), listed=listed)
    return found.tables()


def parse_results(data: bytes, name: str, known: Stated = None) -> Table:
    """The same of the content of one file; no file is opened.

    Raises:
        InputError: as of :func:`read_results`.
    """
    found = Gathered(Known.of(known))
    found.add(Content(name, data))
    return found.table()


def expanded(files: Sequence[str | Path]) -> Iterator[tuple[str, bool]]:
    """(file, was it found in a folder or by a pattern), the files of a folder by name.

    Raises:
        InputError: a folder without such files, or a pattern that fits none.
    """
    for one in files:
        name = str(one)
        path = user_path("results", name)
        if path.is_dir():
            inside = [p for p in sorted(path.rglob("*")) if p.is_file() and p.suffix.lower() in SUFFIXES]
            inside = [p for p in inside if not any(part.startswith(".") for part in p.relative_to(path).parts)]
            if not inside:
                raise InputError(f"{name}: a folder without result files; expected files of {', '.join(SUFFIXES)}")
            yield from ((str(p), True) for p in inside)
        elif not path.exists() and any(mark in name for mark in "*?["):
            fitting = sorted(p for p in glob.glob(str(path), recursive=True) if Path(p).is_file())
            if not fitting:
                raise InputError(f"{name}: no file fits this pattern")
            yield from ((p, True) for p in fitting)
        else:
            yield name, False


class Gathered:
    """What has been read of several files, with all that is wrong or missing."""

    def __init__(self, known: Known) -> None:
        """Nothing yet."""
        self.known = known
        self.rows: list[Row] = []
        self.records: list[Record] = []
        self.notes: list[str] = []
        self.faults: list[str] = []
        self.missing: dict[str, dict[str, None]] = {}
        self.sums: list[str] = []
        self.names: list[str] = []

    def add(self, content: Content, *, listed: bool = False) -> None:
        """Read one file; ``listed`` files that nothing knows are passed over with a note."""
        try:
            known = self.known.of_file(content.name)
            form = importer_of(content, known.get("format"))
            if form is None and listed:
                self.notes.append(f"{content.name}: passed over: {_kind(content)}")
                return
            self.names.append(content.name)
            self.sums.append(hashlib.sha256(content.data).hexdigest())
            if form == OURS:
                self._add_csv(content, known)
            elif form is None and _like_csv(content):
                self._add_stranger(content, known)
            elif form is None:
                raise unknown(content)
            else:
                self._add_records(content, all_importers()[form].read(content), known)
        except LackingError as fault:
            for column in fault.columns:
                self.missing.setdefault(column, {})[content.name] = None
        except InputError as fault:
            self.faults.append(str(fault))

    def _add_stranger(self, content: Content, known: Mapping[str, str]) -> None:
        """Judge a file that nothing knows as our CSV, whose reader says what it lacks."""
        try:
            self._add_csv(content, known)
        except InputError as fault:
            tools = ", ".join(one.NAME for one in all_importers().values())
            raise InputError(f"{fault}\n  or a file of a tool that is known: {tools}") from None

    def _add_csv(self, content: Content, known: Mapping[str, str]) -> None:
        table = parse_csv(content.data, content.name, known)
        schema = FRONTIER_COLUMNS if table.kind == "frontier" else POINT_COLUMNS
        for row in table.rows:
            record = Record(all_importers()[OURS].NAME, content.name, row.line)
            for name in schema:
                value = getattr(row, name, None)
                stated = name in known and name not in content.header
                definition = "given" if stated else "as it stands"
                record.put(name, value, f"--set {name}" if stated else name, schema[name].unit, definition)
            self.rows.append(row)
            self.records.append(record)

    def _add_records(self, content: Content, records: Sequence[Record], known: Mapping[str, str]) -> None:
        faults = Faults(content.name, place="record")
        notes: Counter[str] = Counter()
        for record in records:
            found = complete(record, known, faults)
            notes.update(record.notes)
            if isinstance(found, list):
                for column in found:
                    self.missing.setdefault(column, {})[content.name] = None
            else:
                self.rows.append(found)
                self.records.append(record)
        if not records:
            faults.add("no run in the file; expected at least one")
        for note, count in notes.items():
            of = f" ({count} of {len(records)} records)" if len(records) > 1 else ""
            self.notes.append(f"{content.name}: {note}{of}")
        faults.raise_if_any()

    def check(self) -> None:
        """Refuse what cannot be used.

        Raises:
            InputError: everything that is wrong and everything that is missing.
        """
        said = [*self.faults, *self._lacking()]
        if said:
            raise InputError("\n".join(said))

    def tables(self) -> list[Table]:
        """A table for each file.

        Raises:
            InputError: as of :meth:`check`.
        """
        self.check()
        out = []
        for name, total in zip(self.names, self.sums, strict=True):
            own = [i for i, row in enumerate(self.rows) if row.file == name]
            rows = tuple(self.rows[i] for i in own)
            kind = FRONTIER if any(isinstance(row, FrontierPoint) for row in rows) else POINTS
            out.append(Table(name, kind, total, rows, tuple(self.records[i] for i in own)))
        return out

    def table(self) -> Table:
        """All rows.

        Raises:
            InputError: as of :meth:`check`, or runs and points of a frontier together.
        """
        self.check()
        frontier = {isinstance(row, FrontierPoint) for row in self.rows}
        if len(frontier) > 1:
            raise InputError("points and frontier files together: expected one kind; read them one by one")
        if not self.rows:
            raise InputError(f"no result file that is known: {'; '.join(self.notes)}")
        names = self.names
        total = self.sums[0] if len(self.sums) == 1 else hashlib.sha256("".join(self.sums).encode()).hexdigest()
        return Table(
            path=names[0] if len(names) == 1 else f"{len(names)} files",
            kind=FRONTIER if frontier == {True} else POINTS,
            sha256=total,
            rows=tuple(self.rows),
            records=tuple(self.records),
            notes=tuple(self.notes),
        )

    def _lacking(self) -> list[str]:
        if not self.missing:
            return []
        schema = FRONTIER_COLUMNS | POINT_COLUMNS
        files = list(dict.fromkeys(name for found in self.missing.values() for name in found))
        lines = [
            f"{_some(files)}: {len(self.missing)} missing column{'s' if len(self.missing) > 1 else ''}; give each "
            "once, or for single files in --set-file:"
        ]
        for column, found in self.missing.items():
            option = f"--set {column}={EXAMPLES.get(column, 'VALUE')}"
            if column == "concurrency":
                option += " (or --set request_rate_per_s=4 of an open loop)"
            where = "" if len(found) == len(files) else f" in {_some(list(found))}"
            meaning = f"{schema[column].meaning}; {schema[column].expected}"
            lines.append(f"missing column {column!r}{where} ({meaning}): {option}")
        return ["\n  ".join(lines)]


def _some(names: Sequence[str]) -> str:
    more = [f"and {len(names) - NAMED} more"] if len(names) > NAMED else []
    return ", ".join([*names[:NAMED], *more])


def _like_csv(content: Content) -> bool:
    """Whether a file that nothing knows is to be judged as our CSV, whose reader says what a header lacks."""
    return not content.is_json and not content.document and not _is_trace(content)


def _is_trace(content: Content) -> bool:
    return content.header[:1] == ("timestamp",)


def _kind(content: Content) -> str:
    return "no result file that is known" if content.text.strip() else "empty"
