"""From specs to what the kernels take: operator tables and the plan vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator import kernels as kn
from simulator.cost.forward import draft_operators, target_operators
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


def build_tables(deployment: Deployment, k: int, parameters: Mapping[str, float]) -> Tables:
    """Tables of one deployment that drafts ``k`` tokens, with one set of parameters."""
    operators = target_operators(deployment, parameters)
    drafts = draft_operators(deployment, parameters) if k else []
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
    c = np.zeros(kn.PLAN_FIELDS)
    c[kn.VERIFY] = k + 1
    c[kn.SINGLE_DRAFTS] = deployment.engine.speculation.single_passes(k)
    c[kn.EXTEND] = deployment.engine.speculation.extend_passes(k)
    c[kn.STATES] = deployment.state_transfers(k)
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
    c[kn.PREFILL_STATES] = deployment.prompt_state_transfers
    c[kn.LAUNCH] = parameters["host.launch_us"] * MICRO * tables.launches
    c[kn.STREAM] = parameters["frontend.stream_ms"] * MILLI
    c[kn.LOOKAHEAD] = float(deployment.engine.lookahead)
    c[kn.POLL] = deployment.engine.poll_steps
    return Plan(tables.target, tables.draft, c)
