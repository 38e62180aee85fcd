"""Seconds of the passes of one replica: decode rounds, prefill passes, whole prompts."""

from __future__ import annotations

import math

from simulator.kernels.compiled import compiled
from simulator.kernels.records import Array, Constants, Costs

PROMPTS, DECODES = 1.0, 2.0
"""Parts of a pass that a row of a table may have alone."""


@compiled
def routing_constant(experts: float, top_k: float, skew: float) -> float:
    """What :func:`distinct_experts` needs of the routing, whatever the tokens: 0 if each token goes to all experts,
    ``log(1 - k/E) < 0`` for uniform routing, else ``y > 0``."""
    if top_k >= experts:
        return 0.0
    miss = math.log1p(-top_k / experts)
    if skew < 1e-6:
        return miss
    return math.expm1(-skew * miss)


@compiled
def distinct(experts: float, skew: float, routing: float, tokens: float) -> float:
    """:func:`distinct_experts` with the :func:`routing_constant` known."""
    if routing == 0.0:
        return experts
    if routing < 0.0:
        return -experts * math.expm1(tokens * routing)
    return -experts * math.expm1(-math.log1p(tokens * routing) / skew)


@compiled
def distinct_experts(experts: float, top_k: float, skew: float, tokens: float) -> float:
    """Expected distinct experts touched by ``tokens`` independent tokens.

    Uniform routing: ``E (1 - (1 - k/E)^T)`` (MoESD, arXiv 2505.19645). Gamma distributed expert popularity with squared
    coefficient of variation ``skew``: ``E (1 - (1 + T y)^(-1/skew))`` with ``y = (1 - k/E)^(-skew) - 1``, so that one
    token touches k experts; it tends to the uniform case.
    """
    return distinct(experts, skew, routing_constant(experts, top_k, skew), tokens)


@compiled
def independent_tokens(c: Constants, tokens: float, sequences: float) -> float:
    """Tokens of one sequence share experts: each token after the first counts ``1 - correlation``."""
    return sequences + (tokens - sequences) * (1.0 - c.correlation)


@compiled
def routing_of(c: Constants) -> float:
    """:func:`routing_constant` of one replica."""
    return routing_constant(c.experts, c.top_k, c.skew)


@compiled
def touched(costs: Costs, tokens: float, sequences: float) -> float:
    """Distinct experts of ``tokens`` tokens of ``sequences`` sequences."""
    c = costs.constants
    return distinct(c.experts, c.skew, costs.routing, independent_tokens(c, tokens, sequences))


@compiled
def work_time(
    table: Array,
    tokens: float,
    distinct: float,
    qk: float,
    logits: float,
    kv: float,
    states: float,
    reads: float,
    prompt_tokens: float = 0.0,
    prompt_qk: float = 0.0,
    prompt_kv: float = 0.0,
    prompt_reads: float = 0.0,
) -> float:
    """Seconds of the device in one forward pass that touches ``distinct`` experts.

    ``qk``: pairs of query and key; ``logits``: tokens that the head computes; ``kv``: cached tokens read, in ``reads``
    reads of one sequence each; ``states``: recurrent states read or written. In a row with a window a query sees no
    more tokens than that, and a read reads no more. In a row with a walk a read takes that much per token at least.
    ``prompt_*``: what of them is of prompts, which some rows have alone and some rows without.
    """
    total = 0.0
    for i in range(table.shape[0]):
        count, pairs, cached, sequences = tokens, qk, kv, reads
        if table[i, 12] == PROMPTS:
            count, pairs, cached, sequences = prompt_tokens, prompt_qk, prompt_kv, prompt_reads
        elif table[i, 12] == DECODES:
            count, pairs = tokens - prompt_tokens, qk - prompt_qk
            cached, sequences = kv - prompt_kv, reads - prompt_reads
        if count < table[i, 9] or count >= table[i, 10] or (table[i, 12] != 0.0 and count <= 0.0):
            continue
        window = table[i, 11]
        if window < math.inf:
            pairs = min(pairs, count * window)
            cached = min(cached, sequences * window)
        t = (
            table[i, 2]
            + count * table[i, 3]
            + pairs * table[i, 4]
            + logits * table[i, 5]
            + cached * table[i, 6]
            + states * table[i, 7]
            + distinct * table[i, 8]
        )
        least = table[i, 1]
        if table[i, 13] > 0.0 and sequences > 0.0:
            least = max(least, table[i, 2] + table[i, 13] * cached / sequences)
        total += table[i, 0] * max(least, t)
    return total


