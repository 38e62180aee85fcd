"""Maximum a posteriori fit by SciPy's least squares, its Gaussian posterior, and what the data could not tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, least_squares

from simulator.fitting.problem import Problem

Array = NDArray[np.float64]

LOSS_SCALE = 3.0
"""Residuals beyond about three standard deviations count linearly (soft L1), so one odd run cannot steer a fit."""

MAX_EVALUATIONS = 20
SHIFTS = 8
SETTLED = 0.01
"""A fit has settled when a further shift lessens its cost by less than this part of it."""


@dataclass(frozen=True)
class Fit:
    """Posterior mode and covariance in internal coordinates, weighted residuals of the data, and how it ended."""

    problem: Problem
    x: Array
    covariance: Array
    log_errors: Array
    converged: bool

    @property
    def stderr(self) -> Array:
        """Posterior standard deviations."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def moved(self) -> Array:
        """How far the data moved each coordinate, in prior standard deviations."""
        prior = self.problem.prior
        return (self.x - prior.mean) / np.sqrt(np.diag(prior.covariance))

    @property
    def shrinkage(self) -> Array:
        """Posterior over prior standard deviation: near 1 means that the data said nothing."""
        return self.stderr / np.sqrt(np.diag(self.problem.prior.covariance))

    def correlation(self) -> Array:
        """Posterior correlation matrix."""
        sd = self.stderr
        return self.covariance / np.outer(sd, sd)


STARTS = 40
"""Random starts for frontier data, where which run is on the front changes by jumps."""

REFINED = 4
FINISHED = 2
"""Of the refined ones, those finished by discrete events: the closed form cannot tell near ties apart."""
SAME_COST = 1e-3
START_SEED = 7


def fit_from_many_starts(problem: Problem) -> Fit:
    """Fit frontier data: draw starts from the prior, solve the best by the closed form, finish the best of these, and
    take the one that discrete events like best."""
    rng = np.random.default_rng(START_SEED)
    root = np.linalg.cholesky(problem.prior.covariance)
    draws = [problem.prior.mean + root @ rng.standard_normal(problem.prior.mean.size) for _ in range(STARTS)]
    starts = [problem.prior.mean, *draws]
    nothing = np.zeros(problem.y.size)
    best = sorted(starts, key=lambda x: float(np.sum(np.arctan(problem.residuals(x, nothing) ** 2))))[:REFINED]
    refined = [_solve(problem, x, nothing) for x in (starts[0], *best)]
    found: list[Fit] = []
    last = -np.inf
    for answer in sorted(refined, key=lambda s: float(s.cost)):
        if len(found) < FINISHED and answer.cost > last * (1.0 + SAME_COST):
            found.append(fit(problem, answer.x))
            last = answer.cost
    return min(found, key=lambda f: _cost(problem, f.x, f.log_errors + problem.y))


def fit(problem: Problem, start: Array | None = None, odd: float = LOSS_SCALE) -> Fit:
    """Fit to the discrete events, by solving the closed form shifted to them and shifting again where that leads.

    ``odd``: residuals beyond that many standard deviations count linearly.

    Discrete events jump by small amounts as parameters move, which no descent follows well; the closed form is smooth
    and differs from them by a slowly varying percent. Deterministic: one seed, common random numbers.
    """
    x = best = problem.prior.mean if start is None else start
    exact = problem.predict(x)
    least = np.inf
    converged = False
    for _ in range(SHIFTS):
        x = _solve(problem, x, exact - problem.predict(x, exact=False), odd).x
        exact = problem.predict(x)
        cost = _cost(problem, x, exact, odd)
        converged = cost > least * (1.0 - SETTLED)
        if cost < least:
            best, least = x, cost
        if converged:
            break
    x = best
    jacobian = problem.jacobian(x)
    covariance: Array = np.linalg.inv(jacobian.T @ jacobian).astype(np.float64)
    return Fit(problem, x, covariance, problem.predict(x) - problem.y, converged)


def _cost(problem: Problem, x: Array, exact: Array, odd: float = LOSS_SCALE) -> float:
    """The soft-L1 cost that :func:`_solve` lessens, at predictions by discrete events."""
    residuals = problem.weighted(x, exact) / odd
    return float(np.sum(2.0 * (np.sqrt(1.0 + residuals**2) - 1.0)))


def _solve(problem: Problem, start: Array, shift: Array, odd: float = LOSS_SCALE) -> OptimizeResult:
    """Coordinates of which every number is within the bounds of its parameter need no bounds of their own."""

    def residuals(x: Array) -> Array:
        return problem.residuals(x, shift)

    return least_squares(
        residuals,
        start,
        jac=problem.jacobian,
        loss="soft_l1",
        f_scale=odd,
        x_scale=np.sqrt(np.diag(problem.prior.covariance)),
        max_nfev=MAX_EVALUATIONS,
        ftol=1e-5,
        xtol=1e-5,
    )
