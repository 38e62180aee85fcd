"""Whether a covariance can be one: what a calibration file says of its own errors must hold together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Fault = tuple[tuple[str | int, ...], str]
"""Key path and sentence."""

ROUNDED = 1e-4
"""Entries are written with six digits, so symmetry and signs hold to this part of the standard deviations."""
APART = 1.5
"""A standard error is the root of its variance, within this factor and :data:`LEAST`: both are rounded."""
LEAST = 2e-3


def covariance_faults(
    names: Sequence[str], matrix: Sequence[Sequence[float]], known: Collection[str], stderr: Mapping[str, float]
) -> list[Fault]:
    """What is wrong with a covariance, by where it stands.

    Args:
        names: of the rows and columns.
        matrix: as many rows and columns, internal coordinates.
        known: names that there may be.
        stderr: standard errors stated beside it, in the same coordinates.
    """
    faults: list[Fault] = []
    for i, name in enumerate(names):
        if name not in known:
            faults.append((("names", i), f"no entry under parameters or acceptance, found {name!r}"))
        if name in names[:i]:
            faults.append((("names", i), f"found {name!r} twice; expected each name once"))
    n = len(names)
    if len(matrix) != n or any(len(row) != n for row in matrix):
        return [*faults, (("matrix",), f"expected {n} x {n} for {n} names")]
    found = np.array(matrix, dtype=float).reshape(n, n)
    negative = [i for i in range(n) if found[i, i] < 0]
    if negative:
        i = negative[0]
        return [*faults, (("matrix", i, i), f"the variance of {names[i]} is below zero, found {found[i, i]:g}")]
    return faults + (_shape_faults(found) if n else []) + _stated(names, found, stderr)


def _shape_faults(found: NDArray[np.float64]) -> list[Fault]:
    deviations = np.sqrt(np.diag(found))
    scale = np.outer(deviations, deviations)
    beyond = np.argwhere(np.abs(found) > scale * (1 + ROUNDED) + 1e-12)
    if beyond.size:
        i, j = (int(x) for x in beyond[0])
        text = f"a covariance beyond the two variances, {found[i, j]:g} of at most {scale[i, j]:g}"
        return [(("matrix", i, j), text)]
    skew = np.argwhere(np.abs(found - found.T) > ROUNDED * scale + 1e-12)
    if skew.size:
        i, j = (int(x) for x in skew[0])
        text = f"not symmetric, {found[i, j]:g} here and {found[j, i]:g} in row {j}, column {i}"
        return [(("matrix", i, j), text)]
    correlation = found / np.where(scale > 0, scale, 1.0)
    least = float(np.linalg.eigvalsh((correlation + correlation.T) / 2)[0])
    if least < -ROUNDED * len(found):
        return [(("matrix",), f"some combination has a variance below zero ({least:g}); expected none")]
    return []


def _stated(names: Sequence[str], found: NDArray[np.float64], stderr: Mapping[str, float]) -> list[Fault]:
    faults: list[Fault] = []
    for i, name in enumerate(names):
        stated, here = stderr.get(name), float(found[i, i]) ** 0.5
        if stated is None:
            continue
        if not here / APART - LEAST <= stated <= here * APART + LEAST:
            faults.append((("matrix", i, i), f"{name} has a stderr of {stated:g} and a variance of {found[i, i]:g}"))
    return faults
