"""Several results of one kind as one, such as a comparison for each draft depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.prediction.several import split_meta
from simulator.results.table import Result


@dataclass(frozen=True)
class Parts(Result):
    """Results one after the other.

    Attributes:
        meta: the inputs that all share; ``scenarios`` holds those in which they differ, one entry per part.
        names: per part the columns that tell it from the others.
        parts: the results.
    """

    meta: Mapping[str, Any]
    names: Sequence[Mapping[str, Any]]
    parts: Sequence[Result]

    @classmethod
    def of(cls, parts: Sequence[Result], names: Sequence[Mapping[str, Any]]) -> Parts:
        """Gather what the parts share."""
        shared, own = split_meta([part.meta for part in parts])
        return cls({**shared, "scenarios": own}, tuple(names), tuple(parts))

    def records(self) -> list[dict[str, Any]]:
        """The rows of all parts, each behind the columns that name its part."""
        return [{**name, **row} for name, part in zip(self.names, self.parts, strict=True) for row in part.records()]

    def document(self) -> Mapping[str, Any]:
        """``meta``, ``rows``, and ``parts``: the document of each."""
        return {"meta": self.meta, "rows": self.records(), "parts": [part.document() for part in self.parts]}
