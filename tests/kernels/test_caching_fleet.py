"""A fleet whose replicas keep prompts, against the fleet that keeps none, and against a cache written out in Python."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from simulator import kernels as kn
from simulator.kernels.caching_fleet import is_balanced, most_found
from tests.kernels.made_up import made_up

BLOCK = 4
LOADS = {"token": 1e-2, "pair": 1e-4, "cached": 1e-5, "one": 1e-3}
OLD = (kn.ROUND_ROBIN, kn.LEAST_OUTSTANDING, kn.TWO_CHOICES)
ALL = (*OLD, kn.PREFIX_AWARE, kn.STICKY)


@dataclass
class Asked:
    """Prompts as lists of block ids, one request every ``gap`` seconds."""

    prompts: list[list[int]]
    gap: float
    home: list[int] | None = None

    def requests(self) -> kn.Requests:
        n = len(self.prompts)
        prompt = np.array([BLOCK * len(one) + 1.0 for one in self.prompts])
        times = np.zeros(n), np.zeros(n)
        return kn.Requests(self.gap * np.arange(n), prompt, np.full(n, 3.0), np.full(n, 2.0), *times)

    def shared(self) -> kn.Shared:
        flat = np.array([one for prompt in self.prompts for one in prompt], dtype=np.int64)
        of = np.cumsum([0, *map(len, self.prompts)]).astype(np.int64)
        home = np.array(self.home or [prompt[0] for prompt in self.prompts], dtype=np.int64)
        return kn.Shared(kn.Paths(of, flat, np.ones_like(flat)), int(flat.max()) + 1, home, int(home.max()) + 1)


@dataclass
class Answer:
    where: np.ndarray
    first: np.ndarray
    finish: np.ndarray
    found: np.ndarray
    computed: float


def rules(capacity: int, slots: int = 64, **fields: float) -> kn.Rules:
    out = kn.zero(kn.Rules)
    out.slots, out.block, out.page, out.capacity, out.reuse = slots, BLOCK, 1.0, capacity, 1.0
    for name, value in fields.items():
        setattr(out, name, value)
    return out


def choices(n: int, replicas: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.integers(0, replicas, (n, 2))


def keeping(
    asked: Asked, replicas: int, router: int, capacity: int = 10**6, limit: float = np.inf, **fields: float
) -> Answer:
    costs, requests, n = made_up(**LOADS), asked.requests(), len(asked.prompts)
    where, found, counters = np.zeros(n, np.int64), np.zeros(n), kn.zeros(kn.Counters, replicas)
    own = costs.target, costs.draft, costs.constants, rules(capacity, **fields)  # type: ignore[arg-type]
    drawn = choices(n, replicas)
    kn.serve_caching_fleet(*own, limit, router, drawn, requests, asked.shared(), where, found, counters)
    return Answer(where, requests.first, requests.finish, found, float(counters["prefill_tokens"].sum()))


def plain(asked: Asked, replicas: int, router: int) -> Answer:
    costs, requests, n = made_up(**LOADS), asked.requests(), len(asked.prompts)
    where, counters = np.zeros(n, np.int64), kn.zeros(kn.Counters, replicas)
    own = costs.target, costs.draft, costs.constants, 64.0, np.inf
    kn.serve_fleet(*own, router, choices(n, replicas), requests, where, counters)
    return Answer(where, requests.first, requests.finish, np.zeros(n), float(counters["prefill_tokens"].sum()))


def sharing(n: int, seed: int, families: int = 6, longest: int = 6) -> list[list[int]]:
    """Prompts that walk down one of a few trees of blocks; ids are numbered as they come."""
    rng, numbers = np.random.default_rng(seed), dict[tuple[int, ...], int]()
    out = []
    for _ in range(n):
        path = (int(rng.integers(families)), *map(int, rng.integers(0, 2, int(rng.integers(0, longest)))))
        out.append([numbers.setdefault(path[: k + 1], len(numbers)) for k in range(len(path))])
    return out


@pytest.mark.parametrize("router", OLD)
def test_where_nothing_is_shared_it_is_the_fleet_without_caches(router: int) -> None:
    asked = Asked([[3 * i, 3 * i + 1, 3 * i + 2][: 1 + i % 3] for i in range(60)], gap=0.02)
    one, other = keeping(asked, 3, router), plain(asked, 3, router)
    assert np.array_equal(one.where, other.where)
    assert np.array_equal(one.first, other.first)
    assert np.array_equal(one.finish, other.finish)
    assert one.computed == other.computed
    assert not one.found.any()


def test_one_replica_is_the_same_behind_every_router() -> None:
    asked = Asked(sharing(80, 1), gap=0.03)
    first, *others = (keeping(asked, 1, router, capacity=60) for router in ALL)
    assert first.found.any()
    for one in others:
        assert np.array_equal(one.finish, first.finish)
        assert np.array_equal(one.found, first.found)


class Written:
    """A cache of blocks that drops the one used longest ago, of one prompt its last first; one request at a time."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.used, self.clock = capacity, dict[int, tuple[int, int]](), 0

    def ask(self, prompt: list[int], own: int) -> int:
        """Blocks found; ``own``: blocks beside those of the prompt while the request runs."""
        self.clock += 1
        found = next((k for k, block in enumerate(prompt) if block not in self.used), len(prompt))
        for k, block in enumerate(prompt):
            self.used[block] = (self.clock, -k)
        self.drop(self.capacity - own, set(prompt))
        return found

    def drop(self, room: int, pinned: set[int]) -> None:
        while len(self.used) > room and (free := [b for b in self.used if b not in pinned]):
            del self.used[min(free, key=lambda block: self.used[block])]


