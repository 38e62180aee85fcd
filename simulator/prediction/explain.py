"""Where the time of one configuration goes: the accounts of its decode round and of its prefill pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from simulator.cost.account import Account
from simulator.cost.explain import explain_prefill, explain_round
from simulator.errors import unknown_name
from simulator.facts.memory import MemoryFit
from simulator.prediction.predict import check_concurrencies, predict_one
from simulator.prediction.several import with_parallelism
from simulator.results.table import Result
from simulator.serving.scenario import Scenario, check_decodes, make_scenario
from simulator.serving.scope import Verdict, judge
from simulator.units import GIGA, MILLI

Phase = Literal["decode", "prefill"]
PHASES = ("decode", "prefill", "both")


@dataclass(frozen=True)
class Explanation(Result):
    """The accounts of one configuration.

    Attributes:
        meta: every input, as of a prediction, and the batch, context, prompts and tokens of the accounts.
        accounts: of the decode round, of the prefill pass, or of both.
        memory: what fills one GPU.
        concurrency: closed-loop clients.
        scenario: what runs.
    """

    meta: Mapping[str, Any]
    accounts: Mapping[Phase, Account]
    memory: MemoryFit
    concurrency: int
    scenario: Scenario

    def records(self) -> list[dict[str, Any]]:
        """Every operator of every pass, in the order of execution."""
        verdict = self.verdict.as_row()
        return [{"phase": phase, **row.as_row(), **verdict} for phase, a in self.accounts.items() for row in a.rows]

    @property
    def verdict(self) -> Verdict:
        """Where the configuration stands to what was measured."""
        return judge(self.scenario, self.concurrency)

    def totals(self) -> dict[Phase, dict[str, Any]]:
        """Per phase: time, FLOPs, bytes, MFU and MBU as fractions, seconds by cause, and the bound."""
        return {
            phase: {
                "kind": a.kind,
                "seconds": a.seconds,
                "flops": a.flops,
                "bytes": a.bytes,
                "message_bytes": a.message_bytes,
                "mfu": a.mfu,
                "mbu": a.mbu,
                "seconds_by_cause": a.parts(),
                "bound_by": a.bound_by,
            }
            for phase, a in self.accounts.items()
        }

    def memory_row(self) -> dict[str, Any]:
        """Memory of one GPU in GB."""
        m = self.memory
        return {
            "weights_gb": m.weights / GIGA,
            "workspace_gb": m.workspace / GIGA,
            "kv_per_request_gb": m.kv_per_request / GIGA,
            "state_per_request_gb": m.state_per_request / GIGA,
            "used_gb": m.used(min(self.concurrency, self.scenario.slots)) / GIGA,
            "budget_gb": m.budget / GIGA,
            "max_concurrency": m.max_concurrency,
        }

    def document(self) -> Mapping[str, Any]:
        """``meta``, ``rows``, ``totals``, ``memory``."""
        return {"meta": self.meta, "rows": self.records(), "totals": self.totals(), "memory": self.memory_row()}


def explain(
    scenario: Scenario | None = None,
    concurrency: int = 32,
    *,
    phase: str = "decode",
    batch: float | None = None,
    prompts: float | None = None,
    over_memory: str = "refuse",
) -> Explanation:
    """Operator by operator, the decode round and the prefill pass that a configuration spends its time in.

    Args:
        scenario: what runs; None: the default one.
        concurrency: closed-loop clients.
        phase: ``decode``, ``prefill`` or ``both``.
        batch: running requests in the round; None: their mean at this concurrency, by the closed form.
        prompts: prompts in the prefill pass; None: one. Of a prompt longer than a pass the mean part is shown.
        over_memory: ``refuse`` a concurrency whose caches do not fit, or ``queue`` what does not.

    Raises:
        InputError: bad arguments, or what does not fit in memory.

    Example:
        >>> from simulator import explain, make_scenario
        >>> explain(make_scenario(tp=2), 64).accounts["decode"].bound_by
        'memory'
    """
    scenario = scenario or make_scenario()
    if phase not in PHASES:
        raise unknown_name("phase", phase, PHASES)
    check_concurrencies([concurrency])
    table = with_parallelism(
        predict_one(scenario, [concurrency], method="closed-form", intervals=False, over_memory=over_memory), scenario
    )
    parameters, w = scenario.calibration.values(), scenario.workload
    deployment, speculation = scenario.deployment, scenario.speculation
    accounts: dict[Phase, Account] = {}
    meta = {**table.meta, "concurrency": concurrency, **judge(scenario, concurrency).as_row()}
    if phase in ("decode", "both"):
        if batch is None:
            check_decodes(scenario)
        running = table.rows[0]["decode_batch"] if batch is None else batch
        context = w.mean_isl + 0.5 * w.mean_osl
        accounts["decode"] = explain_round(deployment, speculation, parameters, running, context)
        meta |= {"batch": running, "context_tokens": context}
        meta["tpot_from_round_ms"] = accounts["decode"].seconds / speculation.acceptance_length / MILLI
    if phase in ("prefill", "both"):
        found = max(0.0, min(deployment.hit_rate * w.mean_isl, w.mean_isl - 1.0))
        passes = math.ceil((w.mean_isl - found) / deployment.engine.chunk_tokens)
        tokens = (w.mean_isl - found) / passes
        cached = found + 0.5 * (passes - 1) * tokens
        count = 1.0 if prompts is None else prompts
        accounts["prefill"] = explain_prefill(deployment, speculation, parameters, count, tokens, cached)
        meta |= {"prompts": count, "prompt_tokens": tokens, "cached_tokens": cached, "passes_per_prompt": passes}
    return Explanation(meta, accounts, scenario.memory, concurrency, scenario)
