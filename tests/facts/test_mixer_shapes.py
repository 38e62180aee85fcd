"""Kinds of mixers, every tensor, cache and state by hand, and the published sizes of models that have them."""

from __future__ import annotations

import doctest
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from simulator.facts.deployment import Deployment
from simulator.facts.layers import Mixer
from simulator.facts.memory import kv_bytes, kv_bytes_per_gpu, kv_bytes_per_token, memory_fit, state_bytes
from simulator.facts.mixers import index, kimi_delta, latent_attention, mamba2
from simulator.facts.mixers.base import MixerShape
from simulator.facts.reading import load_engine, load_hardware, load_model
from simulator.facts.weights import active_parameters, total_parameters

ADAPTER: TypeAdapter[Any] = TypeAdapter(Mixer)
INDEX = {"heads": 3, "dim": 8, "top_k": 5}
MLA = {
    "kind": "latent_attention",
    "query_heads": 4,
    "query_rank": 32,
    "kv_rank": 16,
    "nope_dim": 12,
    "rope_dim": 8,
    "value_dim": 10,
}
COMPRESSED = {
    "kind": "compressed_attention",
    "query_heads": 4,
    "head_dim": 16,
    "rope_dim": 8,
    "query_rank": 32,
    "output_groups": 2,
    "output_rank": 24,
    "window": 6,
    "ratio": 4,
}
BLOCKS = {"index_heads": 2, "index_dim": 8, "block": 4, "top_blocks": 3, "local_blocks": 1}
SPARSE = {"kind": "attention", "query_heads": 4, "kv_heads": 2, "head_dim": 8, "blocks": BLOCKS}
KDA = {"kind": "kimi_delta", "heads": 4, "head_dim": 8, "conv_kernel": 3}
MAMBA = {"kind": "mamba2", "heads": 8, "head_dim": 4, "state_dim": 16, "groups": 2, "conv_kernel": 3}


def mixer(shape: dict[str, Any], **changes: Any) -> Any:
    """Of any kind, with fields of its own."""
    return ADAPTER.validate_python(shape | changes)


def held(shape: MixerShape, ranks: int, hidden: int = 64) -> dict[str, float]:
    """Parameters on each GPU."""
    shares = shape.share_per_gpu(hidden, ranks)
    return {group: count * shares[group] for group, count in shape.parameters(hidden).items()}


def test_latent_attention_by_hand() -> None:
    """Projections down are whole on every GPU, heads are divided, the latent of 16 + 8 channels is not."""
    plain = mixer(MLA)
    down = 64 * (32 + 16 + 8) + 32 + 16  # with the norms of both latents
    head = 32 * (12 + 8) + 16 * (12 + 10) + 10 * 64  # query, key and value up; output
    assert plain.parameters(64) == {"attention": down + 4 * head}
    assert held(plain, 4) == {"attention": pytest.approx(down + head)}
    assert held(plain, 1) == {"attention": pytest.approx(down + 4 * head)}
    gated = mixer(MLA, output_gate=True)
    assert gated.parameters(64) == {"attention": down + 4 * (head + 64 * 10)}
    direct = mixer(MLA, query_rank=None)
    assert direct.parameters(64) == {"attention": 64 * (16 + 8) + 16 + 4 * (head + 20 * (64 - 32))}
    assert plain.cache_bytes("bf16", 1) == plain.cache_bytes("bf16", 4) == 24 * 2
    assert plain.cache_bytes("fp8", 4) == 24
    assert plain.cached_tokens(1000) == plain.read_tokens(1000) == 1000
    assert plain.pair_flops == 2 * 4 * (12 + 8) + 2 * 4 * 10
    assert plain.absorbed_pair_flops == 2 * 4 * (16 + 8) + 2 * 4 * 16
    assert plain.state_bytes("fp32") == 0
    assert (plain.faults(2), plain.faults(3)) == ([], ["must divide the 4 query heads"])


def test_an_index_on_latent_attention_by_hand() -> None:
    """Three index heads of 8 on every GPU; a key of 8 bytes with a scale of 4 in FP8, whatever the cache is."""
    sparse = mixer(MLA, index=INDEX)
    own = 32 * 3 * 8 + 64 * 8 + 64 * 3 + 2 * 8  # queries, key, weights of the heads, norm with a bias
    assert sparse.parameters(64) == mixer(MLA).parameters(64) | {"indexer": own}
    assert held(sparse, 4)["indexer"] == own
    assert sparse.cache_bytes("bf16", 4) == 24 * 2 + 8 + 4
    assert sparse.cache_bytes("fp8") == 24 + 8 + 4
    assert (sparse.cached_tokens(1000), sparse.read_tokens(1000), sparse.read_tokens(3)) == (1000, 5, 3)
    shared = mixer(MLA, index=INDEX | {"shared": True})
    assert shared.parameters(64) == mixer(MLA).parameters(64) | {"indexer": 0}
    assert shared.cache_bytes("bf16", 4) == 24 * 2
    assert shared.read_tokens(1000) == 5
    direct = mixer(MLA, query_rank=None, index=INDEX)
    assert direct.parameters(64)["indexer"] == own + 32 * 3 * 8  # its queries come of the 64 hidden channels


