"""The account of one configuration: the same rounds and passes as the kernels', operator by operator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulator.bounds import number
from simulator.cost.account import Account
from simulator.cost.bounds import OperatorCost, account, bubble_cost, host_cost
from simulator.cost.forward import draft_operators, target_operators
from simulator.cost.loads import Load, Routing, block_load, decode_load, extend_load, prefill_load, verify_load
from simulator.cost.operator import Operator, launches
from simulator.cost.rates import lossless
from simulator.errors import InputError
from simulator.facts.deployment import Deployment
from simulator.speculation.acceptance import Speculation
from simulator.units import MICRO


@dataclass(frozen=True)
class Kernels:
    """Operators of the target or of the draft, and the same at the peaks of the hardware, or None."""

    operators: list[Operator]
    ideal: list[Operator] | None


@dataclass(frozen=True)
class RoundKernels:
    """The kernels of a decode round, whatever its batch; no draft without speculation."""

    target: Kernels
    draft: Kernels | None

    @classmethod
    def of(
        cls,
        deployment: Deployment,
        speculation: Speculation,
        parameters: Mapping[str, float],
        *,
        ideal: bool = True,
    ) -> RoundKernels:
        """Those of a deployment; without ``ideal`` an account does not know the peaks that were possible."""
        return cls(
            _kernels(deployment, parameters, draft=False, ideal=ideal),
            _kernels(deployment, parameters, draft=True, ideal=ideal) if speculation.tokens else None,
        )


def explain_round(
    deployment: Deployment,
    speculation: Speculation,
    parameters: Mapping[str, float],
    batch: float,
    context_tokens: float,
    kernels: RoundKernels | None = None,
) -> Account:
    """Account of one decode round: a plain step, or the draft passes and the verify pass of the engine.

    With pipeline stages that of one part of the batch through all of them, as many parts as stages being on their way.

    Args:
        deployment: one replica.
        speculation: draft depth; the acceptance does not matter for the time of a round.
        parameters: the fitted parameters, such as :func:`simulator.cost.parameters.priors`.
        batch: running requests.
        context_tokens: mean cached tokens per request.
        kernels: of this deployment, where they are made already.

    Raises:
        InputError: a batch that is not positive, or a negative context.
    """
    _check(batch=batch)
    if not (math.isfinite(context_tokens) and context_tokens >= 0.0):
        raise InputError(f"context_tokens: expected a finite number of at least 0, found {context_tokens}")
    k, made = speculation.tokens, deployment.draft_passes(speculation.tokens)
    routing = Routing.of(deployment.model, parameters)
    batch /= max(1.0, min(float(deployment.pp), batch))
    context = batch * context_tokens
    load = verify_load(routing, batch, context, k, parameters["attention.verify_reload"], deployment.state_transfers(k))
    rows: list[OperatorCost] = []
    loads: dict[str, Load] = {}
    host = parameters["host.step_us"] + parameters["host.request_us"] * batch
    kernels = kernels or RoundKernels.of(deployment, speculation, parameters)
    if kernels.draft is not None:
        draft, ideal = kernels.draft.operators, kernels.draft.ideal
        single = decode_load(routing, batch, context)
        loads = {f"draft {number}": single for number in range(1, made.single + 1)}
        if made.extend:
            loads["draft extend"] = extend_load(routing, batch, context, k)
        if made.block:
            loads["draft block"] = block_load(routing, batch, context, k)
        for name, one in loads.items():
            rows += account(draft, one, name, ideal)
        host += parameters["host.draft_us"] * made.total
        if not deployment.engine.draft_graphs:
            host += _launching(draft, rows, loads, parameters)
    last = "verify" if k else "decode"
    rows += account(kernels.target.operators, load, last, kernels.target.ideal)
    rows.append(host_cost(host * MICRO))
    return Account.of("decode round", rows, deployment.hardware.hbm_bandwidth, loads | {last: load})


def explain_prefill(
    deployment: Deployment,
    speculation: Speculation,
    parameters: Mapping[str, float],
    prompts: float,
    prompt_tokens: float,
    cached_tokens: float = 0.0,
) -> Account:
    """Account of one prefill pass, with the draft's own prefill when speculation is on. No decode rides along.

    The host row is the host time per batch and what the launches of all kernels take beyond the device's own time.
    With pipeline stages a pass goes in as many pieces: the rows are one piece in all stages, and what the others take
    behind it.

    Args:
        deployment: one replica.
        speculation: only whether it is on matters.
        parameters: the fitted parameters.
        prompts: prompts in the pass.
        prompt_tokens: new tokens of each prompt.
        cached_tokens: tokens of each prompt that earlier passes have cached.

    Raises:
        InputError: sizes that are not positive, or more tokens than the engine puts into one pass.
    """
    _check(prompts=prompts, prompt_tokens=prompt_tokens)
    if not (math.isfinite(cached_tokens) and cached_tokens >= 0.0):
        raise InputError(f"cached_tokens: expected a finite number of at least 0, found {cached_tokens}")
    chunk = deployment.engine.chunk_tokens
    if prompts * prompt_tokens > chunk:
        raise InputError(
            f"prompts x prompt_tokens: {prompts:g} x {prompt_tokens:g} = {prompts * prompt_tokens:g} tokens exceed one "
            f"prefill pass of {deployment.engine.name} (chunk_tokens {chunk}); a later chunk has cached_tokens > 0"
        )
    routing = Routing.of(deployment.model, parameters)
    target = _kernels(deployment, parameters, draft=False)
    prompts /= deployment.pp
    load = prefill_load(routing, prompts, prompt_tokens, cached_tokens, deployment.prompt_state_transfers)
    loads = {"prefill": load}
    rows = account(target.operators, load, "prefill", target.ideal)
    launched = launches(target.operators, load.tokens, prompts=True)
    if speculation.tokens:
        draft = _kernels(deployment, parameters, draft=True)
        loads["draft prefill"] = prefill_load(routing, prompts, prompt_tokens, cached_tokens)
        rows += account(draft.operators, loads["draft prefill"], "draft prefill", draft.ideal)
        launched += launches(draft.operators, load.tokens, prompts=True)
    device = sum(row.seconds for row in rows)
    launching = parameters["host.launch_us"] * MICRO * launched
    rows.append(host_cost(parameters["host.prefill_us"] * MICRO + max(0.0, launching - device)))
    if deployment.pp > 1:
        rows.append(bubble_cost(max(launching, device) * (deployment.pp - 1) / deployment.pp))
    return Account.of("prefill pass", rows, deployment.hardware.hbm_bandwidth, loads)


def _launching(
    draft: Sequence[Operator], rows: Sequence[OperatorCost], loads: Mapping[str, Load], parameters: Mapping[str, float]
) -> float:
    """Microseconds that launching the draft passes takes beyond the device's own time."""
    total = 0.0
    for name, load in loads.items():
        device = sum(row.seconds for row in rows if row.group == name)
        total += max(0.0, parameters["host.launch_us"] * launches(draft, load.tokens) - device / MICRO)
    return total


def _kernels(deployment: Deployment, parameters: Mapping[str, float], *, draft: bool, ideal: bool = True) -> Kernels:
    """The operators, and the same with every efficiency 1, whose rates are the hardware's peaks."""
    made = draft_operators if draft else target_operators
    return Kernels(made(deployment, parameters), made(deployment, lossless(parameters)) if ideal else None)


def _check(**sizes: float) -> None:
    for name, value in sizes.items():
        if number(name, value, "a finite number above 0") <= 0.0:
            raise InputError(f"{name}: expected a finite number above 0, found {value}")
