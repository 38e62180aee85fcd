"""Values in a file of sessions, and its faults: each by the line and the place in it, a few of them at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from simulator.errors import InputError, brief
from simulator.traffic.formats.cells import FAULTS_SHOWN, LONGEST, number_of, time_of, tokens_of
from simulator.traffic.session_builder import MOST_IDS, Runs, has_twice, runs_of_ids

T = TypeVar("T")

MOST_ID = 2**63 - LONGEST - 1
PAIR = 2


class Faults:
    """What is wrong with the records of a file."""

    def __init__(self, path: str) -> None:
        """None so far.

        Args:
            path: of the file, for messages.
        """
        self.path = path
        self._found: list[str] = []

    @property
    def enough(self) -> bool:
        """Whether no more are looked for."""
        return len(self._found) >= FAULTS_SHOWN

    def add(self, where: str, what: str) -> None:
        """One more.

        Args:
            where: line and place.
            what: is wrong.
        """
        if not self.enough:
            self._found.append(": ".join(part for part in (self.path, where, what) if part))

    def take(self, where: str, kind: Callable[[Any], T], cells: dict[str, Any], key: str, absent: T | None = None) -> T:
        """A value of a record.

        Args:
            where: the record is.
            kind: makes the value, or raises ValueError with what was expected.
            cells: the record.
            key: of the value.
            absent: taken where the key is absent or null; None: the key must be there.

        Raises:
            ValueError: it is missing or wrong; what is noted.
        """
        value = cells.get(key)
        if value is None:
            if absent is not None:
                return absent
            self.add(where, f"missing {key}")
            raise ValueError
        try:
            return kind(value)
        except (ValueError, TypeError) as fault:
            self.add(where, f"{key}: {fault}, found {brief(value)}")
            raise ValueError from None

    def check(self) -> None:
        """Refuse the file if anything is wrong.

        Raises:
            InputError: all that was noted.
        """
        if self._found:
            raise InputError("\n".join(self._found))


def name_of(value: Any) -> str:
    """A name of a session.

    Raises:
        ValueError: no text.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("expected a name")
    return str(value)


def block_of(value: Any) -> int:
    """Tokens of a block.

    Raises:
        ValueError: no whole number of at least 1.
    """
    return int(tokens_of(_no_text(value)))


def length_of(value: Any) -> int:
    """Tokens of a prompt or an answer, at least 1.

    Raises:
        ValueError: no such number.
    """
    return int(tokens_of(_no_text(value)))


def answer_of(value: Any) -> int:
    """Tokens of an answer; 0 where it was empty.

    Raises:
        ValueError: no such number.
    """
    return 0 if number_of(_no_text(value)) == 0 else length_of(value)


def seconds_of(value: Any) -> float:
    """Seconds, at least 0.

    Raises:
        ValueError: no such number.
    """
    return time_of(_no_text(value))


def items_of(value: Any) -> list[Any]:
    """A list.

    Raises:
        ValueError: none.
    """
    if not isinstance(value, list):
        raise ValueError("expected a list")
    return value


def ids_of(value: Any) -> Runs:
    """Block ids of a prompt, written one by one.

    Raises:
        ValueError: no list of whole numbers, each once.
    """
    wrong = "expected a list of whole numbers of at least 0, each once"
    if not isinstance(value, list) or not set(map(type, value)) <= {int}:
        raise ValueError(wrong)
    if not value:
        return []
    if min(value) < 0 or max(value) > MOST_ID or len(value) > LONGEST:
        raise ValueError(wrong)
    runs = runs_of_ids(np.array(value, dtype=np.int64))
    if has_twice(runs):
        raise ValueError(wrong)
    return runs


def ranges_of(value: Any) -> Runs:
    """Block ids of a prompt, written as ranges: the first id and how many.

    Raises:
        ValueError: no list of pairs of whole numbers, or an id in two of them.
    """
    wrong = "expected a list of pairs, first id (at least 0) and number of ids (at least 1), each id once"
    if not isinstance(value, list):
        raise ValueError(wrong)
    runs = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != PAIR or type(pair[0]) is not int or type(pair[1]) is not int:
            raise ValueError(wrong)
        if not (0 <= pair[0] <= MOST_ID and 1 <= pair[1] <= LONGEST):
            raise ValueError(wrong)
        runs.append((pair[0], pair[1]))
    if sum(count for _, count in runs) > LONGEST or has_twice(runs):
        raise ValueError(wrong)
    return runs


def whole_of(value: Any) -> int:
    """A whole number of at least 0.

    Raises:
        ValueError: no such number.
    """
    if type(value) is not int or not 0 <= value < MOST_IDS:
        raise ValueError("expected a whole number of at least 0")
    return value


def _no_text(value: Any) -> Any:
    if isinstance(value, str):  # a table has numbers as text, JSON does not
        raise ValueError("expected a number")
    return value
