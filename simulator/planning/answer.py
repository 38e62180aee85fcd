"""The answer of a plan: winner, runners-up, intervals, and every input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulator.planning.margin import Margin
from simulator.planning.options import Option
from simulator.planning.trials import Outcome
from simulator.results.table import Result
from simulator.serving.delivered import cost_and_energy
from simulator.traffic.promises import Promise
from simulator.units import KILO


@dataclass(frozen=True)
class Answer(Result):
    """``winner`` None: no option keeps the promises; ``impossible`` then says which, and the nearest possible."""

    meta: Mapping[str, Any]
    winner: Mapping[str, Any] | None
    runners_up: Sequence[Mapping[str, Any]] = ()
    impossible: Sequence[Mapping[str, Any]] = ()
    frontier: Sequence[Mapping[str, Any]] = ()
    left_out: Sequence[str] = field(default=())

    def records(self) -> Sequence[Mapping[str, Any]]:
        """The winner, if there is one, then the runners-up."""
        return [row for row in (self.winner, *self.runners_up) if row is not None]

    def document(self) -> Mapping[str, Any]:
        """``meta``, ``winner``, ``runners_up``, ``impossible``, ``frontier``, ``left_out``."""
        return {
            "meta": self.meta,
            "winner": self.winner,
            "runners_up": list(self.runners_up),
            "impossible": list(self.impossible),
            "frontier": list(self.frontier),
            "left_out": list(self.left_out),
        }


def option_row(option: Option) -> dict[str, Any]:
    """What an option is."""
    d, s = option.scenario.deployment, option.scenario.speculation
    scope = option.scenario.calibration.scope
    return {
        "name": option.family,
        "calibrated": not scope.tp or (d.tp in scope.tp and d.ep == 1),
        "tp": d.tp,
        "ep": d.ep,
        "spec_tokens": s.tokens,
        "acceptance_length": s.acceptance_length,
        "acceptance": list(s.probabilities),
        "acceptance_source": s.source.text,
        "max_running": option.cap,
    }


def fleet_row(option: Option, replicas: int, spare: int, rate: float, basis: str) -> dict[str, Any]:
    """An option with its size, headroom and price. Spare replicas cost, but the latencies are without them."""
    gpus = (replicas + spare) * option.gpus
    mean_in, _a, mean_out, _b = option.moments
    knee = option.capacity * replicas
    return (
        option_row(option)
        | {
            "replicas": replicas,
            "spare_replicas": spare,
            "gpus": gpus,
            "rate_per_s": rate,
            "knee_per_s": knee,
            "headroom_to_knee": knee / rate - 1.0,
        }
        | cost_and_energy(option.scenario.deployment.hardware, basis, gpus, rate * (mean_in + mean_out))
    )


def simulate_command(row: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    """The ``mtpsim simulate`` that runs a winner with any seed."""
    words = [f"mtpsim simulate --rate {row['rate_per_s']:.10g}"]
    words += [f"--{name} {meta[name]}" for name in ("hardware", "model", "engine", "checkpoint", "isl", "osl")]
    words += [f"--tp {row['tp']}", f"--mtp {row['spec_tokens']}", f"--calibration {meta['calibration']}"]
    if row["spec_tokens"]:
        words.append("--acceptance " + ",".join(f"{p!r}" for p in row["acceptance"]))
    if row["ep"] > 1:
        words.append(f"--ep {row['ep']}")
    words += [f"--replicas {row['replicas']}", f"--max-running {row['max_running']}", f"--router {meta['router']}"]
    if "prefill_replicas" in row:
        words += [f"--prefill-tp {row['prefill_tp']}", f"--prefill-replicas {row['prefill_replicas']}"]
        words.append(f"--kv-bandwidth {row['kv_bandwidth_gb_s_per_gpu']:g}")
    words += [f"--lengths {meta['lengths_option']}", f"--cv {meta['cv']:g}", f"--seed {meta['seed'] + 1}"]
    words += [f"--{p['promise']} {p['limit_s'] * KILO:.10g}ms" for p in meta["promises"]]
    return " ".join(words)


def promise_rows(promises: Sequence[Promise], outcome: Outcome, sure: Margin | None = None) -> list[dict[str, Any]]:
    """Per promise the limit and what was reached, ms; with a margin also the 90 % interval and the probability."""
    rows = []
    for i, (promise, reached) in enumerate(zip(promises, outcome.reached, strict=True)):
        row: dict[str, Any] = {
            "promise": promise.name,
            "limit_ms": promise.limit * KILO,
            "reached_ms": reached * KILO,
            "kept": reached <= promise.limit,
        }
        if sure is not None:
            low, high = sure.intervals[i]
            row |= {"reached_ms_lo": low * KILO, "reached_ms_hi": high * KILO, "probability": sure.each[i]}
        rows.append(row)
    return rows
