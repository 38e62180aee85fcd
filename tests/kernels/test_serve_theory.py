"""The discrete events against worked examples, queueing theory, Ciw, and a SimPy engine that steps one by one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import ciw
import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import kernels as kn

LOADS = ("one", "token", "pair", "logit", "cached", "state")


@dataclass(frozen=True)
class Engine:
    """A made-up engine in seconds: constants, costs per load, and scheduling.

    ``near`` and ``near_pair`` are per cached token and per pair in layers with a window, which a batch shares.
    """

    step: float = 0.0
    prefill: float = 0.0
    request: float = 0.0
    one: float = 0.0
    token: float = 0.0
    pair: float = 0.0
    logit: float = 0.0
    cached: float = 0.0
    state: float = 0.0
    near: float = 0.0
    near_pair: float = 0.0
    window: float = math.inf
    width: int = 1
    cap: int = 10**6
    chunk: float = 1e9
    shared: bool = False
    split: bool = True
    lookahead: bool = False
    poll: int = 1
    delay: float = 0.0
    delay_token: float = 0.0

    def tables(self) -> tuple[np.ndarray, np.ndarray, kn.Constants]:
        """Target table, draft table and plan vector for the kernel."""
        always = 0.0, math.inf
        whole = [1.0, 0.0, *(getattr(self, load) for load in LOADS), 0.0, *always, math.inf, 0.0, 0.0]
        near = [1.0, 0.0, 0.0, 0.0, self.near_pair, 0.0, self.near, 0.0, 0.0, *always, self.window, 0.0, 0.0]
        table = np.array([whole, near])
        c = kn.zero(kn.Constants)
        c.experts = c.top_k = 1.0
        c.states, c.prefill_states = 2.0, 1.0
        c.verify, c.host_step, c.host_prefill, c.host_request = self.width, self.step, self.prefill, self.request
        for name in ("delay", "delay_token", "chunk", "shared", "split", "lookahead", "poll"):
            setattr(c, name, float(getattr(self, name)))
        return table, np.zeros_like(table), c

    def round_seconds(self, batch: int, context: float) -> float:
        q = self.width
        work = self.one + self.token * batch * q + self.pair * context * q + self.logit * batch * q
        seen = min(context, batch * self.window)
        work += self.near * seen + self.near_pair * seen * q
        return self.step + self.request * batch + work + self.cached * context + self.state * 2 * batch

    def prefill_seconds(
        self, tokens: float, prompts: int, pairs: float, again: float, batch: int, context: float
    ) -> float:
        q = self.width
        work = self.one + self.token * (tokens + batch * q) + self.pair * (pairs + context * q)
        work += (
            self.logit * (prompts + batch * q) + self.cached * (again + context) + self.state * (prompts + 2 * batch)
        )
        reads = (prompts if again else 0) + batch
        if reads:
            work += self.near * min(again + context, reads * self.window)
        work += self.near_pair * min(pairs + context * q, (tokens + batch * q) * self.window)
        return self.prefill + self.request * batch + work


@dataclass
class Result:
    send: np.ndarray
    first: np.ndarray
    finish: np.ndarray
    counters: kn.Counters

    @property
    def response(self) -> np.ndarray:
        return self.finish - self.send


def serve(
    engine: Engine, prompt: object, output: object, rounds: object, clients: int = 0, send: object = None
) -> Result:
    """Run the kernel. Sizes are per request or one for all; ``send`` opens the loop."""
    size = max(np.size(x) for x in (prompt, output, rounds, 0.0 if send is None else send))
    arrays = [np.broadcast_to(np.asarray(x, float), size).copy() for x in (prompt, output, rounds)]
    sent = np.zeros(size) if send is None else np.array(send, dtype=float)
    first, finish, counters = np.full(size, np.nan), np.full(size, np.nan), kn.zero(kn.Counters)
    kn.serve(*engine.tables(), float(engine.cap), kn.Requests(sent, *arrays, first, finish), clients, counters)
    return Result(sent, first, finish, counters)


def batch_error(values: np.ndarray, batches: int = 20) -> float:
    """Standard error of the mean of a correlated series, by batch means."""
    means = [part.mean() for part in np.array_split(values, batches)]
    return float(np.std(means, ddof=1) / np.sqrt(batches))


# --- worked by hand ---------------------------------------------------------------------------------------------------


def test_one_client() -> None:
    # cycle: 5 front end + 1 + 8/8 prefill + 3 rounds of 1 + 1/8
    r = serve(Engine(step=1, prefill=1, token=1 / 8, delay=5), [8] * 4, 4, 3, clients=1)
    np.testing.assert_array_equal(r.finish, 10.375 * np.arange(1, 5))
    np.testing.assert_array_equal(r.first - r.send, [7.0] * 4)


def test_duration_without_prefill_cost() -> None:
    # free prefills, equal lengths: all requests run together, R = 5 times 7 rounds of (1 + 3/2) s
    r = serve(Engine(step=1, request=0.5), [10] * 15, 8, 7, clients=3)
    assert r.finish.max() == 5 * 7 * 2.5
    assert r.counters.rounds == 35


def test_cache_grows_with_every_round() -> None:
    # one request: 10 + 1 cached tokens after the prefill, 9 more over 3 rounds: 11 + 14 + 17 tokens read
    r = serve(Engine(cached=1.0), [10], 10, 3, clients=1)
    assert r.finish[0] == 11 + 14 + 17


def test_a_cache_with_a_window_grows_until_that() -> None:
    # as above, of at most 15 tokens in one layer: 11 + 14 + 17 and 11 + 14 + 15; pairs alone: the same
    r = serve(Engine(cached=1.0, near=1.0, window=15.0), [10], 10, 3, clients=1)
    assert r.finish[0] == 11 + 14 + 17 + 11 + 14 + 15
    r = serve(Engine(near_pair=0.5, window=15.0), [10], 10, 3, clients=1)
    # the prompt's 10 x 10 / 2 pairs are fewer than 10 x 15
    assert r.finish[0] == (50 + 11 + 14 + 15) / 2


@pytest.mark.parametrize(("split", "first"), [(True, [4.5, 5.625]), (False, [4.25, 5.625])])
def test_long_prompts_go_in_chunks(split: bool, first: list[float]) -> None:
    # 10 and 3 tokens in chunks of 4, pass = 1 + tokens/8: split 4, 4, 2+2, 1; whole prompts 4, 4, 2, 3
    r = serve(Engine(prefill=1, token=1 / 8, chunk=4, split=split), [10, 3], 1, 0, clients=2)
    np.testing.assert_array_equal(r.first, first)
    assert r.counters.prefills == 4


@pytest.mark.parametrize("chunk", [3, 4, 10, 64])
def test_chunks_keep_the_attention_work(chunk: int) -> None:
    assert serve(Engine(pair=1.0, chunk=chunk), [10], 1, 0, clients=1).first[0] == 10 * 10 / 2


def test_chunks_read_the_cache_again() -> None:
    assert serve(Engine(cached=1.0, chunk=4), [10], 1, 0, clients=1).first[0] == 0 + 4 + 8


def test_batch_cap_makes_the_third_wait() -> None:
    # cap 2: prefill 1, two rounds of 1 -> 3; the third: prefill 1, two rounds -> 6
    r = serve(Engine(step=1, prefill=1, cap=2), [5] * 3, 3, 2, clients=3)
    np.testing.assert_array_equal(r.first, [1, 1, 4])
    np.testing.assert_array_equal(r.finish, [3, 3, 6])


@pytest.mark.parametrize(
    ("lookahead", "poll", "first", "finish"),
    [
        (False, 1, [3.5, 7.5], [8.5, 9.5]),  # prefill of B at the end of A's third round
        (True, 1, [3.5, 8.5], [7.5, 10.5]),  # B was not there when that round began: one more round of A
        (False, 3, [3.5, 7.5], [8.5, 9.5]),  # looks every third round: at 6.5
        (False, 4, [3.5, 8.5], [7.5, 10.5]),  # at 7.5
    ],
)
def test_front_end_delays_but_does_not_stall(
    lookahead: bool, poll: int, first: list[float], finish: list[float]
) -> None:
    # A is seen at 2.5, B (sent 3.25) at 5.75; prefill 1, rounds 1; A needs 4 rounds, B 2
    engine = Engine(step=1, prefill=1, delay=2.5, lookahead=lookahead, poll=poll)
    r = serve(engine, [5, 5], [5, 3], [4, 2], send=[0, 3.25])
    np.testing.assert_array_equal(r.first, first)
    np.testing.assert_array_equal(r.finish, finish)


def test_shared_budget_lets_decode_ride_along() -> None:
    # A: prefill 1 + 4/8; round 1 + 1/8; two passes of 1 + (3 + 1)/8 with B's 6 tokens; round 1 + 2/8; B's last 1 + 1/8
    engine = Engine(step=1, prefill=1, token=1 / 8, chunk=4, shared=True)
    r = serve(engine, [4, 6], [5, 3], [4, 2], send=[0, 2])
    np.testing.assert_array_equal(r.first, [1.5, 5.625])
    np.testing.assert_array_equal(r.finish, [6.875, 8.0])


def test_verification_multiplies_tokens() -> None:
    # 4 tokens per request and round: 5 rounds of 2 x 4/8
    r = serve(Engine(token=1 / 8, width=4), [8, 8], 11, 5, clients=2)
    np.testing.assert_array_equal(r.finish - r.first, [5.0, 5.0])


# --- theory -----------------------------------------------------------------------------------------------------------


def test_batch_cap_one_is_a_closed_single_server() -> None:
    # N clients, first come first served: request i starts when i - 1 ends and was sent when i - N ended
    rng, clients = np.random.default_rng(1), 5
    prompt, rounds = rng.integers(1, 50, 40), rng.integers(1, 20, 40)
    service = 0.3 + prompt / 128 + rounds * (0.5 + 1 / 128)
    ends = np.cumsum(service)
    r = serve(Engine(step=0.5, prefill=0.3, token=1 / 128, cap=1), prompt, rounds + 1, rounds, clients=clients)
    np.testing.assert_allclose(r.finish, ends, rtol=1e-12)
    np.testing.assert_allclose(r.send, np.concatenate((np.zeros(clients), ends[:-clients])), rtol=1e-12)


@pytest.mark.parametrize("load", [0.5, 0.8])
@pytest.mark.parametrize("variability", [0.0, 1.0])
def test_open_loop_is_an_m_g_1_queue(load: float, variability: float) -> None:
    # Pollaczek-Khinchine: W = load s (1 + cv^2) / (2 (1 - load)), deterministic and exponential service of mean 1
    rng, n = np.random.default_rng(2), 20_000
    service = rng.exponential(1.0, n) if variability else np.ones(n)
    r = serve(Engine(token=1.0, cap=1), service, 1, 0, send=np.cumsum(rng.exponential(1 / load, n)))
    wait = r.response - service
    assert wait.mean() == pytest.approx(load * (1 + variability) / (2 * (1 - load)), abs=3 * batch_error(wait))


@pytest.mark.parametrize("clients", [2, 6])
def test_front_end_and_single_server_are_a_product_form_network(clients: int) -> None:
    # exact mean-value analysis (Reiser and Lavenberg 1980): R = s (1 + Q), X = N / (R + Z), Q = X R
    think, queue = 3.0, 0.0
    for n in range(1, clients + 1):
        residence = 1.0 + queue
        queue = n / (residence + think) * residence
    service = np.random.default_rng(3).exponential(1.0, 20_000)
    r = serve(Engine(token=1.0, cap=1, delay=think), service, 1, 0, clients=clients)
    at_server = r.response - think
    assert at_server.mean() == pytest.approx(residence, abs=3 * batch_error(at_server))


def test_open_loop_against_ciw_on_the_same_sample_path() -> None:
    rng, n = np.random.default_rng(4), 300
    gaps, service = rng.exponential(1.2, n), rng.exponential(1.0, n)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Sequential(gaps.tolist())],
        service_distributions=[ciw.dists.Sequential(service.tolist())],
        number_of_servers=[1],
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(n, method="Finish")
    records = sorted(simulation.get_all_records(), key=lambda record: record.id_number)[:n]
    r = serve(Engine(token=1.0, cap=1), service, 1, 0, send=np.cumsum(gaps))
    np.testing.assert_allclose(r.send, [record.arrival_date for record in records], rtol=0, atol=1e-9)
    np.testing.assert_allclose(r.finish, [record.exit_date for record in records], rtol=0, atol=1e-9)


# --- an independent engine --------------------------------------------------------------------------------------------


@dataclass
class Request:
    number: int
    prompt: float
    output: float
    rounds: float
    arrived: float = 0.0
    prefilled: float = 0.0
    played: float = 0.0
    done: simpy.Event | None = field(default=None, repr=False)

    @property
    def context(self) -> float:
        return self.prompt + 1 + self.played * (self.output - 1) / self.rounds


class SteppingEngine:
    """Continuous batching as SimPy processes: one event per step, one context per request, nothing in closed form."""

    def __init__(self, engine: Engine, requests: list[Request], clients: int) -> None:
        self.engine, self.env = engine, simpy.Environment()
        self.waiting: list[Request] = []
        self.admitted: list[Request] = []
        self.running: list[Request] = []
        self.arrival = self.env.event()
        self.send, self.first, self.finish = (np.full(len(requests), np.nan) for _ in range(3))
        self.pool = iter(requests)
        self.most = 0
        for _ in range(clients):
            self.env.process(self.client())
        self.env.process(self.server(len(requests)))
        self.env.run()

    def client(self) -> Iterator[simpy.Event]:
        for request in self.pool:
            self.send[request.number] = self.env.now
            request.done = self.env.event()
            yield self.env.timeout(self.engine.delay + self.engine.delay_token * request.prompt)
            request.arrived = self.env.now
            self.waiting.append(request)
            if not self.arrival.triggered:
                self.arrival.succeed()
            yield request.done

    def end(self, request: Request) -> None:
        self.finish[request.number] = self.env.now
        assert request.done is not None
        request.done.succeed()

    def admit(self, known: float) -> None:
        while self.waiting and self.waiting[0].arrived <= known:
            if len(self.running) + len(self.admitted) == self.engine.cap:
                return
            self.admitted.append(self.waiting.pop(0))
        self.most = max(self.most, len(self.running) + len(self.admitted))

    def server(self, total: int) -> Iterator[simpy.Event]:
        e, env = self.engine, self.env
        known, unpolled = 0.0, e.poll
        began = 0.0
        while np.isnan(self.finish).any():
            if unpolled >= e.poll:
                known, unpolled = (began if e.lookahead else env.now), 0
            self.admit(known)
            began = env.now
            if self.admitted:
                yield from self.prefill_step()
                unpolled = e.poll
            elif self.running:
                context = sum(request.context for request in self.running)
                yield env.timeout(e.round_seconds(len(self.running), context))
                self.advance()
                unpolled += 1
            else:
                if not self.waiting:
                    self.arrival = env.event()
                    yield self.arrival
                began, unpolled = env.now, e.poll

    def advance(self) -> None:
        for request in self.running:
            request.played += 1
        for request in sorted((r for r in self.running if r.played >= r.rounds), key=lambda r: r.number):
            self.running.remove(request)
            self.end(request)

    def prefill_step(self) -> Iterator[simpy.Event]:
        e = self.engine
        riders = len(self.running) if e.shared else 0
        context = sum(request.context for request in self.running) if e.shared else 0.0
        room = max(1.0, e.chunk - riders * e.width) if riders else e.chunk
        parts: list[tuple[Request, float]] = []
        for request in self.admitted:
            left = request.prompt - request.prefilled
            whole = left <= room
            if room <= 0 or (parts and not whole and not e.split):
                break
            parts.append((request, min(left, room)))
            room -= parts[-1][1]
            if not whole:
                break
        tokens = sum(take for _, take in parts)
        pairs = sum(take * (request.prefilled + take / 2) for request, take in parts)
        again = sum(request.prefilled for request, _ in parts)
        yield self.env.timeout(e.prefill_seconds(tokens, len(parts), pairs, again, riders, context))
        if riders:
            self.advance()
        for request, take in parts:
            request.prefilled += take
            if request.prefilled == request.prompt:
                self.admitted.remove(request)
                self.first[request.number] = self.env.now
                if request.rounds:
                    self.running.append(request)
                else:
                    self.end(request)


BASE = Engine(
    step=0.9e-2,
    prefill=2e-2,
    request=1e-4,
    one=1e-3,
    token=1e-4,
    pair=1e-6,
    logit=3e-5,
    cached=1e-6,
    state=2e-5,
    delay=0.0271828,
    delay_token=1e-5 * np.pi,
)
POLICIES = [
    {"split": False, "lookahead": False},
    {"split": True, "lookahead": True},
    {"shared": True, "lookahead": True},
]


NEAR = {"near": 2e-5, "near_pair": 3e-6}


@pytest.mark.parametrize("policy", [*POLICIES, {"shared": True}, {"poll": 7}, {"poll": 7, "lookahead": True}], ids=str)
@pytest.mark.parametrize(("clients", "cap"), [(1, 1), (3, 100), (9, 4), (9, 100)])
@pytest.mark.parametrize("width", [1, 4])
@pytest.mark.parametrize("window", [math.inf, 40.0, 100.0])
def test_against_an_engine_that_steps_one_by_one(
    policy: dict[str, bool], clients: int, cap: int, width: int, window: float
) -> None:
    """With windows that fill up at once, and in the middle of a request; rounds are summed up to there at once."""
    near = NEAR | {"window": window} if window < math.inf else {}
    engine = Engine(**{**BASE.__dict__, "cap": cap, "chunk": 60.0, "width": width, **policy, **near})
    rng, n = np.random.default_rng([clients, cap, width]), 6 * clients
    prompt, output = rng.integers(1, 150, n), rng.integers(1, 90, n)
    rounds = -(-(output - 1) // width)
    r = serve(engine, prompt, output, rounds, clients=clients)
    requests = [Request(i, *map(float, sizes)) for i, sizes in enumerate(zip(prompt, output, rounds, strict=True))]
    oracle = SteppingEngine(engine, requests, clients)
    assert oracle.most <= cap
    for name in ("send", "first", "finish"):
        np.testing.assert_allclose(getattr(r, name), getattr(oracle, name), rtol=0, atol=1e-9)


# --- laws that hold for any plan --------------------------------------------------------------------------------------

positive = st.floats(1e-4, 0.1)
plans = st.builds(
    Engine,
    step=positive,
    prefill=positive,
    request=positive,
    token=positive,
    pair=positive,
    cached=positive,
    width=st.integers(1, 4),
    cap=st.integers(1, 12),
    chunk=st.integers(8, 200).map(float),
    shared=st.booleans(),
    split=st.booleans(),
    lookahead=st.booleans(),
    poll=st.integers(1, 9),
    delay=st.floats(0, 1),
)


@st.composite
def loops(draw: st.DrawFn) -> tuple[Engine, int, np.ndarray, np.ndarray, np.ndarray]:
    engine, clients, per_client = draw(plans), draw(st.integers(1, 8)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    prompt, output = rng.integers(1, 100, clients * per_client), rng.integers(1, 60, clients * per_client)
    rounds = np.ceil((output - 1) / rng.integers(1, engine.width + 1, output.size))
    return engine, clients, prompt, output, rounds


@settings(max_examples=60)
@given(loops())
def test_laws_of_the_closed_loop(loop: tuple[Engine, int, np.ndarray, np.ndarray, np.ndarray]) -> None:
    engine, clients, prompt, output, rounds = loop
    r = serve(engine, prompt, output, rounds, clients=clients)
    busy = r.counters.decode_time + r.counters.prefill_time

    # every prompt token is prefilled once, every request finishes, in order of its life
    assert r.counters.prefill_tokens == pytest.approx(prompt.sum(), rel=1e-12)
    assert np.isfinite(r.finish).all()
    assert (r.first - r.send >= engine.delay).all()
    assert (r.finish - r.first >= rounds * engine.step * (not engine.shared) - 1e-9).all()

    # Little's law for clients: one request each until the pool is empty
    events = np.concatenate((r.send, r.finish))
    change = np.concatenate((np.ones(r.send.size), -np.ones(r.send.size)))
    order = np.lexsort((-change, events))
    inside = np.cumsum(change[order])
    area = float(inside[:-1] @ np.diff(events[order]))
    assert area == pytest.approx(r.response.sum(), rel=1e-9)
    until = events[order][:-1] < r.send.max() - 1e-9
    gaps = np.diff(events[order]) > 1e-9
    assert (inside[:-1][until & gaps] == clients).all()

    # Little's law for running requests: stalls apart, each is in the batch from its first token to its last
    together = r.counters.batch_time
    decoding = (r.finish - r.first).sum()
    assert together <= decoding * (1 + 1e-9) + 1e-9
    if engine.shared:
        assert together == pytest.approx(decoding, rel=1e-9, abs=1e-9)

    # utilisation law: a server that never idles with work present is busy all the time when nothing else delays
    assert busy <= r.finish.max() * (1 + 1e-9)
    if engine.delay == 0.0:
        assert busy == pytest.approx(r.finish.max(), rel=1e-9)


@settings(max_examples=60)
@given(loops())
def test_linear_work_is_the_same_under_every_schedule(
    loop: tuple[Engine, int, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    # per token and per cached token only: each token is paid once, each cached token once per round of its request
    engine, clients, prompt, output, rounds = loop
    q = engine.width
    linear = Engine(**{**engine.__dict__, "step": 0.0, "prefill": 0.0, "request": 0.0, "pair": 0.0, "chunk": 1e9})
    r = serve(linear, prompt, output, rounds, clients=clients)
    growth = (output - 1) / np.maximum(rounds, 1)
    read = rounds * (prompt + 1) + growth * rounds * (rounds - 1) / 2
    work = engine.token * (prompt.sum() + q * rounds.sum()) + engine.cached * read.sum()
    assert r.counters.decode_time + r.counters.prefill_time == pytest.approx(work, rel=1e-9)


def test_counted_rounds_are_the_batch_rounds() -> None:
    # one request alone: its own rounds; two equal ones together: the same number
    for clients in (1, 2):
        r = serve(Engine(step=1.0), [5] * clients, 9, 8, clients=clients)
        assert r.counters.rounds == 8


def test_same_order_of_service_for_equal_requests() -> None:
    # ties go to the request that was sent first
    r = serve(Engine(prefill=1.0, cap=1), list(itertools.repeat(5, 4)), 1, 0, clients=4)
    np.testing.assert_array_equal(r.finish, [1, 2, 3, 4])
