"""What a sweep runs, as text: ``2:4..256;4:4,8,16`` is TP2 at 4 to 256 clients in powers of two, TP4 at 4, 8 and 16."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from simulator.bounds import parse_whole, small_enough
from simulator.errors import InputError, brief

LARGEST = 1_000_000
"""Most clients, and most GPUs of a replica, that a sweep may name."""


class Counts(list[int]):
    """Whole numbers in the order given, each once; ``stated`` are those written out, the others come from a range.

    Example:
        >>> counts = parse_counts("--concurrency", "3,4..16,8")
        >>> list(counts), sorted(counts.stated)
        ([3, 4, 8, 16], [3, 8])
    """

    def __init__(self, numbers: Iterable[int], stated: Iterable[int]) -> None:
        """The numbers, and those of them that were written out."""
        super().__init__(numbers)
        self.stated = frozenset(stated)

    @property
    def ranged(self) -> bool:
        """Whether any number comes from a range alone."""
        return not self.stated.issuperset(self)


@dataclass(frozen=True)
class Grid:
    """The runs of a sweep: per number of GPUs of a replica, its concurrencies. Its text is what was parsed.

    Attributes:
        sizes: (tensor parallelism, concurrencies) in the order given; each TP once.
        stated: (tensor parallelism, concurrency) of what was written out rather than part of a range.

    Example:
        >>> grid = parse_grid("--sweep", "2:4..256;4:4,8,16")
        >>> print(grid, grid.tp, grid.runs[:2], len(grid.runs))
        2:4..256;4:4..16 (2, 4) ((2, 4), (2, 8)) 10
    """

    sizes: tuple[tuple[int, tuple[int, ...]], ...]
    stated: frozenset[tuple[int, int]] = field(default=frozenset(), compare=False, repr=False)

    @property
    def tp(self) -> tuple[int, ...]:
        """The replica sizes, GPUs."""
        return tuple(tp for tp, _ in self.sizes)

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """(TP, concurrency) of every run."""
        return tuple((tp, c) for tp, clients in self.sizes for c in clients)

    def __str__(self) -> str:
        """The shortest text that :func:`parse_grid` reads as this grid."""
        return ";".join(f"{tp}:{_listed(clients)}" for tp, clients in self.sizes)


def parse_grid(where: str, text: str | Sequence[str]) -> Grid:
    """One text, or one per replica size, as a grid.

    Args:
        where: option or column that the text comes from, for messages.
        text: ``TP:clients``, several joined with ``;``; clients as of :func:`parse_ints`.

    Raises:
        InputError: not such a text, a number that is not from 1 to 1,000,000, or a TP named twice.

    Example:
        >>> parse_grid("--sweep", ["2:4..16", "4:4"]).sizes
        ((2, (4, 8, 16)), (4, (4,)))
    """
    parts = [part.strip() for one in ([text] if isinstance(text, str) else text) for part in one.split(";")]
    if not parts:
        raise InputError(f"{where}: expected TP:clients such as 2:4..256, found nothing")
    sizes: dict[int, tuple[int, ...]] = {}
    stated: set[tuple[int, int]] = set()
    for part in parts:
        left, colon, right = part.partition(":")
        if not colon or not left.strip() or not right.strip():
            raise InputError(f"{where}: expected TP:clients such as 2:4..256 or 4:4,8,16, found {brief(part)}")
        tp, counts = _whole(where, left), parse_counts(where, right)
        clients = tuple(counts)
        for value in (tp, *clients):
            if not 1 <= value <= LARGEST:
                raise InputError(f"{where}: expected whole numbers from 1 to {LARGEST}, found {value} in {part!r}")
        if tp in sizes:
            raise InputError(f"{where}: expected each TP once, found {tp} twice; join its clients with commas")
        sizes[tp] = clients
        stated |= {(tp, c) for c in counts.stated}
    return Grid(tuple(sizes.items()), frozenset(stated))


def parse_ints(where: str, text: str) -> list[int]:
    """Whole numbers and ranges of powers of two, each once, in the order given.

    Raises:
        InputError: names the option, and what is not a number or a range.

    Example:
        >>> parse_ints("--concurrency", "3, 4..32")
        [3, 4, 8, 16, 32]
    """
    return list(parse_counts(where, text))


def parse_counts(where: str, text: str) -> Counts:
    """The same, with what was written out told apart from what a range names.

    Raises:
        InputError: names the option, and what is not a number or a range.
    """
    found: dict[int, None] = {}
    stated: set[int] = set()
    for part in split_list(where, text):
        low, dots, high = part.partition("..")
        ends = [_whole(where, end) for end in ((low, high) if dots else (low,))]
        found |= dict.fromkeys(_powers(where, part, *ends) if dots else ends)
        stated |= set() if dots else set(ends)
    return Counts(found, stated)


def split_list(where: str, text: str) -> list[str]:
    """The parts between commas, trimmed.

    Raises:
        InputError: a part is empty.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise InputError(f"{where}: expected numbers separated by commas, found {brief(text)}")
    return parts


def _whole(where: str, text: str) -> int:
    try:
        found = parse_whole(text)
    except ValueError:
        raise InputError(
            f"{where}: expected whole numbers such as 4,8,16 or powers of two such as 4..256, found {brief(text)}"
        ) from None
    return small_enough(where, found)


def _up_to(high: int) -> Iterator[int]:
    return itertools.takewhile(lambda p: p <= high, (2**i for i in itertools.count()))


def _powers(where: str, part: str, low: int, high: int) -> list[int]:
    found = [p for p in _up_to(high) if p >= low]
    if low < 1 or not found:
        raise InputError(f"{where}: expected a range with a power of two in it, such as 4..256, found {part}")
    return found


def _listed(clients: Sequence[int]) -> str:
    """Clients as text: a range where they are all powers of two between its ends, three at the least."""
    low, high = clients[0], clients[-1]
    if len(clients) >= 3 and [p for p in _up_to(high) if p >= low] == list(clients):
        return f"{low}..{high}"
    return ",".join(map(str, clients))
