"""The fitting problem: coordinates, priors, and predictions of everything that was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from simulator.cost.calibration import ACCEPTANCE, length_of_coordinate
from simulator.errors import InputError
from simulator.fitting.frontiers import Sweep
from simulator.fitting.prior import Prior
from simulator.measurements.cells import Cell
from simulator.measurements.configuration import DEFAULT_DEPTH, Configuration
from simulator.serving.closed_loop import closed_form_load, closed_form_metrics, expected_metrics
from simulator.serving.kept_tables import KeptTables
from simulator.serving.replica import Replica, build_replica
from simulator.speculation.acceptance import OFF, Speculation, at_depth, from_length

Array = NDArray[np.float64]

FIT_REQUESTS = 640
"""Requests simulated per cell while fitting; the final errors use the full number."""

SEED = 20260914


class Problem:
    """Cells (runs) and sweeps (frontiers) to be predicted together from one vector of coordinates."""

    def __init__(
        self, cells: Sequence[Cell], sweeps: Sequence[Sweep], prior: Prior, fixed: Mapping[str, float]
    ) -> None:
        """``fixed``: values of all parameters; the prior's names are fitted, the rest stay."""
        self.cells = list(cells)
        self.sweeps = list(sweeps)
        self.prior = prior
        self.fixed = dict(fixed)
        y, sd = [], []
        for cell in self.cells:
            for obs in cell.observations:
                y.append(np.log(obs.value))
                sd.append(obs.sd)
        for sweep in self.sweeps:
            for obs in sweep.observations:
                y.append(np.log(obs.value))
                sd.append(obs.sd)
        self.y, self.sd = np.array(y), np.array(sd)
        self._tables = KeptTables()

    def values(self, x: Array) -> tuple[dict[str, float], float | None]:
        """Parameter values, and the acceptance length at the default depth if it is fitted."""
        out, length = dict(self.fixed), None
        for name, coordinate in zip(self.prior.names, x, strict=True):
            if name == ACCEPTANCE:
                length = length_of_coordinate(float(coordinate), DEFAULT_DEPTH)
            else:
                out[name] = self.prior.known[name].from_internal(float(coordinate))
        return out, length

    def predict(self, x: Array, exact: bool = True) -> Array:
        """Logarithms of all predictions, in the order of ``y``. ``exact``: discrete events, else the closed form."""
        values, length = self.values(x)
        evaluate = Evaluator(values, length, exact, self._tables)
        wanted = [cell.configuration for cell in self.cells]
        for sweep in self.sweeps:
            wanted += sweep.grid
        evaluate.prepare(wanted)
        out: list[float] = []
        for cell in self.cells:
            found = evaluate(cell.configuration)
            out += [np.log(found[obs.metric]) for obs in cell.observations]
        for sweep in self.sweeps:
            out += sweep.predict(evaluate)
        return np.array(out)

    def residuals(self, x: Array, shift: Array) -> Array:
        """Weighted residuals of the closed form plus ``shift`` (log units), those of the prior last."""
        return self.weighted(x, self.predict(x, exact=False) + shift)

    def weighted(self, x: Array, predicted: Array) -> Array:
        """Weighted residuals of predicted logarithms, those of the prior last."""
        whitened = np.linalg.solve(np.linalg.cholesky(self.prior.covariance), x - self.prior.mean)
        return np.concatenate([(predicted - self.y) / self.sd, whitened])

    def jacobian(self, x: Array, step: float = 0.02) -> Array:
        """Derivatives of :meth:`residuals`, from the closed form: smooth where discrete events are not.

        The step is wide enough to look past its own small jumps, where a prefill starts to take one more pass.
        """
        columns = []
        for j in range(x.size):
            up, down = x.copy(), x.copy()
            up[j] += step
            down[j] -= step
            columns.append((self.predict(up, exact=False) - self.predict(down, exact=False)) / (2 * step))
        data = np.stack(columns, axis=1) / self.sd[:, None]
        return np.concatenate([data, np.linalg.inv(np.linalg.cholesky(self.prior.covariance))])


class Evaluator:
    """Predicted metrics of configurations under one set of parameter values; each is computed once."""

    def __init__(
        self, values: Mapping[str, float], length: float | None, exact: bool, tables: KeptTables | None = None
    ) -> None:
        """``length``: acceptance length at the default depth for rows that state none. ``tables``: kept ones."""
        self.parameters = values
        self.length = length
        self.exact = exact
        self.known: dict[Configuration, dict[str, float]] = {}
        self.replicas: dict[object, Replica] = {}
        self.tables = tables or KeptTables()

    def __call__(self, config: Configuration) -> dict[str, float]:
        """Metrics of a configuration that was prepared."""
        return self.known[config]

    def prepare(self, configs: Sequence[Configuration]) -> None:
        """Compute what is asked for: one by one by discrete events, or all in one call of the closed form."""
        if self.exact:
            for config in configs:
                if config not in self.known:
                    self.known[config] = self._simulate(config)
            return
        todo = list(dict.fromkeys(c for c in configs if c not in self.known))
        parts = [self._parts(c) for c in todo]
        replicas = list({id(p): p for p, *_ in parts}.values())
        index = {id(p): i for i, p in enumerate(replicas)}
        which = np.array([index[id(p)] for p, *_ in parts])
        loads = np.array([load for _p, load, *_ in parts])
        table = closed_form_metrics(replicas, which, loads, np.array([float(c.tp) for c in todo]))
        for i, config in enumerate(todo):
            self.known[config] = {name: float(column[i]) for name, column in table.items()}

    def speculation(self, config: Configuration) -> Speculation:
        """The row's own acceptance length, or the fitted one carried to the row's depth at equal rate."""
        k = config.spec_tokens
        if k == 0:
            return OFF
        if config.acceptance_length is not None:
            return from_length(config.acceptance_length, k)
        if self.length is None:
            raise InputError("an MTP row without acceptance_length needs a fitted acceptance length")
        return at_depth(self.length, DEFAULT_DEPTH, k, "fitted")

    def _parts(self, config: Configuration) -> tuple[Replica, Array, Speculation, int]:
        key = config.server
        speculation = self.speculation(config)
        if key not in self.replicas:
            tables = self.tables.of(key, config.deployment, speculation.tokens, self.parameters)
            self.replicas[key] = build_replica(config.deployment, speculation, self.parameters, tables)
        cap = config.slots
        load = closed_form_load(config.workload, speculation, config.concurrency, cap)
        return self.replicas[key], load, speculation, cap

    def _simulate(self, config: Configuration) -> dict[str, float]:
        replica, _load, speculation, cap = self._parts(config)
        workload = config.workload
        runs = max(1, -(-FIT_REQUESTS // (config.concurrency * workload.requests_per_client)))
        return expected_metrics(replica, workload, speculation, config.concurrency, cap, config.tp, SEED, runs)
