"""A value with where it comes from, and trees of them: a profile before it is split into numbers and sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Block = dict[str, Any]
"""A part of a profile: :class:`Found` values, texts, further blocks and lists of them."""


@dataclass(frozen=True)
class Found:
    """A value and its source: the key of the file, a sum over keys, or what implies it."""

    value: Any
    source: str


def plain(node: Any) -> Any:
    """The same tree with bare values.

    Example:
        >>> plain({"hidden": Found(4096, "hidden_size"), "kind": "dense"})
        {'hidden': 4096, 'kind': 'dense'}
    """
    if isinstance(node, Found):
        return plain(node.value)
    if isinstance(node, Mapping):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [plain(value) for value in node]
    return node


def sources(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and source of every value of a tree; entries of a list by their number, from 1.

    Example:
        >>> list(sources({"dense": {"intermediate": Found(8, "intermediate_size")}}))
        [('dense.intermediate', 'intermediate_size')]
    """
    if isinstance(node, Found):
        yield path, node.source
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from sources(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list | tuple):
        for i, value in enumerate(node, start=1):
            yield from sources(value, f"{path}.{i}" if path else str(i))


def stated(**values: Found | None) -> Block:
    """A block of those that are there.

    Example:
        >>> sorted(stated(heads=Found(8, "num_heads"), window=None))
        ['heads']
    """
    return {name: value for name, value in values.items() if value is not None}
