"""Names for what goes in and out of the kernels: records are structured memory, bundles are tuples of arrays.

Times are seconds, sizes are tokens; flags are 0 or 1.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Records = NDArray[np.record]
R = TypeVar("R", bound="Record")

MEMORY = {"float": np.float64, "int": np.int64}


class Record:
    """The fields of a numpy record and, for the type checker, the record itself: at run time it is an ``np.record``.

    A field must not be called like an attribute of numpy scalars (``base``, ``round``, ``size``).
    """

    layout: ClassVar[np.dtype[Any]]

    def __init_subclass__(cls) -> None:
        """The annotated fields are the layout, in their order."""
        fields = inspect.get_annotations(cls).items()
        cls.layout = np.dtype((np.record, [(name, MEMORY[annotation]) for name, annotation in fields]))

    if TYPE_CHECKING:

        def copy(self) -> Self:
            """The same values in memory of their own."""


def zeros(kind: type[Record], count: int) -> Records:
    """So many records of zeros, shape (count,)."""
    return np.zeros(count, kind.layout)


def zero(kind: type[R]) -> R:
    """One record of zeros."""
    return cast(R, zeros(kind, 1)[0])


class Constants(Record):
    """One replica apart from its operator tables: what a round does, what the host takes, how the engine schedules."""

    verify: float
    """Tokens that a round verifies per request; 1 is a plain step."""
    single_drafts: float
    """Draft passes of one token per request in a round."""
    extend: float
    """1 if one draft pass of a round runs over all verified tokens."""
    block: float
    """1 if one draft pass of a round drafts all tokens at once."""
    states: float
    """Recurrent states read or written per request and round."""
    reload: float
    """Share of the cache that each verified token after the first reads again."""
    host_step: float
    """Seconds of the host per round."""
    host_request: float
    """Seconds of the host per request and round."""
    host_prefill: float
    """Seconds of the host per prefill pass."""
    host_draft: float
    """Seconds of the host per draft pass."""
    experts: float
    top_k: float
    skew: float
    """Squared coefficient of variation of the popularity of experts."""
    correlation: float
    """How much a token's routing follows that of the one before: 0 independent, 1 the same experts."""
    chunk: float
    """Most tokens of a pass that prefills."""
    shared: float
    """The engine's policy: 1 if decode rounds ride along with prefill passes in one budget of tokens."""
    split: float
    """1 if a prompt may be cut to fill a pass."""
    delay: float
    """Seconds of the front end per request, and below per prompt token."""
    delay_token: float
    prefill_states: float
    """Recurrent states written per prefilled prompt."""
    launch: float
    """Least seconds of a prefill pass: launching all its operators."""
    lookahead: float
    """1 if the engine schedules a step before the last one has ended."""
    stream: float
    """Seconds of the front end per request that it streams to."""
    poll: float
    """Steps between two looks for new requests."""
    poll_many: float
    """The same of a replica launched for many clients, and below from how many on that is; 0: for no number."""
    many: float
    draft_launch: float
    """Least seconds of a draft pass: launching all its operators where no graph replays them."""
    stages: float
    """Pipeline stages that a token passes; 0 and 1: none."""
    remote_prefill: float
    """1 if prompts come prefilled from elsewhere."""
    hit_rate: float
    """Part of each prompt that is found cached: held and attended to, but not computed."""


class Counters(Record):
    """What a replica did."""

    decode_time: float
    prefill_time: float
    rounds: float
    prefills: float
    """Prefill passes."""
    batch_time: float
    """Requests decoding, integrated over time."""
    prefill_tokens: float
    stretches: float
    """Decode rounds between two events: summed at once, they count as one."""


