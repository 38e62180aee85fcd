"""What a run has counted and found, its table, and the file that lets it go on."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzzing import kinds
from fuzzing.workers import Answer

STATUSES = ("accepted", "refused", "broken", "unchecked", "failed", "crashed")
WRONG = (
    "crash", "hang", "memory", "death", "escape", "nan", "not JSON", "formula", "destroyed",
    "left behind", "warning", "sentence", "status",
)  # fmt: skip


@dataclass
class Counts:
    """Counts by kind and word, and findings by what and where.

    Attributes:
        seed: of the run.
        only: kinds of the run; empty: all.
        next: first place that is not counted.
        kinds: kind -> word -> number; ``seconds`` among them.
        findings: ``what place`` -> what is needed to see it again, and how often it was seen.
    """

    seed: int
    only: tuple[str, ...] = ()
    next: int = 0
    kinds: dict[str, Counter[str]] = field(default_factory=dict)
    findings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, answer: Answer) -> list[str]:
        """Count one answer; the findings that are new."""
        count = self.kinds.setdefault(answer.kind, Counter())
        count["inputs"] += 1
        count["milliseconds"] += round(1000 * answer.seconds)
        count[answer.verdict.status] += 1
        new = []
        for finding in answer.verdict.findings:
            count[finding.what] += 1
            name = f"{finding.what} {finding.place}"
            if name not in self.findings:
                self.findings[name] = {
                    "what": finding.what,
                    "place": finding.place,
                    "input": f"{answer.kind}:{answer.number}",
                    "keep": answer.keep,
                    "times": 0,
                    "detail": finding.detail,
                }
                new.append(name)
            self.findings[name]["times"] += 1
        return new

    def merge(self, other: Counts) -> None:
        """Add the counts of a block."""
        for kind, count in other.kinds.items():
            self.kinds.setdefault(kind, Counter()).update(count)
        for name, found in other.findings.items():
            mine = self.findings.setdefault(name, {**found, "times": 0})
            mine["times"] += found["times"]

    @property
    def inputs(self) -> int:
        """Of all kinds."""
        return sum(count["inputs"] for count in self.kinds.values())

    def known(self) -> set[tuple[str, str]]:
        """What and where of the findings."""
        return {(found["what"], found["place"]) for found in self.findings.values()}

    def save(self, path: Path) -> None:
        """Write the file whole or not at all."""
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(json.dumps({"fuzz": 1, **vars(self)}, indent=1), encoding="utf-8")
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> Counts:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: it is another file.
        """
        raw = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(raw, dict) or raw.pop("fuzz", None) != 1:
            raise ValueError(f"{path} is not a journal of this program")
        raw["only"] = tuple(raw["only"])
        raw["kinds"] = {kind: Counter(count) for kind, count in raw["kinds"].items()}
        return cls(**raw)

    def table(self) -> str:
        """Counts per kind; columns of faults that nowhere happened are left out."""
        total: Counter[str] = Counter()
        for count in self.kinds.values():
            total.update(count)
        words = ["inputs", *STATUSES, *(w for w in WRONG if total[w])]
        lines = [["kind", *words, "per s"]]
        for kind, count in [*sorted(self.kinds.items()), ("all", total)]:
            speed = 1000 * count["inputs"] / max(1, count["milliseconds"])
            lines.append([kind, *(str(count[w]) for w in words), f"{speed:.0f}"])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join("  ".join(cell.rjust(w) for cell, w in zip(line, widths, strict=True)) for line in lines)


def save_input(folder: Path, one: kinds.Input, note: str) -> Path:
    """The files of an input, its command line, and what came of it, in a folder of their own."""
    place = folder / re.sub(r"[^\w.-]+", "-", note.splitlines()[0])[:80].strip("-")
    place.mkdir(parents=True, exist_ok=True)
    for name, content in one.files.items():
        (place / name).write_bytes(content)
    line = "mtpsim " + shlex.join(one.arguments)
    (place / "arguments.json").write_text(json.dumps(one.arguments) + "\n", encoding="utf-8")
    (place / "command.txt").write_bytes(f"{line}\n".encode("utf-8", "surrogateescape"))
    (place / "note.txt").write_text(note, encoding="utf-8", errors="backslashreplace")
    return place