@compiled
def pass_time(
    table: Array,
    c: Constants,
    tokens: float,
    independent: float,
    qk: float,
    logits: float,
    kv: float,
    states: float,
    reads: float,
) -> float:
    """Seconds of the device in one forward pass, see :func:`work_time`. ``independent``: tokens that route
    independently of one another."""
    distinct = distinct_experts(c.experts, c.top_k, c.skew, independent)
    return work_time(table, tokens, distinct, qk, logits, kv, states, reads)


@compiled
def has_windows(target: Array, draft: Array) -> bool:
    """Whether a row of either table has a window or a walk."""
    found = False
    for table in (target, draft):
        for i in range(table.shape[0]):
            found = found or 0.0 < table[i, 11] < math.inf or table[i, 13] > 0.0
    return found


@compiled
def bends(target: Array, draft: Array, c: Constants) -> bool:
    """Whether the growth of a round per cached token depends on batch and context: with windows or pipeline stages."""
    return has_windows(target, draft) or c.stages > 1.0


@compiled
def poll_of(c: Constants, clients: float) -> float:
    """Steps between two looks for new requests of a replica launched for so many clients."""
    if c.many > 0.0 and clients >= c.many:
        return c.poll_many
    return c.poll


@compiled
def riders(c: Constants, decoding: float) -> float:
    """How many of the requests decoding ride along with a prefill pass: all under a shared budget, else none."""
    if c.shared > 0.0:
        return decoding
    return 0.0


@compiled
def drafting(costs: Costs, distinct: float, batch: float, context: float) -> float:
    """Seconds of the draft passes of one round over ``batch`` requests with ``context`` cached tokens in all.

    ``distinct``: experts touched by all tokens of the round.
    """
    c = costs.constants
    if c.verify <= 1.0:
        return 0.0
    tokens = batch * c.verify
    total = 0.0
    if c.single_drafts > 0.0:
        single = touched(costs, batch, batch)
        one = work_time(costs.draft, batch, single, context, batch, context, 0.0, batch)
        total += c.single_drafts * (c.host_draft + max(c.draft_launch, one))
    if c.extend > 0.0:
        extended = work_time(costs.draft, tokens, distinct, context * c.verify, batch, context, 0.0, batch)
        total += c.host_draft + max(c.draft_launch, extended)
    if c.block > 0.0:
        whole = work_time(costs.draft, tokens, distinct, context * c.verify, tokens - batch, context, 0.0, batch)
        total += c.host_draft + max(c.draft_launch, whole)
    return total


@compiled
def in_flight(c: Constants, batch: float) -> float:
    """Parts of a batch on their way through the pipeline stages at once: one a stage, where there are as many
    requests."""
    if c.stages <= 1.0:
        return 1.0
    return max(1.0, min(c.stages, batch))


@compiled
def decode_round(costs: Costs, batch: float, context: float) -> float:
    """Seconds of one decode round (plain step, or draft and verify) over ``batch`` requests with ``context`` cached
    tokens in all.

    With pipeline stages that of one part of the batch, which passes all of them while the other parts do.
    """
    c = costs.constants
    parts = in_flight(c, batch)
    batch, context = batch / parts, context / parts
    tokens = batch * c.verify
    again = 1.0 + c.reload * (c.verify - 1.0)
    kv = context * again
    distinct = touched(costs, tokens, batch)
    verify = work_time(costs.target, tokens, distinct, context * c.verify, tokens, kv, batch * c.states, batch * again)
    return c.host_step + c.host_request * batch + verify + drafting(costs, distinct, batch, context)


@compiled
def slope_of(costs: Costs) -> float:
    """Seconds by which one more cached token lengthens a round, within every window."""
    return decode_round(costs, 1.0, 1.0) - decode_round(costs, 1.0, 0.0)


@compiled
def within(table: Array, batch: float, context: float, low: float, high: float) -> tuple[float, float]:
    """The narrower of two bounds about ``context`` and those at which windows of a table fill up."""
    for i in range(table.shape[0]):
        full = batch * table[i, 11]
        if full > context:
            high = min(high, full)
        else:
            low = max(low, full)
    return low, high


@compiled
def straight(costs: Costs, batch: float, context: float) -> tuple[float, float]:
    """Between which numbers of cached tokens in all, about ``context``, no window of ``batch`` requests fills up."""
    low, high = within(costs.target, batch, context, 0.0, math.inf)
    return within(costs.draft, batch, context, low, high)


@compiled
def slope_at(costs: Costs, batch: float, context: float) -> float:
    """Seconds by which one more cached token lengthens a round of ``batch`` requests with ``context`` tokens in all."""
    if not costs.windowed:
        return slope_of(costs)
    low, high = straight(costs, batch, context)
    if high == math.inf:
        high = 2.0 * low
        if low == 0.0:
            high = 1.0
    return (decode_round(costs, batch, high) - decode_round(costs, batch, low)) / (high - low)


