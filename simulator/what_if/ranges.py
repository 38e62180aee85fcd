"""Ranges of acceptance, and the checks that all studies share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from simulator.errors import InputError, unknown_name
from simulator.prediction.predict import METHODS, check_concurrencies
from simulator.prediction.several import CONCURRENCIES
from simulator.serving.scenario import Scenario, check_decodes

STEPS = 21
"""Values in a range that does not say how many."""

BYTES_OF_POINT = 2000
"""Memory that a configuration of a study takes with its results: a sweep of 80,000 took 1,100 for each."""


def span(option: str, low: float, high: float, count: int = STEPS) -> list[float]:
    """``count`` equally spaced values from ``low`` to ``high``, both included.

    Raises:
        InputError: a range that is reversed, empty or not finite.

    Example:
        >>> span("--rates", 0.0, 1.0, 5)
        [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError(f"{option}: expected finite ends, found {low:g}..{high:g}")
    if low > high:
        raise InputError(f"{option}: the range {low:g}..{high:g} is reversed; expected {high:g}..{low:g}")
    if low == high or count < 2:
        raise InputError(
            f"{option}: the range {low:g}..{high:g} with {count} values is empty; expected two ends that differ"
        )
    return [low + (high - low) * i / (count - 1) for i in range(count)]


def check_rates(rates: Sequence[float]) -> None:
    """Refuse an empty list and rates outside [0, 1].

    Raises:
        InputError: names the option and what was found.
    """
    if not rates:
        raise InputError("--rates: expected at least one acceptance rate, found an empty range")
    bad = [a for a in rates if not 0.0 <= a <= 1.0]
    if bad:
        raise InputError(f"--rates: expected acceptance rates in [0, 1], found {', '.join(f'{a:g}' for a in bad[:5])}")


def check_lengths(lengths: Sequence[float], k: int) -> None:
    """Refuse an empty list and lengths outside [1, k + 1].

    Raises:
        InputError: names the option and what was found.
    """
    if not lengths:
        raise InputError("--acceptance-lengths: expected at least one acceptance length, found an empty range")
    bad = [x for x in lengths if not 1.0 <= x <= k + 1]
    if bad:
        found = ", ".join(f"{x:g}" for x in bad[:5])
        raise InputError(f"--acceptance-lengths: expected lengths in [1, {k + 1}] for --mtp {k}, found {found}")


def check_method(method: str) -> None:
    """Refuse an unknown method.

    Raises:
        InputError: with the nearest one.
    """
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)


def check_drafts(scenario: Scenario) -> None:
    """Refuse a scenario without drafts.

    Raises:
        InputError: speculation is off.
    """
    if scenario.speculation.tokens == 0:
        raise InputError("--mtp: a what-if study needs a draft depth of 1 or more, found 0 (off)")
    check_decodes(scenario)


def chosen_concurrencies(scenario: Scenario, concurrencies: Sequence[int] | None) -> list[int]:
    """The concurrencies given, checked; None: those of 4 to 256 whose caches fit with drafts.

    Raises:
        InputError: a bad value, or nothing fits.
    """
    if concurrencies is None:
        found = [c for c in CONCURRENCIES if scenario.memory.fits(c)]
        if not found:
            scenario.check_memory(min(CONCURRENCIES))
        return found
    check_concurrencies(concurrencies)
    if scenario.max_concurrency < 1:
        scenario.check_memory(1)
    return list(dict.fromkeys(concurrencies))
