"""Which parameters a replica depends on: values that remember which of them were asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class Recorder(Mapping[str, float]):
    """Values that remember which of them were asked for."""

    def __init__(self, values: Mapping[str, float]) -> None:
        """Around these values, none of them asked for yet."""
        self.values_of, self.seen = values, set[str]()

    def __getitem__(self, name: str) -> float:
        """The value, from now on asked for."""
        self.seen.add(name)
        return self.values_of[name]

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self.values_of)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.values_of)
