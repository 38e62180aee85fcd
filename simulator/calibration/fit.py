"""Maximum a posteriori fit by SciPy's least squares, its Gaussian posterior, and what the data could not tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, least_squares

from simulator.calibration.problem import Problem

Array = NDArray[np.float64]

LOSS_SCALE = 3.0
"""Residuals beyond about three standard deviations count linearly (soft L1), so one odd run cannot steer a fit."""

MAX_EVALUATIONS = 25


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
START_SEED = 7


def fit_from_many_starts(problem: Problem) -> Fit:
    """Fit frontier data: draw starts from the prior, refine the best by the closed form, finish the best by discrete
    events."""
    rng = np.random.default_rng(START_SEED)
    low, high = problem.bounds()
    root = np.linalg.cholesky(problem.prior.covariance)
    draws = [problem.prior.mean + root @ rng.standard_normal(low.size) for _ in range(STARTS)]
    starts = [np.clip(x, low + 1e-6, high - 1e-6) for x in (problem.prior.mean, *draws)]
    best = sorted(starts, key=lambda x: float(np.sum(np.arctan(problem.residuals(x, exact=False) ** 2))))[:REFINED]
    refined = [_solve(problem, x, MAX_EVALUATIONS // 2, exact=False) for x in (starts[0], *best)]
    return fit(problem, min(refined, key=lambda s: float(s.cost)).x)


def fit(problem: Problem, start: Array | None = None, evaluations: int = MAX_EVALUATIONS) -> Fit:
    """Fit by discrete events, with the closed form's derivatives. Deterministic: one seed, common random numbers."""
    solution = _solve(problem, problem.prior.mean if start is None else start, evaluations, exact=True)
    jacobian = problem.jacobian(solution.x)
    covariance: Array = np.linalg.inv(jacobian.T @ jacobian).astype(np.float64)
    errors = problem.predict(solution.x) - problem.y
    return Fit(problem, solution.x, covariance, errors, bool(solution.status > 0))


def _solve(problem: Problem, start: Array, evaluations: int, exact: bool) -> OptimizeResult:
    low, high = problem.bounds()

    def residuals(x: Array) -> Array:
        return problem.residuals(x, exact)

    return least_squares(
        residuals,
        np.clip(start, low + 1e-6, high - 1e-6),
        jac=problem.jacobian,
        bounds=(low, high),
        loss="soft_l1",
        f_scale=LOSS_SCALE,
        x_scale=np.sqrt(np.diag(problem.prior.covariance)),
        max_nfev=evaluations,
        ftol=1e-4,
        xtol=1e-4,
    )
