"""Hard roofs: what no software can beat, at any acceptance up to k + 1. Nothing fitted goes in.

At the best q = k + 1 tokens leave a request in each round. With mean output and prompt lengths n and p, X requests per
second and concurrency N of a replica, and the peaks of all its GPUs together:

- memory: ``X ((n - 1) / q (W / N + S) + P) <= 1``. Each round reads the weights W once for all its requests, and for
  each of them S, the state twice (read, write) and the KV cache once; a prompt writes its own P.
- compute: FLOPs of every prompt and output token, each matrix at the dense peak of the format it is stored in.
- communication: a reduction of the hidden vector per mixer, per feed-forward and token.

TPOT: with r = X (n - 1) / q the mean batch of a round obeys ``b >= r W / (1 - r S)``, and ``TPOT >= (W + b S) / q``;
without a throughput, and for medians, b = 1. TTFT: one prompt alone.

Assumed in favour of the row: the routed experts of a round are the top k of one token, as if all tokens chose the same;
every byte lies on one GPU, which reads it at 100 % of its HBM peak, perfectly spread; draft passes, activations, norms
and recurrences are free; memory, compute and links overlap perfectly; messages have 8 bits per element (a quantised
all-reduce) at 100 % of the links; a switch reduces on the way; with data-parallel attention nothing is sent.
Assumed against it: prompts are computed (no prefix cache); weights have the formats of the checkpoint, the KV cache
that of the row (else 8 bit), the state 16 bit; none of them stays in on-chip caches until the next round.
Sources: data sheets and config.json in the profiles; bytes of a reduction: Thakur et al., IJHPCA 2005.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from simulator.facts.checkpoint import group_formats
from simulator.facts.deployment import Deployment
from simulator.facts.formats import BYTES_PER_PARAM
from simulator.facts.memory import kv_bytes, state_bytes
from simulator.facts.model import Model
from simulator.facts.weights import active_parameters, checkpoint_bytes, target_parameters
from simulator.measurements import MeasuredPoint
from simulator.measurements.cells import measured
from simulator.measurements.configuration import Configuration
from simulator.serving.scenario import resolve_workload
from simulator.traffic.benchmark import Workload
from simulator.units import GIGA, KILO
from simulator.validation.curves import Known
from simulator.validation.reason import Place, Reason, number, quantity

ROOF = "above_roof"
"""Kind of the finding on a row that no software can reach."""
ROUNDING = 0.02
"""How far beyond a roof a row may be: published digits, and the mean of the lengths drawn."""
MESSAGE_BYTES = 1.0
"""Per element of a reduction."""
KV_LEAST = "fp8"
"""KV format where a row states none: the narrowest in use."""


@dataclass(frozen=True)
class Roofs:
    """Least seconds of one replica, all its GPUs at their peaks together.

    Attributes:
        weights: reading the weights of one round.
        request: reading the caches of one request in one round.
        prompt: per prompt, by resource.
        token: per output token, by resource; that of the memory depends on the batch.
        per_round: tokens per round at the best, k + 1.
        workload: lengths.
        gpus: GPUs of the replica.
    """

    weights: float
    request: float
    prompt: Mapping[str, float]
    token: Mapping[str, float]
    per_round: int
    workload: Workload
    gpus: int

    def total_tok_s_gpu(self, concurrency: float) -> dict[str, float]:
        """Greatest input + output throughput, tok/s/GPU, by resource; one without a limit is left out."""
        tokens = self.workload.mean_osl - 1.0
        round_share = (self.weights / concurrency + self.request) / self.per_round
        seconds = {"memory": self.prompt["memory"] + tokens * round_share}
        seconds |= {name: self.prompt[name] + tokens * value for name, value in self.token.items()}
        each = (self.workload.mean_isl + self.workload.mean_osl) / self.gpus
        return {name: each / value for name, value in seconds.items() if value > 0.0}

    def tpot_ms(self, concurrency: float, total_tok_s_gpu: float | None = None) -> dict[str, float]:
        """Least time per output token, ms, by resource; ``total_tok_s_gpu`` is the throughput that goes with it."""
        batch = 1.0
        if total_tok_s_gpu is not None:
            rate = total_tok_s_gpu * self.gpus / (self.workload.mean_isl + self.workload.mean_osl)
            rounds = rate * (self.workload.mean_osl - 1.0) / self.per_round
            spare = 1.0 - rounds * self.request
            batch = max(1.0, min(concurrency, rounds * self.weights / spare)) if spare > 0.0 else concurrency
        memory = (self.weights + batch * self.request) / self.per_round
        return {"memory": KILO * memory} | {name: KILO * value for name, value in self.token.items()}

    def ttft_ms(self) -> dict[str, float]:
        """Least time to first token, ms, by resource."""
        return {name: KILO * (v + (self.weights if name == "memory" else 0.0)) for name, v in self.prompt.items()}

    def front(self, tpot_ms: float, concurrency: float) -> float:
        """Greatest total throughput, tok/s/GPU, at this TPOT and any concurrency up to the one given; 0: none."""
        batch = (tpot_ms / KILO * self.per_round - self.weights) / self.request if self.request else concurrency
        return min(self.total_tok_s_gpu(min(batch, concurrency)).values()) if batch >= 1.0 else 0.0


def roofs(
    deployment: Deployment, isl: int, osl: int, k: int, kv_dtype: str | None = None, range_ratio: float = 0.8
) -> Roofs:
    """The roofs of a deployment at draft depth ``k``; ``kv_dtype`` as in the row, None: 8 bit."""
    hw, model, weights = deployment.hardware, deployment.model, deployment.weights
    w = resolve_workload(isl, osl, range_ratio)
    bandwidth = deployment.tp * hw.hbm_bandwidth
    stored = checkpoint_bytes(model, weights)
    chosen = ("routed_experts", "embedding")
    read = sum(stored[group] for group in target_parameters(model) if group not in chosen)
    for layer, count in model.target_layers.experts:
        read += count * layer.top_k * layer.expert_bytes(model.hidden, group_formats(weights)["routed_experts"])
    state, kv = state_bytes(model, "bf16"), kv_dtype or KV_LEAST
    context = w.mean_isl + 0.5 * w.mean_osl

    fastest = max(peak for fmt in BYTES_PER_PARAM if (peak := hw.peak(fmt)) is not None)
    pairs = {reach: flops / (deployment.tp * fastest) for reach, flops in _pair_flops(model).items()}
    prompt_pairs = sum(_mean_seen(w.mean_isl, reach) * each for reach, each in pairs.items())
    token_pairs = sum(min(context, reach) * each for reach, each in pairs.items())
    matrices = _matrix_seconds(deployment)
    body, head = matrices["body"], matrices["head"]
    link = _link_seconds(deployment)
    return Roofs(
        weights=read / bandwidth,
        request=(2.0 * state + _read_bytes(model, context, kv)) / bandwidth,
        prompt={
            "memory": (state + kv_bytes(model, w.mean_isl, kv)) / bandwidth,
            "compute": w.mean_isl * (body + prompt_pairs) + head,
            "communication": w.mean_isl * link,
        },
        token={"compute": body + head + token_pairs, "communication": link},
        per_round=k + 1,
        workload=w,
        gpus=deployment.tp,
    )


def _pair_flops(model: Model) -> dict[float, float]:
    """FLOPs per pair of query and key of all layers, by how many tokens a query sees at most."""
    out: dict[float, float] = {}
    for layer, count in model.target_layers.mixers:
        if layer.pair_flops:
            out[layer.reach] = out.get(layer.reach, 0.0) + count * layer.pair_flops
    return out


def _mean_seen(tokens: float, reach: float) -> float:
    """Tokens that the tokens of a prompt see in the mean, each those before it but no more than ``reach``."""
    return 0.5 * tokens if tokens <= reach else reach - 0.5 * reach**2 / tokens


def _read_bytes(model: Model, context: float, fmt: str) -> float:
    """KV-cache bytes that a round reads of one request: no more than its queries see."""
    read: dict[float, float] = {}
    for layer, count in model.target_layers.mixers:
        tokens = layer.read_tokens(context)
        read[tokens] = read.get(tokens, 0.0) + count * layer.cache_bytes(fmt)
    return sum(tokens * each for tokens, each in read.items())


def _matrix_seconds(deployment: Deployment) -> dict[str, float]:
    """Seconds per token in the matrices of the layers (``body``) and in the lm_head."""
    hw, model = deployment.hardware, deployment.model
    formats = group_formats(deployment.weights)
    used = {g: float(n) for g, n in target_parameters(model).items() if g not in ("embedding", "norms")}
    if model.experts is not None:
        used["routed_experts"] *= model.experts.top_k / model.experts.experts
    assert sum(used.values()) <= active_parameters(model)
    seconds = {}
    for group, count in used.items():
        seconds[group] = 2.0 * count / (deployment.tp * hw.compute_peak(formats[group]))
    head = seconds.pop("lm_head")
    return {"body": sum(seconds.values()), "head": head}


def _link_seconds(deployment: Deployment) -> float:
    """Seconds per token in reductions: a rank sends 2/n of the vector over each link of a mesh, or all to a switch."""
    tp, network = deployment.tp, deployment.hardware.scale_up
    if tp == 1 or deployment.dp > 1:
        return 0.0
    layers = deployment.model.target_layers
    message = (layers.mixer_layers + layers.feed_forward_layers) * deployment.model.hidden * MESSAGE_BYTES
    return message * (2.0 / tp if network.topology == "full_mesh" else 1.0) / network.bandwidth


def roofs_of(configuration: Configuration) -> Roofs:
    """The roofs of a configuration, whatever its concurrency."""
    c = configuration
    return roofs(c.deployment, c.isl, c.osl, c.spec_tokens, c.kv_dtype, c.range_ratio)


def limits_of(row: MeasuredPoint, found: Roofs) -> dict[str, dict[str, float]]:
    """By metric of the row, the roof of each resource: the greatest throughput, the least latencies."""
    total = measured(row, "total_tok_s_gpu")
    return {
        "total_tok_s_gpu": found.total_tok_s_gpu(row.concurrency),
        "mean_tpot_ms": found.tpot_ms(row.concurrency, total),
        "median_tpot_ms": found.tpot_ms(row.concurrency),
        "mean_ttft_ms": found.ttft_ms(),
        "median_ttft_ms": found.ttft_ms(),
        "p99_ttft_ms": found.ttft_ms(),
    }


def check_roofs(known: Known, place: Place, found: Roofs) -> Iterator[Reason]:
    """Reasons why a row is beyond a roof, one per metric, and why its GPUs cannot hold the weights."""
    row = known.row
    for metric, by_resource in limits_of(row, found).items():
        value = measured(row, metric)
        if value is None:
            continue
        rising = metric == "total_tok_s_gpu"
        beyond = {name: value / v if rising else v / value for name, v in by_resource.items() if v > 0.0}
        broken = sorted((name for name, x in beyond.items() if x > 1.0 + ROUNDING), key=lambda name: -beyond[name])
        if not broken:
            continue
        worst = broken[0]
        numbers = ", ".join(f"{name} {number(by_resource[name], 4)}" for name in broken)
        message = (
            f"{quantity(metric, value)} is {number(beyond[worst])} x beyond the {worst} roof at concurrency "
            f"{row.concurrency} ({'greatest' if rising else 'least'} possible: {numbers}"
            f"{f', with {found.per_round} tokens per round' if found.per_round > 1 else ''})"
        )
        data = {"metric": metric, "measured": value, "roof": worst, "roofs": by_resource, "beyond": beyond[worst]}
        yield Reason("impossible", ROOF, message, (place,), data)
    yield from _check_capacity(known, place)


def _check_capacity(known: Known, place: Place) -> Iterator[Reason]:
    d = known.configuration.deployment
    stored = checkpoint_bytes(d.model, d.weights)
    weights = sum(size for group, size in stored.items() if not group.startswith("draft_"))
    memory = d.tp * d.hardware.hbm_capacity
    if weights > memory:
        message = (
            f"the weights of {d.checkpoint} take {weights / GIGA:.0f} GB, but {d.tp} x {d.hardware.name} have "
            f"{memory / GIGA:.0f} GB: another TP or checkpoint, or weights kept outside the GPU"
        )
        data = {"weights_gb": weights / GIGA, "hbm_gb": memory / GIGA}
        yield Reason("suspicious", "does_not_fit", message, (place,), data)