class State(Record):
    """A replica between two steps."""

    now: float
    turn: float
    """Rounds so far."""
    context: float
    """Cached tokens of all running requests."""
    growth: float
    """Cached tokens that a round adds."""
    known: float
    """Arrivals up to this time are known to the scheduler."""
    unpolled: float
    """Steps since the last look for arrivals."""
    last: float
    """Seconds of the last step."""
    accel: float
    """Seconds by which each round is longer than the one before."""
    span: float
    """Seconds of the step that has been planned: a prefill pass, rounds up to the next event, or waiting."""
    pending: float
    """1 while a prefill pass runs; the next six are its own."""
    tokens: float
    pairs: float
    """Pairs of query and key."""
    again: float
    """Tokens of its prompts that earlier passes have cached."""
    prompts: float
    riders: float
    """Requests whose round rides along with it."""
    ready: int
    """Requests at the head of the queue whose prefill it completes."""
    running: int
    queued: int
    """Admitted requests whose prefill is not complete."""
    arriving: int
    """Requests on their way through the front end or not yet admitted."""
    started: int
    """Requests sent by closed-loop clients."""
    finished: int


class ClosedForm(Record):
    """Expected metrics of a closed-loop benchmark, seconds."""

    duration: float
    mean_tpot: float
    median_tpot: float
    mean_ttft: float
    median_ttft: float
    p99_ttft: float
    mean_e2e: float
    decode_batch: float
    """Requests decoding together, away from start and end."""
    prefill_share: float
    """Share of the time that decoding requests stall for prefills."""


class OpenForm(Record):
    """Steady state of one replica under Poisson arrivals; rates per second, times in seconds."""

    capacity: float
    """Arrivals per second at which the queue begins to grow."""
    load: float
    """Arrivals over capacity."""
    batch: float
    """Mean number decoding."""
    start: float
    """Front end and own prefill."""
    step: float
    """Longest wait for the step in progress."""
    prefill_load: float
    """Share of the time that the queue of prompts is not empty."""
    prefill_decay: float
    """Rate at which the tail of the wait for a prefill falls."""
    slot_wait: float
    """Probability that all slots are taken."""
    slot_decay: float
    """Rate at which the tail of the wait for a slot falls."""
    stay: float
    """Seconds from the first token to the last, and below their standard deviation apart from that of the rounds."""
    stay_sd: float
    round_time: float
    """Mean time of a round with the prefills that fall into it."""


class Costs(NamedTuple):
    """What the passes of one replica cost: operator tables of target and draft, its constants, and its routing.

    Tables have shape (rows, 2 + 7 + 4): count, floor in seconds, seconds per load (ONE, T, QK, L, KV, ST, D), the
    tokens from which and up to which a pass has the row, the tokens that a query sees at most, and the part of the pass
    that it serves, see :mod:`simulator.cost.operator`. ``routing`` is the :func:`routing_constant` of the constants;
    ``windowed``: some row has a window, or there are pipeline stages.
    """

    target: Array
    draft: Array
    constants: Constants
    routing: float
    windowed: bool


class Requests(NamedTuple):
    """One entry per request, shape (n,) each.

    ``rounds``: decode rounds that it needs after its first token. ``send`` is filled in by closed-loop clients,
    ``first`` (first token) and ``finish`` by the events.
    """

    send: Array
    prompt: Array
    output: Array
    rounds: Array
    first: Array
    finish: Array


class Lines(NamedTuple):
    """Where the requests of a replica stand; of a fleet: one row per replica.

    The state, shape (1,), two heaps, of arrivals by the time at which they are seen and of running requests by their
    last round, and the queue of prompts with the tokens already prefilled of each.
    """

    state: Records
    arrive_key: Array
    arrive_id: Indices
    run_key: Array
    run_id: Indices
    queue: Indices
    done_prompt: Array


class Load(NamedTuple):
    """What closed-loop clients ask for: sizes in tokens, ``rounds`` of a request with standard deviation.

    ``per_client``: requests that each client sends. ``cap``: requests that run at once.
    """

    clients: float
    per_client: float
    prompt: float
    output: float
    rounds: float
    rounds_sd: float
    cap: float


STATE = State.layout
