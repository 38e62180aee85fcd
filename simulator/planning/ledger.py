"""What a plan has found out so far, kept in a file on request, so that an interrupted plan goes on where it was."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from simulator.files.journal import Journal, kept
from simulator.files.lines import Format, number_in
from simulator.serving.saturation import OVERLOADED, SATURATED, STABLE, TOO_SHORT

STATES = {STABLE, SATURATED, TOO_SHORT, OVERLOADED}
MARGIN = "margin of "
"""How the keys of margins begin; those of trials begin with the kind of replica."""


class Ledger:
    """Outcomes of trials and margins by key; with a ``path`` every new one is appended there as a line of JSON.

    The first line says for which inputs the file is.
    """

    def __init__(
        self, path: str | None, inputs: Mapping[str, Any], *, also: Mapping[str, Any] | None = None, promises: int = 0
    ) -> None:
        """Open the file, or begin it.

        Args:
            path: of the file; None: nothing is kept.
            inputs: everything that decides the outcomes.
            also: what decides them too, but is not in the first line of files of version 0.1.0, which are read as well.
            promises: values of an outcome.

        Raises:
            InputError: the file is of another kind or belongs to other inputs, or cannot be read or written.
            MachineError: the disk is full.
        """
        labels = [digest({**inputs, **(also or {})}), digest(inputs)]
        self._label = labels[0]
        self._known: dict[str, Any] = {}
        self._journal = None
        if path is not None:
            form = Format(
                option="--resume",
                what="what an earlier run of the same plan has simulated",
                headers=tuple(json.dumps({"plan": label}) for label in dict.fromkeys(labels)),
                kin=re.compile(r'\{"plan": "[0-9a-f]{64}"\}'),
                field="outcome",
                check=lambda key, content: checked(key, content, promises),
            )
            self._journal = Journal(path, form)
            self._known = self._journal.known
            self._journal.begin()

    def get(self, key: str) -> dict[str, Any] | None:
        """A known outcome."""
        return self._known.get(key)

    def put(self, key: str, outcome: dict[str, Any]) -> None:
        """Remember an outcome."""
        self._known[key] = outcome
        if self._journal is not None:
            self._journal.add({key: outcome})

    def margin(self, key: str, find: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What the ledger knows of how sure the outcome behind a key is, or what is found and then remembered."""
        # a ledger of version 0.1.0 does not say all that a margin depends on
        name = f"{MARGIN}{key} [{self._label[:12]}]"
        known = self.get(name)
        if known is None:
            known = find()
            self.put(name, known)
        return known

    def __enter__(self) -> Ledger:
        """The ledger; its file is closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the file, and tell with an exception what it keeps."""
        if self._journal is None:
            return
        self._journal.close()
        if fault is not None:
            trials = [key for key in self._journal.on_disk() if not key.startswith(MARGIN)]
            kept(fault, self._journal, trials, None, "trials")


def digest(inputs: Mapping[str, Any]) -> str:
    """SHA-256 of inputs."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()


def checked(key: str, content: Any, promises: int) -> dict[str, Any]:
    """The content of an entry, if it is an outcome or a margin of so many promises.

    Raises:
        ValueError, TypeError, KeyError: it is not, or a number is not finite or out of range.
    """
    if content.keys() - {"hit_rate"} == {"state", "reached"} and not key.startswith(MARGIN):
        if content["state"] not in STATES:
            raise ValueError("unknown state")
        if number_in(content.get("hit_rate", 0.0)) > 1.0:
            raise ValueError("no part")
        numbers = content["reached"]
    elif content.keys() == {"probability", "intervals", "each"} and key.startswith(MARGIN):
        for part in (content["probability"], *_listed(content["each"], promises)):
            if number_in(part) > 1.0:
                raise ValueError("no probability")
        ends = [_listed(pair, 2) for pair in _listed(content["intervals"], promises)]
        if any(_number(low) > _number(high) for low, high in ends):
            raise ValueError("the ends of an interval are reversed")
        numbers = [number for number, _ in ends]
    else:
        raise KeyError("neither an outcome nor a margin")
    for number in _listed(numbers, promises):
        _number(number)
    return dict(content)


def _listed(value: Any, count: int) -> list[Any]:
    if not isinstance(value, list) or len(value) != count:
        raise TypeError("not a list of the right length")
    return value


def _number(value: Any) -> float:
    """A number that is not negative; None stands for infinity."""
    return math.inf if value is None else number_in(value)
