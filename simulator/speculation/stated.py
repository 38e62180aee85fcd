"""Acceptance as a user states it, in any of the definitions that engines and papers print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.bounds import number, parse_number
from simulator.errors import InputError, brief
from simulator.speculation import acceptance as sp

POSITIONS = "--acceptance-positions"
DEFINITIONS = ("unconditional", "conditional")


@dataclass(frozen=True)
class Acceptance:
    """How a user states acceptance: at most one of the six.

    Attributes:
        length: mean tokens per round, in [1, k + 1].
        rate: one probability for all positions, each given that all drafts before it were accepted.
        positions: a probability per position, each given that all drafts before it were accepted.
        profile: name or path of a table of lengths.
        labelled: probabilities per position with their definition, ``"unconditional:0.90,0.75,0.60"``.
        drafted: accepted over drafted tokens, (length - 1) / k.
    """

    length: float | None = None
    rate: float | None = None
    positions: Sequence[float] | None = None
    profile: str | None = None
    labelled: str | None = None
    drafted: float | None = None

    @property
    def given(self) -> list[str]:
        """The options that were given."""
        named = {
            "--acceptance-length": self.length,
            "--acceptance-rate": self.rate,
            "--acceptance": self.positions,
            "--acceptance-profile": self.profile,
            POSITIONS: self.labelled,
            "--draft-acceptance": self.drafted,
        }
        return [name for name, value in named.items() if value is not None]

    @property
    def of_one_depth(self) -> bool:
        """Whether the number belongs to the depth that it was measured at."""
        return any(one is not None for one in (self.length, self.positions, self.labelled, self.drafted))

    @property
    def depth(self) -> int | None:
        """How many positions are stated, None without positions.

        Raises:
            InputError: as of :func:`parse_positions`.
        """
        if self.labelled is not None:
            return len(parse_positions(self.labelled)[1])
        return None if self.positions is None else len(self.positions)

    def check(self) -> None:
        """Refuse what is no number; its range depends on the depth.

        Raises:
            InputError: names the option.
        """
        if self.length is not None:
            number("--acceptance-length", self.length, "a length of at least 1")
        if self.rate is not None:
            number("--acceptance-rate", self.rate, "a rate in [0, 1]")
        if self.drafted is not None:
            number("--draft-acceptance", self.drafted, "accepted over drafted tokens in [0, 1]")
        for probability in self.positions or ():
            number("--acceptance", probability, "probabilities in [0, 1]")
        if self.labelled is not None:
            parse_positions(self.labelled)

    def speculation(self, k: int) -> sp.Speculation | None:
        """Drafts of depth k as the number says; None where none is stated, or a profile is.

        Raises:
            InputError: it is out of range at this depth.
        """
        if self.length is not None:
            return sp.from_length(self.length, k)
        if self.rate is not None:
            return sp.from_rate(self.rate, k)
        if self.drafted is not None:
            return sp.from_drafted(self.drafted, k)
        if self.positions is not None:
            return sp.from_positions(self.positions, k)
        if self.labelled is None:
            return None
        definition, values = parse_positions(self.labelled)
        if definition == "conditional":
            return sp.from_positions(values, k, option=POSITIONS)
        return sp.from_unconditional(values, k, POSITIONS)


def parse_positions(text: str) -> tuple[str, list[float]]:
    """The definition and the probabilities of ``"unconditional:0.90,0.75,0.60"``.

    Raises:
        InputError: no definition, with the length that either would give, or no numbers.

    Example:
        >>> parse_positions("unconditional:0.90,0.75,0.60")
        ('unconditional', [0.9, 0.75, 0.6])
    """
    if not isinstance(text, str):
        raise InputError(f"{POSITIONS}: expected text such as unconditional:0.90,0.75,0.60, found {brief(text)}")
    name, colon, rest = text.rpartition(":")
    definition = name.strip().lower()
    try:
        values = [parse_number(part) for part in rest.split(",")]
    except ValueError:
        expected = "unconditional: or conditional: and numbers separated by commas"
        raise InputError(f"{POSITIONS}: expected {expected}, found {brief(text)}") from None
    if not colon or definition not in DEFINITIONS:
        raise InputError(
            f"{POSITIONS}: expected unconditional:{rest} (accepted in that part of all rounds, as vLLM prints it"
            f"{_length('unconditional', values)}) or conditional:{rest} (given that all drafts before it were"
            f"{_length('conditional', values)}), found {brief(text)}"
        )
    return definition, values


def _length(definition: str, values: Sequence[float]) -> str:
    try:
        make = sp.from_unconditional if definition == "unconditional" else sp.from_positions
        return f": {make(values, len(values)).acceptance_length:.2f} tokens per round"
    except InputError:
        return ""
