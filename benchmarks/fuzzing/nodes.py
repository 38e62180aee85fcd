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
    """One mutation: of a value, a key, an entry, or the shape; every fourth leaves a number that may well be right."""
    mappings, places = _walk(document.root)
    entries = rng.choice(mappings).value or [(yaml.ScalarNode(STR, "x"), yaml.ScalarNode(STR, "y"))]
    i = rng.randrange(len(entries))
    place = rng.choice(places)
    number = rng.choice([p for p in places if _get(p).tag.endswith((":int", ":float"))] or places)
    match rng.randrange(18):
        case 0 | 1 | 2 | 3:
            _set(place, _raw(document, rng.choice(nasty.SCALARS)))
        case 4 | 5 | 6:
            _set(number, _raw(document, nasty.number(rng)))
        case 7 | 8 | 9 | 10 | 11:
            _set(number, _raw(document, nasty.near(rng, str(_get(number).value))))
        case 12:
            _set(place, _text(rng))
        case 13:
            _set(place, _copy(_get(rng.choice(places))))
        case 14:
            del entries[i]
        case 15:
            entries.insert(rng.randint(0, len(entries)), (_copy(entries[i][0]), _copy(entries[i][1])))
        case 16:
            key = _text(rng) if rng.random() < 0.5 else _raw(document, rng.choice([*nasty.SCALARS, *nasty.NUMBERS]))
            entries[i] = (key, entries[i][1])
        case _:
            _set(place, _nested(rng, _copy(_get(place))))


def _nested(rng: random.Random, node: yaml.Node) -> yaml.Node:
    for _ in range(rng.choice([1, 2, 60])):
        if rng.random() < 0.5:
            node = yaml.SequenceNode("tag:yaml.org,2002:seq", [node], flow_style=True)
        else:
            entry = yaml.ScalarNode(STR, "value"), node
            node = yaml.MappingNode("tag:yaml.org,2002:map", [entry], flow_style=True)
    return node


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


def _raw(document: Document, raw: str) -> yaml.Node:
    mark = f"RAW{len(document.raw):03d}MARK"
    document.raw[mark] = raw
    return yaml.ScalarNode(STR, mark)


def _text(rng: random.Random) -> yaml.Node:
    return yaml.ScalarNode(STR, "".join(c for c in nasty.text(rng) if not "\ud800" <= c <= "\udfff"), style='"')


def _copy(node: yaml.Node) -> yaml.Node:
    if isinstance(node, yaml.ScalarNode):
        return yaml.ScalarNode(node.tag, node.value, style=node.style)
    if isinstance(node, yaml.SequenceNode):
        return yaml.SequenceNode(node.tag, [_copy(v) for v in node.value], flow_style=node.flow_style)
    assert isinstance(node, yaml.MappingNode)
    return yaml.MappingNode(node.tag, [(_copy(k), _copy(v)) for k, v in node.value], flow_style=node.flow_style)
