"""The answer of a plan: winner, runners-up, intervals, and every input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulator.planning.frontier import FrontierPoint
from simulator.planning.gamble import Gamble
from simulator.planning.impossible import Impossible
from simulator.planning.runner_up import RunnerUp
from simulator.planning.winner import PoolWinner, Winner
from simulator.results.table import Result
from simulator.units import GIGA, KILO


@dataclass(frozen=True)
class Answer(Result):
    """``winner`` None: no option keeps the promises; ``impossible`` then says which, and the nearest possible.

    ``frontier``: of the winner of so many GPUs. ``left_out``: what cannot exist, and why.
    ``pools``: disaggregated pools that need fewer GPUs than the winner as predicted, but are not sure enough.
    """

    meta: Mapping[str, Any]
    winner: Winner | PoolWinner | None
    runners_up: Sequence[RunnerUp] = ()
    impossible: Sequence[Impossible] = ()
    frontier: Sequence[FrontierPoint] = ()
    left_out: Sequence[str] = field(default=())
    pools: Gamble | None = None

    @property
    def kept(self) -> bool:
        """Whether the promises are kept with the confidence asked for."""
        return self.winner is not None and self.winner.sure.confident

    @property
    def simulate(self) -> str | None:
        """The ``mtpsim simulate`` that runs the winner with another seed."""
        return None if self.winner is None else simulate_command(self.winner, self.meta)

    def records(self) -> Sequence[Mapping[str, Any]]:
        """The winner, if there is one, then the runners-up."""
        winner = self._winner_row()
        return [*([] if winner is None else [winner]), *(one.as_row() for one in self.runners_up)]

    def document(self) -> Mapping[str, Any]:
        """``meta``, ``winner``, ``runners_up``, ``impossible``, ``frontier``, ``left_out``, ``pools``."""
        return {
            "meta": self.meta,
            "winner": self._winner_row(),
            "runners_up": [one.as_row() for one in self.runners_up],
            "impossible": [one.as_row() for one in self.impossible],
            "frontier": [one.as_row() for one in self.frontier],
            "left_out": list(self.left_out),
            "pools": None if self.pools is None else self.pools.as_row(),
        }

    def _winner_row(self) -> dict[str, Any] | None:
        return None if self.winner is None else {**self.winner.as_row(), "simulate": self.simulate}


def simulate_command(winner: Winner | PoolWinner, meta: Mapping[str, Any]) -> str:
    """The ``mtpsim simulate`` that runs a winner with another seed than that of the plan."""
    kind = winner.kind
    words = [f"mtpsim simulate --rate {winner.rate_per_s:.10g}"]
    words += [f"--{name} {meta[name]}" for name in ("hardware", "model", "engine", "checkpoint", "isl", "osl")]
    words += [f"--tp {kind.tp}", f"--mtp {kind.spec_tokens}", f"--calibration {meta['calibration']}"]
    if kind.spec_tokens:
        words.append("--acceptance " + ",".join(f"{p!r}" for p in kind.acceptance))
    if kind.ep > 1:
        words.append(f"--ep {kind.ep}")
    words += [f"--{name} {meta[name]}" for name in ("pp", "draft") if name in meta]
    if kind.hit_rate:
        words.append(f"--hit-rate {kind.hit_rate:.4g}")
    words += [f"--replicas {winner.replicas}", f"--max-running {kind.max_running}", f"--router {meta['router']}"]
    if isinstance(winner, PoolWinner):
        words += [f"--prefill-tp {winner.prefill.kind.tp}", f"--prefill-replicas {winner.prefill.replicas}"]
        words.append(f"--kv-bandwidth {winner.kv_bandwidth / GIGA:g}")
    words += [f"--lengths {meta['lengths_option']}", f"--cv {meta['cv']:g}", f"--seed {meta['seed'] + 1}"]
    words += [f"--{p['promise']} {p['limit_s'] * KILO:.10g}ms" for p in meta["promises"]]
    return " ".join(words)
