"""A replica, ready for the kernels: operator tables and constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator import kernels as kn
from simulator.cost.forward import draft_operators, target_operators
from simulator.cost.operator import launches, table
from simulator.facts.deployment import Deployment
from simulator.speculation.acceptance import Speculation
from simulator.units import MICRO, MILLI

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Replica:
    """One deployment, ready for the kernels: operator tables of target and draft (seconds per load), and constants."""

    target: Array
    draft: Array
    constants: kn.Constants

    def launched_for(self, clients: int) -> kn.Constants:
        """The constants of a server that was launched for so many closed-loop clients.

        Open traffic has no number of clients: it is served with the polling for few, as ``constants`` stand.
        """
        c = self.constants.copy()
        c.poll, c.poll_many, c.many = kn.poll_of(c, float(clients)), 0.0, 0.0
        return c


@dataclass(frozen=True)
class Tables:
    """Operator tables of target and draft, and how many kernels both launch to prefill, and the draft in its passes."""

    target: Array
    draft: Array
    launches: float
    draft_launches: float


SHORT = 1.0
"""Tokens of a pass whose launches count: of kernels that take turns by size, those of the least."""


def build_tables(deployment: Deployment, k: int, parameters: Mapping[str, float]) -> Tables:
    """Tables of one deployment that drafts ``k`` tokens, with one set of parameters."""
    operators = target_operators(deployment, parameters)
    drafts = draft_operators(deployment, parameters) if k else []
    target = table(operators)
    draft = table(drafts) if k else np.zeros((1, target.shape[1]))
    launched = launches(operators, SHORT, prompts=True) + launches(drafts, SHORT, prompts=True)
    return Tables(target, draft, launched, launches(drafts, SHORT))


def build_replica(
    deployment: Deployment, speculation: Speculation, parameters: Mapping[str, float], tables: Tables | None = None
) -> Replica:
    """Tables and constants of one deployment with one speculation setting and one set of parameters.

    ``tables``: those of the same deployment and depth with parameters that give the same tables, to save their making.
    """
    if tables is None:
        tables = build_tables(deployment, speculation.tokens, parameters)
    k = speculation.tokens
    c = kn.zero(kn.Constants)
    c.verify = k + 1
    passes = deployment.draft_passes(k)
    c.single_drafts, c.extend, c.block = passes.single, passes.extend, passes.block
    c.states = deployment.state_transfers(k)
    c.stages = deployment.pp
    c.reload = parameters["attention.verify_reload"]
    c.host_step = parameters["host.step_us"] * MICRO
    c.host_request = parameters["host.request_us"] * MICRO
    c.host_prefill = parameters["host.prefill_us"] * MICRO
    c.host_draft = parameters["host.draft_us"] * MICRO
    if deployment.model.experts is not None:
        c.experts, c.top_k = deployment.model.experts.choice
    c.skew = parameters["routing.skew"]
    c.correlation = parameters["routing.correlation"]
    c.chunk = deployment.engine.chunk_tokens
    c.shared = float(deployment.engine.policy == "shared_budget")
    c.split = float(deployment.engine.split_prompts)
    c.delay = parameters["frontend.delay_ms"] * MILLI
    c.delay_token = parameters["frontend.token_us"] * MICRO
    c.prefill_states = deployment.prompt_state_transfers
    c.launch = parameters["host.launch_us"] * MICRO * tables.launches
    if not deployment.engine.draft_graphs:
        c.draft_launch = parameters["host.launch_us"] * MICRO * tables.draft_launches
    c.stream = parameters["frontend.stream_ms"] * MILLI
    c.lookahead = float(deployment.engine.lookahead)
    c.hit_rate = deployment.hit_rate
    engine = deployment.engine
    c.poll = engine.poll_steps
    if engine.poll_steps_many is not None and engine.many_clients is not None:
        c.poll_many, c.many = engine.poll_steps_many, engine.many_clients
    return Replica(tables.target, tables.draft, c)
