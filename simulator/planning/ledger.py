"""What a plan has simulated so far, kept in a file on request, so that an interrupted plan goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulator.errors import InputError


class Ledger:
    """Outcomes by key; with a ``path`` every new one is appended there as a line of JSON.

    The first line says for which inputs the file is.
    """

    def __init__(self, path: str | None, inputs: Mapping[str, Any]) -> None:
        """Open the file, or begin it.

        Raises:
            InputError: the file belongs to other inputs, is damaged, or cannot be written.
        """
        self.known: dict[str, dict[str, Any]] = {}
        self.path = None if path is None else Path(path).expanduser()
        label = hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()
        if self.path is None:
            return
        try:
            if self.path.exists() and self.path.stat().st_size:
                self._read(label)
            else:
                self.path.write_text(json.dumps({"plan": label}) + "\n", encoding="utf-8")
        except OSError as fault:
            raise InputError(f"--resume {path}: {fault.strerror or fault}") from None

    def _read(self, label: str) -> None:
        assert self.path is not None
        lines = self.path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, start=1):
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                if number == len(lines):
                    # an interrupted write: drop it
                    self.path.write_text("".join(f"{good}\n" for good in lines[:-1]), encoding="utf-8")
                    return
                raise InputError(f"--resume {self.path}: line {number} is damaged; delete the file") from None
            if number == 1 and (not isinstance(entry, dict) or entry.get("plan") != label):
                raise InputError(f"--resume {self.path}: it belongs to a plan with other inputs; name another file")
            if number > 1:
                self.known[entry["key"]] = entry["outcome"]

    def get(self, key: str) -> dict[str, Any] | None:
        """A known outcome."""
        return self.known.get(key)

    def put(self, key: str, outcome: dict[str, Any]) -> None:
        """Remember an outcome."""
        self.known[key] = outcome
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "outcome": outcome}) + "\n")
