"""Room for prompts, by hand from the bytes of a token and of a state."""

from __future__ import annotations

import pytest

from simulator import InputError, make_scenario
from simulator.facts.memory import kv_bytes_per_gpu, memory_fit, state_bytes_per_gpu
from simulator.serving.prefix_cache import HostTier, keeping
from simulator.units import GIGA


def test_pools_are_those_of_the_memory() -> None:
    d = make_scenario(tp=4, mtp=3).deployment
    free, pool = memory_fit(d, 1000.0, 3).free, d.engine.state_pool or 0.0
    found = keeping(d, 3, on=True)
    assert found.kv_tokens == int(free * (1 - pool) / kv_bytes_per_gpu(d, 1.0, 3))
    assert found.state_slots == int(free * pool / state_bytes_per_gpu(d))
    assert (found.state_tokens, found.stateful) == (0.0, True)
    # verifying three drafts takes k + 2 = 5 states, the cache two more than the one without
    assert (found.states_each, keeping(d, 3, on=False).states_each) == (7, 5)
    assert keeping(d, 0, on=True).states_each == 3


def test_a_state_takes_the_place_of_tokens_where_the_pool_is_shared() -> None:
    # Qwen3.5-397B at TP2, BF16 state, FP8 cache: about 6,360 tokens
    d = make_scenario(tp=2, engine="atom").deployment
    found = keeping(d, 0, on=True)
    assert found.state_slots is None
    assert found.state_tokens == pytest.approx(6360, rel=0.02)
    assert found.state_blocks(64) == -(-found.state_tokens // 64)


def test_pages_of_vllm_are_no_smaller_than_a_state() -> None:
    d = make_scenario(tp=4, engine="vllm").deployment
    found = keeping(d, 0, on=True)
    assert found.page_tokens % 16 == 0
    assert found.page_tokens - 16 < found.state_tokens <= found.page_tokens


def test_the_hosts_hold_a_multiple_or_so_many_bytes() -> None:
    d = make_scenario(tp=4, mtp=3).deployment
    found = keeping(d, 3, True, HostTier(ratio=1.5))
    assert found.host_tokens == int(1.5 * found.kv_tokens)
    assert found.host_states == int(1.5 * (found.state_slots or 0))
    token, state = kv_bytes_per_gpu(d, 1.0, 3), state_bytes_per_gpu(d)
    assert found.seconds_per_token == pytest.approx(token / 64e9)
    of_bytes = keeping(d, 3, True, HostTier(gb=400.0))
    assert of_bytes.host_tokens * token + of_bytes.host_states * state == pytest.approx(100 * GIGA, rel=1e-3)


def test_what_is_unknown_is_refused() -> None:
    with pytest.raises(InputError, match="--prefix-cache on: nothing is known of the prefix cache of trtllm"):
        keeping(make_scenario(tp=4, engine="trtllm").deployment, 0, on=True)
    with pytest.raises(InputError, match="no host tier of vllm is known"):
        keeping(make_scenario(tp=4, engine="vllm").deployment, 0, True, HostTier(ratio=1.0))
    with pytest.raises(InputError, match="gb200 has no host_bandwidth"):
        keeping(make_scenario(tp=4, hardware="gb200").deployment, 0, True, HostTier(ratio=1.0))
