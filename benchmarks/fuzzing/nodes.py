"""Mutations of a YAML document by its nodes; the text of a value can be put in as it is."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import yaml

from fuzzing import nasty

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
STR = "tag:yaml.org,2002:str"


@dataclass
class Document:
    """A composed document, and texts that replace marks in what it is written as."""

    root: yaml.Node
    raw: dict[str, str]

    def written(self) -> bytes:
        """The document as a file."""
        text = yaml.serialize(self.root, Dumper=DUMPER, allow_unicode=True, width=4000)
        for mark, raw in self.raw.items():
            text = text.replace(mark, raw)
        return text.encode("utf-8", "surrogatepass")


def compose(content: bytes) -> Document:
    """A file that is known to be YAML."""
    root = yaml.compose(content.decode(), Loader=LOADER)
    assert root is not None
    return Document(root, {})


def mutate(rng: random.Random, document: Document) -> None:
    """One mutation: of a value, a key, an entry, an item, or of the shape."""
    mappings, places = _walk(document.root)
    match rng.randrange(14):
        case 0 | 1 | 2 | 3 | 4:
            _raw(rng, document, rng.choice(places), rng.choice(nasty.SCALARS))
        case 5 | 6 | 7:
            numeric = [p for p in places if p[0][p[1]].tag.endswith((":int", ":float"))] or places
            _raw(rng, document, rng.choice(numeric), nasty.number(rng))
        case 8:
            _set(rng.choice(places), yaml.ScalarNode(STR, _printable(nasty.text(rng)), style='"'))
        case 9:
            one, other = rng.choice(places), rng.choice(places)
            copied = _copy(_get(other))
            _set(one, copied)
        case 10:
            entries = rng.choice(mappings).value
            if entries:
                del entries[rng.randrange(len(entries))]
        case 11:
            entries = rng.choice(mappings).value
            if entries:
                key, value = rng.choice(entries)
                entries.insert(rng.randint(0, len(entries)), (_copy(key), _copy(value)))
        case 12:
            entries = rng.choice(mappings).value
            if entries:
                i = rng.randrange(len(entries))
                mark = _mark(document, rng.choice([*nasty.SCALARS, *nasty.NUMBERS]))
                key = rng.choice(
                    [yaml.ScalarNode(STR, mark), yaml.ScalarNode(STR, _printable(nasty.text(rng)), style='"')]
                )
                entries[i] = (key, entries[i][1])
        case _:
            place = rng.choice(places)
            node = _copy(_get(place))
            for _ in range(rng.choice([1, 2, 60])):
                flow = yaml.SequenceNode("tag:yaml.org,2002:seq", [node], flow_style=True)
                node = (
                    flow
                    if rng.random() < 0.5
                    else yaml.MappingNode(
                        "tag:yaml.org,2002:map", [(yaml.ScalarNode(STR, "value"), node)], flow_style=True
                    )
                )
            _set(place, node)


Place = tuple[list[Any], int, int]


def _walk(root: yaml.Node) -> tuple[list[yaml.MappingNode], list[Any]]:
    mappings: list[yaml.MappingNode] = []
    places: list[Any] = []
    todo = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, yaml.MappingNode):
            mappings.append(node)
            for i, (_, value) in enumerate(node.value):
                places.append((_Values(node.value), i))
                todo.append(value)
        elif isinstance(node, yaml.SequenceNode):
            for i, value in enumerate(node.value):
                places.append((node.value, i))
                todo.append(value)
    return mappings or [yaml.MappingNode("tag:yaml.org,2002:map", [])], places or [([root], 0)]


class _Values:
    """The values of a mapping node, by number."""

    def __init__(self, entries: list[Any]) -> None:
        self.entries = entries

    def __getitem__(self, i: int) -> Any:
        return self.entries[i][1]

    def __setitem__(self, i: int, value: Any) -> None:
        self.entries[i] = (self.entries[i][0], value)


def _get(place: Any) -> yaml.Node:
    found: yaml.Node = place[0][place[1]]
    return found


def _set(place: Any, node: yaml.Node) -> None:
    place[0][place[1]] = node


def _mark(document: Document, raw: str) -> str:
    mark = f"RAW{len(document.raw):03d}MARK"
    document.raw[mark] = raw
    return mark


def _raw(rng: random.Random, document: Document, place: Any, raw: str) -> None:
    _set(place, yaml.ScalarNode(STR, _mark(document, raw)))


def _printable(text: str) -> str:
    return "".join(c for c in text if not "\ud800" <= c <= "\udfff")


def _copy(node: yaml.Node) -> yaml.Node:
    if isinstance(node, yaml.ScalarNode):
        return yaml.ScalarNode(node.tag, node.value, style=node.style)
    if isinstance(node, yaml.SequenceNode):
        return yaml.SequenceNode(node.tag, [_copy(v) for v in node.value], flow_style=node.flow_style)
    assert isinstance(node, yaml.MappingNode)
    return yaml.MappingNode(node.tag, [(_copy(k), _copy(v)) for k, v in node.value], flow_style=node.flow_style)
