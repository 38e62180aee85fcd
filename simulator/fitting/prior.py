"""What a fit starts from: the kernel priors, or an earlier calibration of a related image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.cost.calibration import ACCEPTANCE, Calibration, length_coordinate
from simulator.cost.parameters import Known, prior_covariance
from simulator.cost.priors import layered
from simulator.facts.hardware import Hardware
from simulator.measurements.configuration import DEFAULT_DEPTH

Array = NDArray[np.float64]

ACCEPTANCE_PRIOR = (2.9, 0.38)
"""Acceptance length on random tokens at k = 3: 2.4-3.4, two standard deviations each way; sd in logit((AL - 1) / k)."""

IMAGE_SPREAD = 0.5
"""Engine images differ: a prior from another image's fit is widened by this part of the kernel prior's own width."""


@dataclass(frozen=True)
class Prior:
    """Mean and covariance in internal coordinates; the acceptance length is last when it is fitted.

    ``known``: all parameters with the priors that the coordinates are those of.
    """

    names: tuple[str, ...]
    mean: Array
    covariance: Array
    known: Known


def default_prior(fit_acceptance: bool, hardware: Hardware, engine: str | None = None) -> Prior:
    """The priors of an accelerator and of an engine's host, of the parameters that are fitted, and that of the
    acceptance length."""
    return _prior(fit_acceptance, layered(hardware, engine=engine).known)


def _prior(fit_acceptance: bool, known: Known) -> Prior:
    chosen = [p for p in known.values() if p.fitted]
    names = [p.name for p in chosen]
    mean = [p.to_internal(p.value) for p in chosen]
    covariance = prior_covariance(names, known)
    if fit_acceptance:
        names.append(ACCEPTANCE)
        mean.append(length_coordinate(ACCEPTANCE_PRIOR[0], DEFAULT_DEPTH))
        covariance = np.pad(covariance, (0, 1))
        covariance[-1, -1] = ACCEPTANCE_PRIOR[1] ** 2
    return Prior(tuple(names), np.array(mean), covariance, known)


def prior_from(calibration: Calibration, fit_acceptance: bool) -> Prior:
    """An earlier fit as the prior of another image: its means, its covariance widened by :data:`IMAGE_SPREAD`.

    The acceptance length keeps its own wide prior around the earlier value: it differs between runs.
    """
    base = _prior(fit_acceptance, calibration.known)
    if not calibration.data:
        return base
    values = calibration.values()
    uncertain, covariance = calibration.uncertainty()
    index = [uncertain.index(n) if n in uncertain else -1 for n in base.names]
    mean = base.mean.copy()
    widened = base.covariance * IMAGE_SPREAD**2
    for i, name in enumerate(base.names):
        if name == ACCEPTANCE:
            widened[i, i] = base.covariance[i, i]
            if calibration.acceptance is not None:
                mean[i] = length_coordinate(calibration.acceptance.length, calibration.acceptance.spec_tokens)
            continue
        mean[i] = calibration.known[name].to_internal(values[name])
        for j, other in enumerate(base.names):
            if other != ACCEPTANCE:
                widened[i, j] += covariance[index[i], index[j]]
    return Prior(base.names, mean, widened, base.known)
