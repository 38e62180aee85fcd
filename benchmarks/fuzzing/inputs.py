"""What an input is: a command line and the files beside it, made from a seed, a kind and a number, always the same.

A kind says how the harmless input looks and what mutates it. Every mutation draws from a generator of its own, named by
its number, so that any of them can be left out without changing the others: that is how a finding is made small.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

JOURNAL = "ledger.jsonl"
"""The file that a command may append to."""
CLOSED = ("--method", "closed-form", "--concurrency", "4")
SMALL = ("--tp", "2", "--isl", "64", "--osl", "16")


@dataclass(frozen=True)
class Input:
    """One command line with its files.

    Attributes:
        name: ``kind:number``.
        arguments: what follows ``mtpsim``.
        files: name in the scratch folder -> content.
        mutations: how many there were to choose from.
    """

    name: str
    arguments: tuple[str, ...]
    files: Mapping[str, bytes]
    mutations: int = 0


@dataclass
class Steps:
    """Draws of one input: its own, and those of each mutation.

    Attributes:
        name: seed, kind and number.
        keep: numbers of the mutations that happen; None: all.
        made: mutations so far.
        rng: of what is no mutation.
    """

    name: str
    keep: frozenset[int] | None = None
    made: int = 0
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """Seed the generator."""
        self.rng = random.Random(self.name)

    def mutations(self, most: int = 8) -> list[random.Random]:
        """Generators of one to ``most`` mutations, one being likeliest, of which those kept are given."""
        count = min(self.rng.choice([1, 1, 1, 2, 2, 3, 5, 8]), most)
        numbers = range(self.made, self.made + count)
        self.made += count
        return [random.Random(f"{self.name}/{i}") for i in numbers if self.keep is None or i in self.keep]

    def format(self, *more: tuple[str, ...]) -> list[str]:
        """No option, one of the formats, or one of the others."""
        return list(self.rng.choice([(), (), ("--format", "json"), *more]))


Made = tuple[Sequence[str], Mapping[str, bytes]]
"""Arguments and files."""
Kind = Callable[[Steps], Made]
KINDS: dict[str, tuple[int, Kind]] = {}
"""Kind -> (weight, how it is made)."""


def kind(weight: int) -> Callable[[Kind], Kind]:
    """List a kind under the name of its function."""

    def listed(make: Kind) -> Kind:
        KINDS[make.__name__] = weight, make
        return make

    return listed


def wheel(only: Sequence[str] = ()) -> tuple[str, ...]:
    """Kinds in a fixed mixed order, each as often as its weight."""
    order = [name for name, (weight, _) in sorted(KINDS.items()) for _ in range(weight) if not only or name in only]
    random.Random(0).shuffle(order)
    return tuple(order)


def at(place: int, order: Sequence[str]) -> tuple[str, int]:
    """The kind and the number of the input at a place of an endless walk around the wheel."""
    rounds, i = divmod(place, len(order))
    return order[i], rounds * order.count(order[i]) + order[:i].count(order[i])


def make(seed: int, name: str, number: int, keep: frozenset[int] | None = None) -> Input:
    """The input of a kind and a number under a seed.

    Args:
        seed: of the run.
        name: of the kind.
        number: of the input.
        keep: numbers of the mutations that happen; None: all.
    """
    steps = Steps(f"{seed}/{name}/{number}", keep)
    arguments, files = KINDS[name][1](steps)
    return Input(f"{name}:{number}", tuple(_argument(a) for a in arguments), files, steps.made)


def _argument(text: str) -> str:
    """As an operating system hands it over: no NUL, and bytes that are not UTF-8 escaped."""
    return text.replace("\0", "").encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
