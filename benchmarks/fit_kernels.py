"""How well the cost model describes the published kernel times, by accelerator and class of kernels.

    python benchmarks/fit_kernels.py             # the table of docs/accuracy.md, a quarter of a minute
    python benchmarks/fit_kernels.py --markdown  # the same between its markers, to paste
    python benchmarks/fit_kernels.py --check     # exit status 1 if the shipped priors are not those of the tables

A number is the root mean square of log(model / measured), in per cent. Columns: what is fitted to the accelerator's own
table; the fused MoE of every other shape, predicted from the fit to one shape; and the whole table under the priors
that the accelerator would have without it, those of its nearest relatives.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from simulator.cost.parameters import priors, values_of
from simulator.cost.priors import borrowed, relatives
from simulator.facts.hardware import Hardware
from simulator.facts.reading import load_hardware
from simulator.fitting.kernels.build import KernelFit
from simulator.fitting.kernels.classes import KernelClass
from simulator.fitting.kernels.fit import Fitted, fit_class, log_errors
from simulator.fitting.kernels.shipped import TABLES, build, differences
from simulator.fitting.kernels.table import KernelRow

SHAPE = ("hidden", "intermediate", "experts", "top_k")
LEAST_ROWS = 8
"""Rows of a shape from which it can stand for a fit."""


@dataclass(frozen=True)
class Line:
    """One accelerator and class: rows, then errors as fractions; None where there is nothing to predict."""

    accelerator: str
    kernels: str
    rows: int
    fitted: float
    one_shape: float | None
    others: int
    relative: float
    nearest: str


def rms(errors: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(errors**2)))


def shape_of(row: KernelRow) -> tuple[float, ...]:
    """Shape of a mixture-of-experts layer."""
    return tuple(row.get(name, 0.0) for name in SHAPE)


def most_measured(rows: tuple[KernelRow, ...]) -> tuple[float, ...]:
    """The shape with the most rows; of equals the largest."""
    counts = Counter(map(shape_of, rows))
    return max(counts, key=lambda shape: (counts[shape], shape))


def other_shapes(
    kind: KernelClass, rows: tuple[KernelRow, ...], hardware: Hardware, start: Mapping[str, float]
) -> tuple[float, int] | None:
    """Error and number of the rows of all shapes but the most measured one, predicted by a fit to that one alone; None
    where there is but one shape, or too few rows of it."""
    chosen = most_measured(rows)
    own = [row for row in rows if shape_of(row) == chosen]
    others = [row for row in rows if shape_of(row) != chosen]
    if not others or len(own) < LEAST_ROWS:
        return None
    fit = fit_class(kind, own, hardware, start)
    assert fit is not None
    return rms(log_errors(kind, others, hardware, {**priors(), **start, **fit.values})), len(others)


def lines_of(name: str, found: KernelFit) -> Iterator[Line]:
    """The lines of one accelerator."""
    hardware = load_hardware(name)
    without = values_of(borrowed(hardware).known)
    nearest = relatives(hardware)[0].hardware
    known: dict[str, float] = {}
    for fit in found.fits:
        beyond = other_shapes(fit.kind, fit.rows, hardware, known) if "MoE" in fit.kind.title else None
        error = rms(log_errors(fit.kind, fit.rows, hardware, without))
        yield Line(name, title(fit), len(fit.rows), fit.rms, *(beyond or (None, 0)), error, nearest)
        known.update(fit.values)


def title(fit: Fitted) -> str:
    """Class and format in words."""
    return f"{fit.kind.title}, {fit.kind.fmt.upper()}" if fit.kind.title in FORMATTED else fit.kind.title


FORMATTED = ("fused MoE", "GEMM", "attention")


def table(fits: Mapping[str, KernelFit]) -> str:
    """All accelerators in markdown."""
    head = ("accelerator", "kernels", "rows", "fitted", "other shapes", "from its relatives")
    out = [f"| {' | '.join(head)} |", "|---|---|" + "---:|" * 4]
    for name, found in fits.items():
        for i, line in enumerate(lines_of(name, found)):
            shapes = "" if line.one_shape is None else f"{100 * line.one_shape:.0f} ({line.others} rows)"
            label = f"`{name}` (nearest: `{line.nearest}`)" if i == 0 else ""
            cells = (
                label,
                line.kernels,
                f"{line.rows}",
                f"{100 * line.fitted:.0f}",
                shapes,
                f"{100 * line.relative:.0f}",
            )
            out.append(f"| {' | '.join(cells)} |")
    return "\n".join(out)


def main(arguments: list[str] | None = None) -> int:
    """Print the table; with ``--check`` return 1 if the shipped priors have drifted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true", help="with the markers of docs/accuracy.md around the table")
    parser.add_argument("--check", action="store_true", help="compare with the shipped priors and print no table")
    options = parser.parse_args(arguments)
    fits = {name: build(name) for name in TABLES}
    if options.check:
        moved = [text for name, found in fits.items() for text in differences(found.content, name)]
        print(
            "\n".join(moved) or "the shipped priors are those of the tables", file=sys.stderr if moved else sys.stdout
        )
        return 1 if moved else 0
    text = table(fits)
    print(f"<!-- priors -->\n{text}\n<!-- /priors -->" if options.markdown else text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
