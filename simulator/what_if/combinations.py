"""Every combination of deployment, draft depth, acceptance and concurrency at once, as columns rather than rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.bounds import check_seed
from simulator.errors import InputError
from simulator.files.limits import within
from simulator.prediction.predict import check_concurrencies, versions
from simulator.prediction.several import split_meta
from simulator.results.table import Result, csv_text
from simulator.results.words import replica_name
from simulator.serving.scenario import Scenario, cost_basis_price, make_scenario
from simulator.serving.scope import judge
from simulator.speculation.acceptance import from_rate
from simulator.units import KILO, MEGA, SECONDS_PER_HOUR
from simulator.what_if.acceptance import study_meta
from simulator.what_if.backends import LOCAL, Backend, events_grid
from simulator.what_if.gain import THROUGHPUT, off_of, with_length
from simulator.what_if.grid import Progress, silent, trusted_grid
from simulator.what_if.ranges import BYTES_OF_POINT, check_drafts, check_method, check_rates, span

Array = NDArray[Any]
CLIENTS = (4, 8, 16, 32, 64, 128, 256)
RATES = tuple(span("--rates", 0.0, 1.0, 11))


@dataclass(frozen=True)
class WideSweep(Result):
    """Columns of equal length, one entry per configuration, and for every concurrency and acceptance the best of them.

    Attributes:
        meta: inputs.
        columns: name -> values; units of :data:`simulator.results.columns.UNITS`, rates and gains are fractions.
        best: rows with the TP and depth of highest throughput per GPU at each concurrency and acceptance rate.
    """

    meta: Mapping[str, Any]
    columns: Mapping[str, Array]
    best: tuple[Mapping[str, Any], ...]

    def records(self) -> list[dict[str, Any]]:
        """One row per configuration."""
        lists = [column.tolist() for column in self.columns.values()]
        return [dict(zip(self.columns, values, strict=True)) for values in zip(*lists, strict=True)]

    def document(self) -> Mapping[str, Any]:
        """``meta``, ``columns``, ``best``."""
        columns = {name: column.tolist() for name, column in self.columns.items()}
        return {"meta": self.meta, "columns": columns, "best": self.best}

    def to_csv(self) -> str:
        """One line per configuration."""
        return csv_text(self.columns, zip(*(column.tolist() for column in self.columns.values()), strict=True))


def what_if_sweep(
    scenarios: Sequence[Scenario] | None = None,
    concurrencies: Sequence[int] = CLIENTS,
    rates: Sequence[float] = RATES,
    *,
    method: str = "des",
    seed: int = 0,
    cost_basis: str = "hyperscaler",
    backend: Backend = LOCAL,
    progress: Progress = silent,
) -> WideSweep:
    """Throughput, TPOT, cost and gain over Off of every scenario at every acceptance rate and concurrency.

    Args:
        scenarios: each with drafts, such as one per TP and depth; their own acceptance is not used. None: the default
            one on TP2 and TP4 at depth 1 to 8.
        concurrencies: clients. Requests beyond what fits in memory queue; a scenario in which not even one fits is
            left out and noted.
        rates: acceptance rates in [0, 1], the same at each position.
        method: ``des`` or ``closed-form``, which gives way to events where it is not to be trusted.
        seed: of lengths and accepted drafts.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.
        backend: where discrete events run.
        progress: told how many configurations are done.

    Raises:
        InputError: no scenario, one without drafts, or values out of range, or nothing fits in memory.
    """
    if scenarios is None:
        scenarios = [make_scenario(tp=tp, mtp=k, acceptance_rate=0.5) for tp in (2, 4) for k in range(1, 9)]
    if not scenarios:
        raise InputError("expected at least one scenario, found none")
    for scenario in scenarios:
        check_drafts(scenario)
    kept = [s for s in scenarios if s.max_concurrency >= 1]
    if not kept:
        scenarios[0].check_memory(1)
    left_out = [replica_name(s.deployment.tp, s.speculation.tokens) for s in scenarios if s not in kept]
    scenarios = kept
    check_method(method)
    check_seed(seed)
    check_concurrencies(concurrencies)
    check_rates(rates)
    points = len(scenarios) * len(rates) * len(concurrencies)
    within("points", points, "configurations of the sweep", bytes_each=BYTES_OF_POINT)
    lengths = [[from_rate(a, s.speculation.tokens).acceptance_length for a in rates] for s in scenarios]
    every = [with_length(s, x) for s, own in zip(scenarios, lengths, strict=True) for x in own]
    offs = [off_of(s) for s in scenarios]
    if method == "des":
        grid, how = events_grid([*every, *offs], concurrencies, seed=seed, backend=backend, progress=progress)
    else:
        width = len(concurrencies)
        grid, how = trusted_grid(
            [*every, *offs], concurrencies, seed=seed, together=lambda i, j: i * width + j, progress=progress
        )
    shape = (len(scenarios), len(rates), len(concurrencies))
    mtp = {name: grid[name][: len(every)].reshape(shape) for name in (THROUGHPUT, "mean_tpot_ms", "median_tpot_ms")}
    off = grid[THROUGHPUT][len(every) :].reshape(len(scenarios), 1, len(concurrencies))
    prices = np.array([cost_basis_price(s.deployment, cost_basis) or np.nan for s in scenarios])
    full = {
        "tp": np.array([s.deployment.tp for s in scenarios])[:, None, None],
        "spec_tokens": np.array([s.speculation.tokens for s in scenarios])[:, None, None],
        "acceptance_rate": np.array(rates, dtype=float)[None, :, None],
        "acceptance_length": np.array(lengths)[:, :, None],
        "concurrency": np.array(concurrencies)[None, None, :],
        THROUGHPUT: mtp[THROUGHPUT],
        "mean_tpot_ms": mtp["mean_tpot_ms"],
        "interactivity_tok_s_user": KILO / mtp["median_tpot_ms"],
        "cost_usd_per_mtok": prices[:, None, None] / (mtp[THROUGHPUT] * SECONDS_PER_HOUR / MEGA),
        "gain_over_off": mtp[THROUGHPUT] / off - 1.0,
        "method": how[: len(every)].reshape(shape),
        **_scopes(scenarios, concurrencies),
    }
    price = cost_basis_price(scenarios[0].deployment, cost_basis)
    shared, own_meta = split_meta([study_meta(s, method, seed, cost_basis, price) for s in scenarios])
    return WideSweep(
        meta={
            **shared,
            "scenarios": own_meta,
            "left_out": left_out,
            "configurations": int(np.prod(shape)),
            "versions": versions(),
        },
        columns={name: np.broadcast_to(column, shape).ravel() for name, column in full.items()},
        best=tuple(_best(scenarios, rates, concurrencies, full)),
    )


def _scopes(scenarios: Sequence[Scenario], concurrencies: Sequence[int]) -> dict[str, Array]:
    """``scope`` and ``scope_reasons``, shape (scenarios, 1, concurrencies)."""
    rows = [[judge(s, int(c)).as_row() for c in concurrencies] for s in scenarios]
    out: dict[str, Array] = {}
    for name in ("scope", "scope_reasons"):
        out[name] = np.empty((len(scenarios), 1, len(concurrencies)), dtype=object)
        for i, own in enumerate(rows):
            for j, row in enumerate(own):
                out[name][i, 0, j] = row[name]
    return out


def _best(
    scenarios: Sequence[Scenario], rates: Sequence[float], concurrencies: Sequence[int], full: Mapping[str, Array]
) -> list[dict[str, Any]]:
    top = full[THROUGHPUT].argmax(axis=0)
    rows = []
    for j, count in enumerate(concurrencies):
        for i, rate in enumerate(rates):
            s = int(top[i, j])
            rows.append(
                {
                    "concurrency": int(count),
                    "acceptance_rate": float(rate),
                    "tp": scenarios[s].deployment.tp,
                    "spec_tokens": scenarios[s].speculation.tokens,
                    THROUGHPUT: float(full[THROUGHPUT][s, i, j]),
                    "gain_over_off": float(full["gain_over_off"][s, i, j]),
                    "scope": full["scope"][s, 0, j],
                    "scope_reasons": full["scope_reasons"][s, 0, j],
                }
            )
    return rows
