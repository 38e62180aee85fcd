"""From specs to what the kernels take: operator tables and the plan vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator import kernels as kn
from simulator.cost.builder import OperatorBuilder
from simulator.cost.operator import table
from simulator.facts.deployment import Deployment
from simulator.speculation.acceptance import Speculation
from simulator.units import MICRO, MILLI

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """One deployment, ready for the kernels: operator tables of target and draft (seconds per load) and the plan
    vector."""

    target: Array
    draft: Array
    vector: Array


@dataclass(frozen=True)
class Tables:
    """Operator tables of target and draft, and how many kernels both launch in a pass."""

    target: Array
    draft: Array
    launches: float


def state_transfers(deployment: Deployment, k: int) -> float:
    """Recurrent-state reads and writes per request and round: 2 in plain decode, the engine's own number with
    drafts."""
    if k == 0:
        return 2.0
    r = deployment.engine.speculation
    writes = k + 1 if r.state_writes == "k+1" else k + 2
    return float(r.state_reads + writes + r.state_moves)


def build_tables(deployment: Deployment, k: int, parameters: Mapping[str, float]) -> Tables:
    """Tables of one deployment that drafts ``k`` tokens, with one set of parameters."""
    builder = OperatorBuilder(deployment, parameters)
    operators, drafts = builder.target(), builder.draft() if k else []
    target = table(operators)
    draft = table(drafts) if k else np.zeros((1, target.shape[1]))
    return Tables(target, draft, sum(op.count for op in operators + drafts))


def build_plan(
    deployment: Deployment, speculation: Speculation, parameters: Mapping[str, float], tables: Tables | None = None
) -> Plan:
    """Tables and plan vector of one deployment with one speculation setting and one set of parameters.

    ``tables``: those of the same deployment and depth with parameters that give the same tables, to save their making.
    """
    if tables is None:
        tables = build_tables(deployment, speculation.tokens, parameters)
    k = speculation.tokens
    r = deployment.engine.speculation
    c = np.zeros(kn.PLAN_FIELDS)
    c[kn.VERIFY] = k + 1
    c[kn.SINGLE_DRAFTS] = (k if r.single_draft_passes == "k" else k - 1) if k else 0
    c[kn.EXTEND] = float(r.draft_extend) if k else 0.0
    c[kn.STATES] = state_transfers(deployment, k) if deployment.model.gdn is not None else 0.0
    c[kn.RELOAD] = parameters["attention.verify_reload"]
    c[kn.HOST_STEP] = parameters["host.step_us"] * MICRO
    c[kn.HOST_REQUEST] = parameters["host.request_us"] * MICRO
    c[kn.HOST_PREFILL] = parameters["host.prefill_us"] * MICRO
    c[kn.HOST_DRAFT] = parameters["host.draft_us"] * MICRO
    c[kn.EXPERTS] = deployment.model.moe.experts
    c[kn.TOP_K] = deployment.model.moe.top_k
    c[kn.SKEW] = parameters["routing.skew"]
    c[kn.CORRELATION] = parameters["routing.correlation"]
    c[kn.CHUNK] = deployment.engine.chunk_tokens
    c[kn.SHARED] = float(deployment.engine.policy == "shared_budget")
    c[kn.SPLIT] = float(deployment.engine.split_prompts)
    c[kn.DELAY] = parameters["frontend.delay_ms"] * MILLI
    c[kn.DELAY_TOKEN] = parameters["frontend.token_us"] * MICRO
    c[kn.PREFILL_STATES] = 1.0 if deployment.model.gdn is not None else 0.0
    c[kn.LAUNCH] = parameters["host.launch_us"] * MICRO * tables.launches
    c[kn.STREAM] = parameters["frontend.stream_ms"] * MILLI
    c[kn.LOOKAHEAD] = float(deployment.engine.lookahead)
    c[kn.POLL] = deployment.engine.poll_steps
    return Plan(tables.target, tables.draft, c)