def test_blocks_of_keys_by_hand() -> None:
    """A query sees (3 + 1) x 4 tokens of all that are kept; index heads are divided, their key is not."""
    sparse = mixer(SPARSE)
    assert sparse.parameters(64) == mixer(SPARSE, blocks=None).parameters(64) | {"indexer": 64 * (2 * 8 + 8)}
    assert held(sparse, 2)["indexer"] == pytest.approx(64 * (8 + 8))
    assert held(sparse, 4)["indexer"] == pytest.approx(64 * (8 + 8))  # one head at least
    assert sparse.cache_bytes("fp8", 2) == 2 * 8 + 8 + 4
    assert (sparse.cached_tokens(1000), sparse.read_tokens(1000), sparse.read_tokens(9)) == (1000, 16, 9)
    with pytest.raises(ValidationError, match="expected one of them"):
        mixer(SPARSE, window=8)


def test_compressed_attention_by_hand() -> None:
    """Of 100 tokens the last 6 and 25 compressed keys of 16 channels are kept, each its own value."""
    heavy = mixer(COMPRESSED)
    down = 64 * (32 + 16) + 32 + 16
    compressor = 2 * 64 * 16 + 4 * 16 + 16  # keys and their weights, places, norm
    heads = 4 * 16 * 32 + 2 * (2 * 16 * 24) + 2 * 24 * 64 + 4  # queries, two groups out, sinks
    assert heavy.parameters(64) == {"attention": down + compressor + heads}
    assert held(heavy, 2) == {"attention": pytest.approx(down + compressor + heads / 2)}
    assert heavy.cache_bytes("bf16", 2) == 16 * 2
    assert heavy.caches(100, "bf16", 2) == [(6 + 25, 16 * 2)]
    assert heavy.read_tokens(100) == 31
    assert heavy.pair_flops == 4 * 4 * 16 / 4
    indexed = mixer(COMPRESSED, index=INDEX)
    assert indexed.parameters(64) == {
        "attention": down + 2 * 2 * 64 * 16 + 4 * 2 * 16 + 16 + heads,  # a token has a part in two compressed keys
        "indexer": 32 * 3 * 8 + 64 * 3 + 2 * 2 * 64 * 8 + 4 * 2 * 8 + 8,
    }
    assert indexed.caches(100, "bf16", 2) == [(6 + 25, 16 * 2), (25, 8 + 4)]
    assert (indexed.read_tokens(100), indexed.read_tokens(8), indexed.reach) == (6 + 5, 6 + 2, 20)
    near = mixer(COMPRESSED, ratio=None)
    assert near.parameters(64) == {"attention": down + heads}
    assert (near.caches(100, "fp8"), near.read_tokens(100), near.reach) == ([(6, 16)], 6, 6)
    assert near.pair_flops == 4 * 4 * 16
    assert heavy.faults(4) == ["must divide the 2 output groups"]
    with pytest.raises(ValidationError, match="needs a ratio"):
        mixer(COMPRESSED, ratio=None, index=INDEX)
    with pytest.raises(ValidationError, match="rope_dim: 8 exceeds head_dim"):
        mixer(COMPRESSED, head_dim=7)


def test_kimi_delta_by_hand() -> None:
    """A state of 4 x 8 x 8 and three convolutions over 3 tokens, of which two are kept."""
    low = mixer(KDA)
    whole = 2 * 64 * 8 + 8  # first matrices of decay and output gate, norm of a head
    rest = 4 * 64 * 32 + 2 * 8 * 32 + 64 * 4 + 3 * 32 * 3 + 4 + 32  # q, k, v, o; gates; beta; convolutions; decay
    assert low.parameters(64) == {"gdn": whole + rest}
    assert held(low, 4) == {"gdn": pytest.approx(whole + rest / 4)}
    full = mixer(KDA, full_rank_gate=True)
    assert full.parameters(64) == {"gdn": whole + rest - 64 * 8 - 8 * 32 + 64 * 32}
    assert low.state_bytes("fp32") == 4 * 8 * 8 * 4 + 2 * 3 * 32 * 2
    assert low.state_bytes("bf16") == 4 * 8 * 8 * 2 + 2 * 3 * 32 * 2
    assert (low.caches(1000, "bf16"), low.pair_flops) == ([(0, 0)], 0)
    assert low.faults(8) == ["must divide the 4 KDA heads"]


