"""YAML files of the user: plain data without tricks, every key once, and the line of every key.

No tags, anchors, merge keys or second documents: they make a file mean something else than it shows. What a word means
is in :mod:`simulator.files.yaml_scalars`. A file is read event by event with a stack of our own, so that neither
nesting nor repetition takes memory that the file does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from simulator.errors import InputError
from simulator.files.reading import decoded, read_bytes
from simulator.files.yaml_scalars import scalar, shortened

DEEPEST = 32
"""Most levels of nesting; profiles have five."""
SHOWN = 20
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")


class Lined(dict[Any, Any]):
    """A mapping that knows the line of each of its keys."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        """An empty one."""
        super().__init__()
        self.lines: dict[Any, int] = {}


yaml.SafeDumper.add_representer(Lined, yaml.SafeDumper.represent_dict)


def line_of(raw: Any, path: Sequence[Any]) -> int | None:
    """The line of a key, or of the nearest key above it; None: not read from a file.

    Args:
        raw: what :func:`read_yaml` returned, or a part of it.
        path: keys and places in lists, from the top.
    """
    line = None
    for part in path:
        if isinstance(raw, Mapping):
            line = raw.lines.get(part, line) if isinstance(raw, Lined) else line
            raw = raw.get(part)
        elif isinstance(raw, list) and isinstance(part, int) and part < len(raw):
            raw = raw[part]
        else:
            break
    return line


def read_yaml(path: Traversable | Path, label: str) -> Lined:
    """A YAML file whose top level is a mapping.

    Args:
        path: the file.
        label: what to call it in messages, such as ``hardware profile my.yaml``.

    Raises:
        InputError: larger than ``--limit yaml-mb``, not UTF-8, not YAML, or with a key twice, a tag, an anchor or a
            number that is none; with the line and the key, all faults of values and keys at once.
    """
    data = read_bytes(path, label, limit="yaml-mb") if isinstance(path, Path) else path.read_bytes()
    return parse_yaml(decoded(data, label), label)


def parse_yaml(text: str, label: str) -> Lined:
    """The same from text.

    Example:
        >>> found = parse_yaml("name: h9\\nscale_up: {gpus: 8}", "my.yaml")
        >>> found["scale_up"]["gpus"], line_of(found, ("scale_up", "gpus"))
        (8, 2)
    """
    unprintable = _UNPRINTABLE.search(text)
    if unprintable is not None:
        line = text.count("\n", 0, unprintable.start()) + 1
        raise InputError(f"{label}: line {line}: character U+{ord(unprintable[0]):04X} is not text")
    reader = _Reader(label)
    try:
        found = reader.read(yaml.parse(text, Loader=_Loader))  # events alone, nothing is constructed
    except yaml.YAMLError as fault:
        raise InputError(f"{label}: {_syntax(fault)}") from None
    if reader.faults:
        more = [f"... and {len(reader.faults) - SHOWN} more"] if len(reader.faults) > SHOWN else []
        raise InputError("\n  ".join([f"{label}:", *reader.faults[:SHOWN], *more]))
    if not isinstance(found, Lined):
        kind = "nothing" if found is None else "a list" if isinstance(found, list) else shortened(repr(found))
        raise InputError(f"{label}: expected a mapping at the top level, found {kind}")
    return found


def _syntax(fault: yaml.YAMLError) -> str:
    mark = getattr(fault, "problem_mark", None)
    where = f"line {mark.line + 1}: " if mark is not None else ""
    return f"{where}not valid YAML: {getattr(fault, 'problem', None) or ' '.join(str(fault).split())}"


_NO_KEY = object()


class _Reader:
    """Events in, plain data out; what is wrong is noted and reading goes on."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.faults: list[str] = []
        self._open: list[Lined | list[Any]] = []
        self._keys: list[Any] = []
        self._are_keys: list[bool] = []
        self._root: Any = None
        self._documents = 0

    def read(self, events: Iterator[Any]) -> Any:
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.MappingStartEvent):
                self._begin(Lined(), event)
            elif isinstance(event, yaml.SequenceStartEvent):
                self._begin([], event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._end()
            elif isinstance(event, yaml.AliasEvent):
                self._note(event, f"*{shortened(str(event.anchor))} repeats another part; write it out")
                self._add(None)
            elif isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    raise self._refusal(event, "a second document begins; expected one")
        return self._root

    def _begin(self, collection: Lined | list[Any], event: Any) -> None:
        if event.tag is not None:
            self._note(event, f"tag {shortened(event.tag)}; expected plain values without tags")
        if event.anchor is not None:
            self._note(event, f"&{shortened(event.anchor)} names a part to be repeated; write it out")
        if len(self._open) >= DEEPEST:
            raise self._refusal(event, f"nested more than {DEEPEST} levels deep")
        is_key = self._awaits_key()
        if is_key:
            self._note(event, "a list or mapping as a key; expected text")
        else:
            self._put(collection)
        self._open.append(collection)
        self._keys.append(_NO_KEY)
        self._are_keys.append(is_key)

    def _end(self) -> None:
        self._open.pop()
        self._keys.pop()
        is_key = self._are_keys.pop()
        if self._open:
            self._keys[-1] = "?" if is_key else _NO_KEY

    def _scalar(self, event: Any) -> None:
        value: Any = event.value
        if event.tag is not None or event.anchor is not None:
            what = f"tag {shortened(event.tag)}" if event.tag is not None else f"anchor &{shortened(event.anchor)}"
            self._note(event, f"{what}; expected plain values without tags and anchors")
        elif event.implicit[0]:
            try:
                value = scalar(value)
            except ValueError as fault:
                self._note(event, str(fault))
        if not self._awaits_key():
            self._add(value)
            return
        mapping = self._open[-1]
        assert isinstance(mapping, Lined)
        line = event.start_mark.line + 1
        if isinstance(value, bool) or not isinstance(value, str | int):
            self._note(event, f"key {event.value!r}; expected text")
            value = event.value
        elif value == "<<" and event.implicit[0]:
            self._note(event, "<< merges another mapping; write its keys out")
        elif value in mapping.lines:
            self._keys[-1] = value
            self._note(event, f"found twice, first in line {mapping.lines[value]}; expected each key once")
        mapping.lines.setdefault(value, line)
        self._keys[-1] = value

    def _awaits_key(self) -> bool:
        return bool(self._open) and self._keys[-1] is _NO_KEY and isinstance(self._open[-1], Lined)

    def _add(self, value: Any) -> None:
        if self._awaits_key():
            self._keys[-1] = "?"
            return
        self._put(value)
        if self._open:
            self._keys[-1] = _NO_KEY

    def _put(self, value: Any) -> None:
        if not self._open:
            self._root = value
            return
        holder = self._open[-1]
        if isinstance(holder, list):
            holder.append(value)
        else:
            holder[self._keys[-1]] = value

    def _place(self, event: Any) -> str:
        keys = [
            len(holder) - (holder is not self._open[-1]) if isinstance(holder, list) else key
            for holder, key in zip(self._open, self._keys, strict=True)
        ]
        path = ".".join(shown_key(key) for key in keys if key is not _NO_KEY)
        return f"line {event.start_mark.line + 1}: {path}: " if path else f"line {event.start_mark.line + 1}: "

    def _note(self, event: Any, what: str) -> None:
        self.faults.append(self._place(event) + what)

    def _refusal(self, event: Any, what: str) -> InputError:
        return InputError(f"{self.label}: {self._place(event)}{what}")


def shown_key(key: Any) -> str:
    """A key as it is written, quoted where it holds what is not plainly printable."""
    text = str(key)
    return shortened(text if text.isprintable() else repr(text))
