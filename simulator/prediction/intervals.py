"""90 % intervals of a prediction: parameter uncertainty, run-to-run noise and model error, the sampling of lengths, and
the steps away from what was measured (:mod:`simulator.serving.scope`).

Parameters are propagated by draws from the posterior, see :mod:`simulator.prediction.posterior`. First derivatives, by
the closed form, which costs microseconds, serve what asks for them: which quantity moves what, and how they cancel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.cost.calibration import ACCEPTANCE, length_coordinate, length_of_coordinate
from simulator.prediction.posterior import drawn_logs, fitted_acceptance
from simulator.serving.closed_loop import closed_form_loads, closed_form_metrics
from simulator.serving.kept_replicas import replicas_under
from simulator.serving.recorder import Recorder
from simulator.serving.replica import Replica, build_replica
from simulator.serving.scenario import Scenario
from simulator.serving.scope import judge
from simulator.speculation.acceptance import Speculation, from_length

Array = NDArray[np.float64]

Z90 = 1.6448536269514722
"""Standard normal quantile of 95 %: a symmetric interval of 90 %."""

STEP = 0.02
"""Wide enough to look past the small jumps of the closed form, where a prefill starts to take one more pass."""

NOISE_OF = {"tok_s": "throughput", "requests": "throughput", "tpot": "tpot", "e2e": "tpot", "ttft": "ttft"}


def noise_class(metric: str) -> str:
    """Which noise of a calibration a metric has."""
    return next(kind for key, kind in NOISE_OF.items() if key in metric)


def jacobian(scenario: Scenario, concurrencies: Sequence[int]) -> tuple[list[str], Array, dict[str, Array]]:
    """Derivatives of log(metric) by every uncertain quantity, by central differences of the closed form.

    Returns:
        Names, their covariance (m, m), and per metric an array of shape (concurrencies, m). Parameters that the
        scenario does not depend on, such as those of another precision, are left out.
    """
    names, covariance = scenario.calibration.uncertainty()
    values = scenario.calibration.values()
    recorder = Recorder(values)
    build_replica(scenario.deployment, scenario.speculation, recorder)
    used = recorder.seen | ({ACCEPTANCE} if fitted_acceptance(scenario) else set())
    keep = [i for i, n in enumerate(names) if n in used]
    names = [names[i] for i in keep]
    covariance = covariance[np.ix_(keep, keep)]
    sets: list[dict[str, float]] = []
    specs: list[Speculation] = []
    widths = []
    for name in names:
        ends = []
        for sign in (1.0, -1.0):
            changed, spec = dict(values), scenario.speculation
            if name == ACCEPTANCE:
                k = spec.tokens
                x = length_coordinate(spec.acceptance_length, k) + sign * STEP
                spec = from_length(length_of_coordinate(x, k), k)
                ends.append(x)
            else:
                parameter = scenario.calibration.known[name]
                changed[name] = parameter.from_internal(parameter.to_internal(values[name]) + sign * STEP)
                ends.append(parameter.to_internal(changed[name]))
            sets.append(changed)
            specs.append(spec)
        widths.append(ends[0] - ends[1])
    replicas = replicas_under(scenario.deployment, scenario.speculation, sets)
    metrics = _evaluate(scenario, concurrencies, list(zip(replicas, specs, strict=True)))
    out = {}
    for metric, table in metrics.items():
        logs = np.log(np.maximum(table, 1e-300))
        out[metric] = ((logs[0::2] - logs[1::2]) / np.array(widths)[:, None]).T
    return names, covariance, out


def relative_sd(
    scenario: Scenario,
    concurrencies: Sequence[int],
    metrics: Sequence[str],
    sampling: Callable[[str], Array],
    *,
    methods: Sequence[str] = (),
    seed: int = 0,
) -> dict[str, Array]:
    """Standard deviation of log(metric), per metric an array over the concurrencies.

    The part of the parameters is the spread over draws from the posterior, each through the discrete events.

    Args:
        scenario: what runs.
        concurrencies: clients.
        metrics: names.
        sampling: of a metric, the part that the drawn lengths of one benchmark run contribute.
        methods: what settled each concurrency; those by the closed form are drawn by it too. None: all by events.
        seed: of the draws.
    """
    methods = methods or ["des"] * len(concurrencies)
    out = {metric: np.zeros(len(concurrencies)) for metric in metrics}
    for method in dict.fromkeys(methods):
        at = [i for i, one in enumerate(methods) if one == method]
        logs = drawn_logs(scenario, [concurrencies[i] for i in at], seed, method)
        for metric in metrics:
            out[metric][at] = logs[metric if metric in logs else _stand_in(metric)].std(axis=1)
    verdicts = [judge(scenario, c) for c in concurrencies]
    for metric in metrics:
        kind = noise_class(metric)
        noise = float(getattr(scenario.calibration.noise, kind))
        away = np.array([verdict.spread(kind) for verdict in verdicts])
        out[metric] = np.sqrt(out[metric] ** 2 + noise**2 + away**2 + sampling(metric) ** 2)
    return out


def bounds_of_run(row: Mapping[str, Any], metric: str, scenario: Scenario, image: str | None) -> tuple[float, float]:
    """Ends of the 90 % interval of a metric in a run of a known engine image, which may be none of those measured.

    Args:
        row: of a prediction, with intervals.
        metric: its name.
        scenario: that was predicted.
        image: of the engine; None: not stated.
    """
    low, high = float(row[f"{metric}_lo"]), float(row[f"{metric}_hi"])
    count = int(row["concurrency"])
    away = judge(scenario, count, image).without(judge(scenario, count)).spread(noise_class(metric))
    if not away:
        return low, high
    middle, half = math.sqrt(low * high), 0.5 * math.log(high / low)
    factor = math.exp(math.hypot(half, Z90 * away))
    return middle / factor, middle * factor


def _stand_in(metric: str) -> str:
    """The closed form has no p90 and p99 of its own for every metric: the mean's derivative stands in."""
    known = {"total_tok_s_gpu", "output_tok_s_gpu", "requests_per_s", "p99_ttft_ms"}
    known |= {f"{s}_{m}_ms" for s in ("mean", "median") for m in ("tpot", "ttft")} | {"mean_e2e_ms"}
    return metric if metric in known else "mean_" + metric.split("_", 1)[1]


def _evaluate(
    scenario: Scenario, concurrencies: Sequence[int], settings: Sequence[tuple[Replica, Speculation]]
) -> dict[str, Array]:
    """Metrics of the closed form, each of shape (settings, concurrencies)."""
    replicas = [replica for replica, _spec in settings]
    cap = max(1, scenario.slots)
    by_spec = {
        spec: closed_form_loads(scenario.workload, spec, np.array(concurrencies), cap)
        for spec in {spec for _plan, spec in settings}
    }
    loads = np.concatenate([by_spec[spec] for _plan, spec in settings])
    which = np.repeat(np.arange(len(replicas)), len(concurrencies))
    flat = closed_form_metrics(replicas, which, loads, np.full(which.size, float(scenario.deployment.gpus)))
    return {metric: values.reshape(len(replicas), len(concurrencies)) for metric, values in flat.items()}