def test_mamba_by_hand() -> None:
    """Eight heads of 4 x 16 in two groups; of four GPUs each has a group of its own, two of them the same."""
    net = mixer(MAMBA)
    conv = 32 + 2 * 2 * 16
    whole = 64 * (32 + conv + 8) + conv * 3 + conv + 3 * 8 + 32 + 32 * 64
    assert net.parameters(64) == {"gdn": whole}
    assert held(net, 2) == {"gdn": pytest.approx(whole / 2)}
    own = 8 + 2 * 16
    assert held(net, 4) == {"gdn": pytest.approx(64 * (8 + own + 2) + own * 3 + own + 3 * 2 + 8 + 8 * 64)}
    assert net.state_bytes("fp32") == 8 * 4 * 16 * 4 + 2 * conv * 2
    assert net.caches(1000, "bf16") == [(0, 0)]
    assert net.faults(3) == ["must divide the 8 Mamba heads", "must divide or be a multiple of the 2 Mamba groups"]


# B: as published, or counted from the tensors that config.json implies
PUBLISHED = {
    "deepseek-r1": (671.0, 36.6),
    "deepseek-v3.2": (671.9, 37.5),
    "deepseek-v4-pro": (1573, 49),
    "glm-5": (743.9, 40.8),
    "glm-5.2": (743.4, 40.3),
    "kimi-k2.5": (1026.4, 31.7),
    "kimi-k3": (2779, 104),
    "minimax-m3": (426.2, 24.7),
    "nemotron-3-super": (120, 12),
}


@pytest.mark.parametrize(("name", "total", "active"), [(name, *size) for name, size in PUBLISHED.items()])
def test_published_sizes(name: str, total: float, active: float) -> None:
    model = load_model(name)
    assert total_parameters(model) == pytest.approx(total * 1e9, rel=0.01)
    assert active_parameters(model) == pytest.approx(active * 1e9, rel=0.03)


def test_caches_and_states_of_published_models() -> None:
    """Layers x (512 + 64) channels of a latent; 69 x 96 heads of 128 x 128."""
    for name, elements in (("deepseek-r1", 61 * 576), ("kimi-k2.5", 61 * 576), ("kimi-k3", 24 * 576)):
        assert kv_bytes_per_token(load_model(name), "bf16") == 2 * elements
    assert kv_bytes_per_token(load_model("glm-5"), "bf16") == 2 * 78 * 576 + 78 * (128 + 4)
    assert kv_bytes_per_token(load_model("glm-5.2"), "fp8") == 78 * 576 + 21 * (128 + 4)
    assert kv_bytes_per_token(load_model("minimax-m3"), "bf16") == 2 * 60 * 2 * 512 + 57 * (128 + 4)
    assert state_bytes(load_model("kimi-k3"), "fp32") == 69 * (96 * 128 * 128 * 4 + 3 * 3 * 96 * 128 * 2)
    # 31 layers keep one key in 128, 30 one in 4 and an index key beside it, all of them the last 128 tokens
    keys = 61 * 128 + 31 * 4096 / 128 + 30 * 4096 / 4
    assert kv_bytes(load_model("deepseek-v4-pro"), 4096, "bf16") == keys * 1024 + 30 * 1024 * 132


def test_ranks_of_latent_attention_divide_requests_not_the_cache() -> None:
    """On eight GPUs each keeps every latent of its attention rank: with eight ranks an eighth of the requests."""
    base = {
        "hardware": load_hardware("mi355x"),
        "model": load_model("deepseek-r1"),
        "engine": load_engine("atom"),
        "checkpoint": "fp8",
        "tp": 8,
    }
    one, eight = (Deployment.model_validate(base | {"dp": dp}) for dp in (1, 8))
    assert kv_bytes_per_gpu(one, 2000) == kv_bytes_per_gpu(eight, 2000) == 2000 * 61 * 576
    free = memory_fit(eight, 2000, 0).free
    assert memory_fit(eight, 2000, 0).max_concurrency == 8 * int(free / (2000 * 61 * 576))
    assert memory_fit(one, 2000, 0).max_concurrency < memory_fit(eight, 2000, 0).max_concurrency


@pytest.mark.parametrize("module", [index, kimi_delta, latent_attention, mamba2])
def test_examples(module: Any) -> None:
    assert doctest.testmod(module).failed == 0