@pytest.mark.parametrize("capacity", [9, 14, 25, 1000])
def test_one_request_at_a_time_finds_what_a_written_out_cache_holds(capacity: int) -> None:
    prompts = sharing(150, 2)
    cache = Written(capacity)
    expected = [BLOCK * cache.ask(prompt, own=1) for prompt in prompts]
    answer = keeping(Asked(prompts, gap=100.0), 1, kn.ROUND_ROBIN, capacity)
    assert answer.found.tolist() == expected
    assert answer.found.any()


@pytest.mark.parametrize("router", ALL)
def test_what_is_found_and_what_is_computed_make_up_the_prompts(router: int) -> None:
    asked = Asked(sharing(120, 3), gap=0.02)
    answer = keeping(asked, 3, router, capacity=40)
    assert answer.found.sum() + answer.computed == pytest.approx(asked.requests().prompt.sum())
    assert np.isfinite(answer.finish).all()


def test_a_prompt_is_found_by_those_let_in_after_its_pass() -> None:
    together, apart = (keeping(Asked([[0, 1, 2], [0, 1, 2]], gap), 1, kn.ROUND_ROBIN) for gap in (0.0, 10.0))
    assert together.found.tolist() == [0, 0]
    assert apart.found.tolist() == [0, 12]
    # 1 token, over 12 that are read: 12 + 1 / 2 pairs
    assert apart.first[1] - 10.0 == pytest.approx(1e-3 + 1e-2 + 12.5e-4 + 12e-5)


def test_a_session_stays_where_it_began() -> None:
    home = [i % 7 for i in range(140)]
    answer = keeping(Asked(sharing(140, 4), 0.02, home), 4, kn.STICKY)
    of_session = [set(answer.where[i::7].tolist()) for i in range(7)]
    assert all(len(one) == 1 for one in of_session)
    assert len(set.union(*of_session)) > 1


def test_a_router_that_knows_prefixes_finds_more() -> None:
    asked = Asked(sharing(400, 5, families=12, longest=9), gap=0.05)
    rates = {router: keeping(asked, 4, router, capacity=40).found.sum() for router in ALL}
    assert rates[kn.PREFIX_AWARE] > 1.2 * rates[kn.ROUND_ROBIN]
    assert rates[kn.STICKY] > 1.2 * rates[kn.ROUND_ROBIN]
    single = keeping(asked, 1, kn.ROUND_ROBIN, capacity=10**6).found.sum()
    assert max(rates.values()) <= single


def test_a_recurrent_model_goes_on_only_from_a_stored_state() -> None:
    prompts = [[0, 1, 2, 3], [0, 1, 4], [0, 1, 2, 3, 5]]
    answer = keeping(Asked(prompts, 10.0), 1, kn.ROUND_ROBIN, stateful=1.0, ends=1.0, states=50, states_each=1)
    # the state after block 3 ends the first prompt's pass: nothing is stored after block 1, where the second parts
    assert answer.found.tolist() == [0, 0, 16]


def test_what_waits_beyond_the_limit_is_refused() -> None:
    answer = keeping(Asked([[i] for i in range(6)], 1e-6), 1, kn.STICKY, limit=2.0)
    assert answer.where.tolist() == [0, 0, -1, -1, -1, -1]


def test_when_a_router_looks_at_load_alone() -> None:
    assert is_balanced(np.array([64, 0]))
    assert not is_balanced(np.array([65, 0]))
    assert is_balanced(np.array([300, 200]))
    assert not is_balanced(np.array([301, 200]))
    assert most_found(np.array([2, 5, 5, 5]), np.array([0, 3, 1, 1])) == 2
