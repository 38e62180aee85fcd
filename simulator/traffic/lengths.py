"""Distributions of input and output lengths of open-loop requests."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.errors import InputError, unknown_name
from simulator.traffic.benchmark import Workload
from simulator.traffic.formats.cells import LONGEST
from simulator.traffic.traces import read_pairs

Tokens = NDArray[np.int64]

KINDS = ("fixed", "uniform", "lognormal", "empirical")


@dataclass(frozen=True)
class Lengths:
    """Input and output lengths, drawn independently, except that empirical pairs stay together.

    ``fixed``: always ``isl`` and ``osl``. ``uniform``: whole numbers in [shape x L, L], as the published benchmarks
    draw them. ``lognormal``: mean L and coefficient of variation ``shape``. ``empirical``: ``pairs`` of (input,
    output), drawn with replacement. ``option``: as stated on the command line.
    """

    kind: str
    isl: int
    osl: int
    shape: float = 0.0
    option: str = "fixed"
    pairs: tuple[tuple[int, int], ...] = ()

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Tokens, Tokens]:
        """Lengths of ``n`` requests, tokens, each of shape (n,)."""
        if self.kind == "empirical":
            chosen = self._table()[rng.integers(0, len(self.pairs), n)]
            return chosen[:, 0].copy(), chosen[:, 1].copy()
        return self._draw(rng, self.isl, n), self._draw(rng, self.osl, n)

    def _draw(self, rng: np.random.Generator, nominal: int, n: int) -> Tokens:
        if self.kind == "uniform":
            return rng.integers(max(1, int(nominal * self.shape)), nominal, size=n, endpoint=True)
        if self.kind == "lognormal" and self.shape > 0:
            variance = math.log1p(self.shape**2)
            drawn = rng.lognormal(math.log(nominal) - variance / 2, math.sqrt(variance), n)
            return np.clip(np.rint(drawn), 1, LONGEST).astype(np.int64)
        return np.full(n, nominal, dtype=np.int64)

    @functools.cached_property
    def moments(self) -> tuple[float, float, float, float]:
        """Mean and standard deviation of the input, then of the output, tokens."""
        if self.kind == "empirical":
            table = self._table()
            mean, sd = table.mean(axis=0), table.std(axis=0)
            return float(mean[0]), float(sd[0]), float(mean[1]), float(sd[1])
        return *self._moments(self.isl), *self._moments(self.osl)

    def _moments(self, nominal: int) -> tuple[float, float]:
        if self.kind == "uniform":
            low = max(1, int(nominal * self.shape))
            return (low + nominal) / 2, math.sqrt(((nominal - low + 1) ** 2 - 1) / 12)
        return float(nominal), self.shape * nominal if self.kind == "lognormal" else 0.0

    @property
    def longest(self) -> int:
        """Tokens of the longest request that the distribution is meant for: of lognormal lengths the mean plus 3 sd."""
        if self.kind == "empirical":
            return int(self._table().sum(axis=1).max())
        if self.kind == "lognormal":
            return int((self.isl + self.osl) * (1 + 3 * self.shape))
        return self.isl + self.osl

    def _table(self) -> Tokens:
        return np.array(self.pairs, dtype=np.int64)

    def describe(self) -> str:
        """A few words."""
        if self.kind == "empirical":
            return f"empirical, {len(self.pairs)} pairs"
        spread = {"uniform": f"uniform from {self.shape:g} of that", "lognormal": f"lognormal, cv {self.shape:g}"}
        return f"{self.isl}/{self.osl} tokens in/out, {spread.get(self.kind, self.kind)}"


def parse_lengths(text: str, isl: int, osl: int) -> Lengths:
    """Lengths from ``fixed``, ``uniform[:0.8]``, ``lognormal:CV`` or ``empirical:FILE.csv``.

    Raises:
        InputError: an unknown kind, a shape out of range, or a file without (input_tokens, output_tokens) rows.
    """
    for option, value in (("--isl", isl), ("--osl", osl)):
        if isinstance(value, bool) or not 1 <= value <= LONGEST:
            raise InputError(f"{option}: expected whole tokens from 1 to {LONGEST}, found {value}")
    kind, _colon, rest = text.partition(":")
    kind = kind.strip().lower()
    if kind not in KINDS:
        raise unknown_name("length distribution in --lengths", kind, KINDS)
    if kind == "empirical":
        if not rest:
            raise InputError("--lengths: expected empirical:FILE.csv, found empirical without a file")
        return Lengths(kind, isl, osl, option=text, pairs=read_pairs(rest))
    if kind == "fixed":
        if rest:
            raise InputError(f"--lengths: fixed takes no shape, found {text!r}")
        return Lengths(kind, isl, osl)
    try:
        shape = float(rest) if rest else {"uniform": 0.8, "lognormal": math.nan}[kind]
    except ValueError:
        raise InputError(f"--lengths: expected a number after {kind}:, found {text!r}") from None
    if kind == "uniform" and not 0 < shape <= 1:
        raise InputError(f"--lengths: uniform needs a ratio above 0 and up to 1, such as uniform:0.8, found {text!r}")
    if kind == "lognormal" and not 0 <= shape <= 10:
        raise InputError(
            f"--lengths: lognormal needs a coefficient of variation from 0 to 10, such as lognormal:0.5, found {text!r}"
        )
    return Lengths(kind, isl, osl, shape, text)


def lengths_of(lengths: str | Lengths | None, workload: Workload) -> Lengths:
    """Lengths as :func:`parse_lengths` reads them, with the nominal lengths of a workload; or as they are.

    None: as the closed-loop benchmark of that workload draws them, uniform from its range ratio, fixed at a ratio of 1.

    Raises:
        InputError: as of :func:`parse_lengths`.
    """
    if lengths is None:
        lengths = "fixed" if workload.range_ratio == 1 else f"uniform:{workload.range_ratio!r}"
    return lengths if isinstance(lengths, Lengths) else parse_lengths(lengths, workload.isl, workload.osl)