@compiled
def round_at(costs: Costs, slope: float, batch: float, each: float) -> float:
    """:func:`decode_round` with ``each`` cached tokens of every request; ``slope``: :func:`slope_of` the costs."""
    if costs.windowed:
        return decode_round(costs, batch, batch * each)
    return decode_round(costs, batch, 0.0) + slope * batch * each


@compiled
def prefill_pass(
    costs: Costs, tokens: float, prompts: float, qk: float, kv: float, batch: float, context: float
) -> float:
    """Seconds of one prefill pass over ``tokens`` of ``prompts`` prompts; with ``batch`` > 0 a decode round rides
    along.

    ``qk``: pairs of query and key of these tokens; ``kv``: tokens of the prompts cached before; ``context``: cached
    tokens of the batch. With pipeline stages it goes in as many pieces, the last of which has all stages before it.
    """
    c = costs.constants
    filled = 1.0
    if c.stages > 1.0:
        filled = (2.0 * c.stages - 1.0) / c.stages
        tokens, prompts, qk, kv = tokens / c.stages, prompts / c.stages, qk / c.stages, kv / c.stages
        batch, context = batch / c.stages, context / c.stages
    decoded = batch * c.verify
    distinct = touched(costs, tokens + decoded, prompts + batch)
    again = 1.0 + c.reload * (c.verify - 1.0)
    cached = kv + context * again
    earlier = 0.0
    if kv > 0.0:
        earlier = prompts
    states = prompts * c.prefill_states + batch * c.states
    pairs, logits = qk + context * c.verify, prompts + decoded
    reads = earlier + batch * again
    device = work_time(
        costs.target, tokens + decoded, distinct, pairs, logits, cached, states, reads, tokens, qk, kv, earlier
    )
    if c.verify > 1.0:
        if batch > 0.0:
            distinct = touched(costs, tokens, prompts)
        device += work_time(costs.draft, tokens, distinct, qk, prompts, kv, 0.0, earlier, tokens, qk, kv, earlier)
    total = c.host_prefill + max(c.launch, device) * filled
    if batch > 0.0:
        distinct = touched(costs, decoded, batch)
        total += c.host_request * batch + drafting(costs, distinct, batch, context)
    return total


@compiled
def found_of(c: Constants, prompt: float) -> float:
    """Tokens of a prompt that are found cached; one at least is computed."""
    return max(0.0, min(c.hit_rate * prompt, prompt - 1.0))


@compiled
def prompts_time(costs: Costs, prompts: float, prompt: float, batch: float, context: float) -> tuple[float, float]:
    """Seconds of prefilling ``prompts`` prompts of ``prompt`` tokens, and the number of passes it takes.

    Prompts beyond a chunk are cut, and what is found of them is not computed. ``batch`` requests with ``context``
    cached tokens ride along.
    """
    c = costs.constants
    found = found_of(c, prompt)
    fresh = prompt - found
    room = max(1.0, c.chunk - batch * c.verify)
    tokens = prompts * fresh
    passes = max(1.0, math.ceil(tokens / room))
    if c.split == 0.0 and fresh <= room:
        passes = max(1.0, math.ceil(prompts / math.floor(room / fresh)))
    tokens /= passes
    qk = prompts * fresh * (found + 0.5 * fresh) / passes
    share = max(1.0, prompts / passes)
    kv = share * found
    if fresh > room:
        kv += 0.5 * fresh
    return passes * prefill_pass(costs, tokens, share, qk, kv, batch, context), passes


@compiled
def prompts_time_on_average(
    costs: Costs, prompts: float, prompt: float, batch: float, context: float
) -> tuple[float, float]:
    """:func:`prompts_time` of a number of prompts that is whole each time and ``prompts`` on average."""
    few = math.floor(prompts)
    time, passes = prompts_time(costs, few, prompt, batch, context)
    more = prompts - few
    if more <= 0.0:
        return time, passes
    longer, further = prompts_time(costs, few + 1.0, prompt, batch, context)
    return time + more * (longer - time), passes + more * (further - passes)


@compiled
def round_time(target: Array, draft: Array, c: Constants, batch: float, context: float) -> float:
    """:func:`decode_round` of one replica: tables of shape (rows, 14) and its constants, see :class:`Costs`."""
    return decode_round(Costs(target, draft, c, routing_of(c), bends(target, draft, c)), batch, context)


@compiled
def prefill_time(
    target: Array,
    draft: Array,
    c: Constants,
    tokens: float,
    prompts: float,
    qk: float,
    kv: float,
    batch: float,
    context: float,
) -> float:
    """:func:`prefill_pass` of one replica: tables of shape (rows, 14) and its constants, see :class:`Costs`."""
    return prefill_pass(
        Costs(target, draft, c, routing_of(c), bends(target, draft, c)), tokens, prompts, qk, kv, batch, context
    )
