"""The keys of one JSON file: typed, refused with what was found and expected, and remembered once they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from simulator.errors import InputError, brief
from simulator.facts.importing.found import Found
from simulator.facts.quantities import MOST


class Keys:
    """The keys of an object in a file.

    Attributes:
        raw: the object.
        file: as the user named it.
        inside: path of the object in the file, with a dot at its end; empty at the top.
        read: keys that were asked for, there or not.
        objects: the objects under keys that were asked for.
    """

    def __init__(self, raw: Mapping[str, Any], file: str, inside: str = "") -> None:
        """Nothing is read yet."""
        self.raw, self.file, self.inside = raw, file, inside
        self.read: set[str] = set()
        self.objects: dict[str, Keys] = {}

    def first(self, *names: str) -> str | None:
        """The first of several names for the same thing that has a value; all of them count as read."""
        self.read.update(names)
        return next((name for name in names if self.raw.get(name) is not None), None)

    def value(self, *names: str) -> Any:
        """The value of the first of several names that has one; None: none has."""
        name = self.first(*names)
        return None if name is None else self.raw[name]

    def whole(self, *names: str, least: int = 1, most: int = MOST) -> Found | None:
        """A whole number of ``least`` to ``most``; None: no such key, or null.

        Raises:
            InputError: anything else.
        """
        name = self.first(*names)
        if name is None:
            return None
        value = self.raw[name]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.refuse(name, f"a whole number of {least} to {most:,}")
        return Found(value, self.path(name))

    def count(self, *names: str) -> Found | None:
        """A whole number above zero; None: no such key, null or 0, which mean none of them.

        Raises:
            InputError: anything else.
        """
        found = self.whole(*names, least=0)
        return found if found is not None and found.value else None

    def needed(self, *names: str) -> Found:
        """A whole number above zero.

        Raises:
            InputError: anything else, and no such key.
        """
        found = self.whole(*names)
        if found is None:
            raise InputError(f"{self.file}: {self.path(' or '.join(names))}: missing; a whole number is required")
        return found

    def flag(self, *names: str) -> Found | None:
        """True or false; None: no such key, or null.

        Raises:
            InputError: anything else.
        """
        name = self.first(*names)
        if name is None:
            return None
        if not isinstance(self.raw[name], bool):
            self.refuse(name, "true or false")
        return Found(self.raw[name], self.path(name))

    def on(self, *names: str) -> Found | None:
        """A flag that is true; None: absent or false."""
        found = self.flag(*names)
        return found if found is not None and found.value else None

    def text(self, *names: str) -> str | None:
        """A text; None: no such key, or null.

        Raises:
            InputError: anything else.
        """
        name = self.first(*names)
        if name is None:
            return None
        if not isinstance(self.raw[name], str):
            self.refuse(name, "a text")
        return str(self.raw[name])

    def entries(
        self, name: str, expected: Mapping[Any, Any] | Sequence[Any] | type, lengths: Sequence[int]
    ) -> list[Any]:
        """A list with an entry per layer.

        Args:
            name: of the key.
            expected: the entries that there may be, or their type.
            lengths: how many there may be.

        Raises:
            InputError: no list, another length, or another entry.
        """
        found = self.value(name)
        if not isinstance(found, list):
            self.refuse(name, "a list with an entry per layer")
        if len(found) not in lengths:
            wanted = " or ".join(map(str, lengths))
            raise InputError(
                f"{self.file}: {self.path(name)}: expected {wanted} entries, one per layer, found {len(found)}"
            )
        for i, entry in enumerate(found):
            if not (
                isinstance(entry, expected) and not isinstance(entry, bool)
                if isinstance(expected, type)
                else isinstance(entry, str | int) and entry in expected
            ):
                known = expected.__name__ if isinstance(expected, type) else " or ".join(map(str, expected))
                raise InputError(f"{self.file}: {self.path(name)}[{i}]: expected {known}, found {brief(entry)}")
        return found

    def object(self, *names: str) -> Keys | None:
        """The object under a key; None: no such key, or null.

        Raises:
            InputError: anything else.
        """
        name = self.first(*names)
        if name is None:
            return None
        if not isinstance(self.raw[name], Mapping):
            self.refuse(name, "an object")
        return self.objects.setdefault(name, Keys(self.raw[name], self.file, f"{self.path(name)}."))

    def path(self, name: str) -> str:
        """A key with the objects that it is in."""
        return f"{self.inside}{name}"

    def refuse(self, name: str, expected: str) -> NoReturn:
        """Say that the value of a key is none that it can have.

        Raises:
            InputError: always.
        """
        raise InputError(f"{self.file}: {self.path(name)}: expected {expected}, found {brief(self.raw.get(name))}")

    def unread(self) -> list[str]:
        """The keys that nobody asked for, in the order of the file."""
        return [name for name in self.raw if name not in self.read]
