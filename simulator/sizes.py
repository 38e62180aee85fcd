"""Parameters, bytes and memory: exact counts from a model's shape, its checkpoint and the parallelism.

All sizes are in bytes, all counts in parameters or elements. Oracle: the tensor shapes of Qwen/Qwen3.5-397B-A17B.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulator.errors import InputError, unknown_name
from simulator.specs import BYTES_PER_PARAM, Attention, Checkpoint, Deployment, Engine, Format, Hardware, Model
from simulator.units import GIGA

STATE_BYTES: dict[str, float] = {"bf16": 2.0, "fp32": 4.0}
"""Bytes per element of the recurrent state."""

CONV_STATE_BYTES = BYTES_PER_PARAM["bf16"]
"""The convolution state is BF16 whatever the recurrent state is."""

FP4_OF_VENDOR: dict[str, Format] = {"amd": "mxfp4", "nvidia": "nvfp4"}
"""What a precision of "fp4" means when no checkpoint is named."""

_WIDER: dict[str, tuple[Format, ...]] = {
    "mxfp4": ("fp8", "bf16"),
    "nvfp4": ("fp8", "bf16"),
    "fp8": ("bf16",),
    "bf16": (),
}


# --- parameters -------------------------------------------------------------------------------------------------------


def attention_parameters(model: Model) -> int:
    """Parameters of one full-attention layer: q (with its output gate), k, v, o, and the two head norms."""
    a = model.attention
    return _query_output_parameters(model) + kv_projection_parameters(model) + 2 * a.head_dim


def _query_output_parameters(model: Model) -> int:
    a = model.attention
    return model.hidden * a.query_heads * a.head_dim * (3 if a.output_gate else 2)


def kv_projection_parameters(model: Model) -> int:
    """Parameters of the k and v projections of one full-attention layer."""
    return 2 * model.hidden * model.attention.kv_heads * model.attention.head_dim


def gdn_parameters(model: Model) -> int:
    """Parameters of one Gated DeltaNet layer: q, k, v, z, b, a and output projections, convolution, decay and norm."""
    g = model.gdn
    if g is None:
        return 0
    values = g.value_heads * g.value_dim
    projections = model.hidden * (_conv_channels(model) + 2 * values + 2 * g.value_heads)
    return projections + _conv_channels(model) * g.conv_kernel + 2 * g.value_heads + g.value_dim


def _conv_channels(model: Model) -> int:
    g = model.gdn
    return 0 if g is None else 2 * g.key_heads * g.key_dim + g.value_heads * g.value_dim


def expert_parameters(model: Model) -> int:
    """Parameters of one routed expert: gate, up and down projection."""
    return 3 * model.hidden * model.moe.intermediate


def shared_expert_parameters(model: Model) -> int:
    """Parameters of the shared expert of one layer."""
    return 3 * model.hidden * model.moe.shared_intermediate


def router_parameters(model: Model) -> int:
    """Parameters of the router of one layer."""
    return model.hidden * model.moe.experts


def _norm_parameters(model: Model) -> int:
    return model.hidden * (3 if model.moe.shared_intermediate else 2)


def target_parameters(model: Model) -> dict[str, int]:
    """Parameters of the whole target model per tensor group; ``norms`` includes the shared expert's scalar gate."""
    return {
        "attention": model.full_layers * attention_parameters(model),
        "gdn": model.gdn_layers * gdn_parameters(model),
        "routed_experts": model.layers * model.moe.experts * expert_parameters(model),
        "shared_expert": model.layers * shared_expert_parameters(model),
        "router": model.layers * router_parameters(model),
        "norms": model.layers * _norm_parameters(model) + model.hidden,
        "embedding": model.vocabulary * model.hidden,
        "lm_head": model.vocabulary * model.hidden,
    }


def draft_parameters(model: Model) -> dict[str, int]:
    """Parameters of the MTP layers per tensor group. Embedding and lm_head are the target's, not counted again."""
    layers = model.mtp_layers
    return {
        "draft_fc": layers * 2 * model.hidden**2,
        "draft_attention": layers * attention_parameters(model),
        "draft_experts": layers * model.moe.experts * expert_parameters(model),
        "draft_shared_expert": layers * shared_expert_parameters(model),
        "draft_router": layers * router_parameters(model),
        "draft_norms": layers * (_norm_parameters(model) + 3 * model.hidden),
    }


def total_parameters(model: Model) -> int:
    """Parameters of the text model without its MTP layers (396.35 B for Qwen3.5-397B-A17B)."""
    return sum(target_parameters(model).values())


def active_parameters(model: Model) -> int:
    """Parameters that one token multiplies with, lm_head included and embedding excluded (16.33 B)."""
    groups = target_parameters(model)
    routed = groups["routed_experts"] * model.moe.top_k // model.moe.experts
    return total_parameters(model) - groups["routed_experts"] - groups["embedding"] + routed


# --- checkpoint bytes -------------------------------------------------------------------------------------------------


def group_formats(checkpoint: Checkpoint) -> dict[str, Format]:
    """Number format of every tensor group. Routers, norms and the embedding are BF16 in every checkpoint.

    The few small GDN tensors (b, a, convolution) that FP8 checkpoints keep in BF16 are counted as FP8: 0.03 GB.
    """
    return {
        "attention": checkpoint.attention,
        "gdn": checkpoint.gdn,
        "routed_experts": checkpoint.routed_experts,
        "shared_expert": checkpoint.shared_expert,
        "router": "bf16",
        "norms": "bf16",
        "embedding": "bf16",
        "lm_head": checkpoint.lm_head,
        "draft_fc": "bf16",
        "draft_attention": checkpoint.draft_dense,
        "draft_experts": checkpoint.draft_experts,
        "draft_shared_expert": checkpoint.draft_dense,
        "draft_router": "bf16",
        "draft_norms": "bf16",
    }


def checkpoint_bytes(model: Model, checkpoint: Checkpoint) -> dict[str, float]:
    """Stored bytes per tensor group, target and draft (about 238 GB in all for MXFP4, 405 GB for FP8)."""
    formats = group_formats(checkpoint)
    counts = target_parameters(model) | draft_parameters(model)
    return {group: count * BYTES_PER_PARAM[formats[group]] for group, count in counts.items()}


def total_checkpoint_bytes(model: Model, checkpoint: Checkpoint) -> float:
    """Stored bytes of the text model and its MTP layers; a vision encoder is not part of the model here."""
    return sum(checkpoint_bytes(model, checkpoint).values())


def expert_bytes(model: Model, fmt: str) -> float:
    """Stored bytes of one routed expert (6.685 MB in MXFP4, 25.17 MB in BF16)."""
    return expert_parameters(model) * BYTES_PER_PARAM[fmt]


# --- per GPU ----------------------------------------------------------------------------------------------------------


def attention_tp(deployment: Deployment) -> int:
    """GPUs over which one attention rank is sharded: tp / dp."""
    return deployment.tp // deployment.dp


def kv_heads_per_gpu(attention: Attention, ranks: int) -> int:
    """KV heads that each of ``ranks`` GPUs holds; beyond one head per GPU they are replicated."""
    return max(1, math.ceil(attention.kv_heads / ranks))


def weight_bytes_per_gpu(deployment: Deployment, draft: bool) -> dict[str, float]:
    """Bytes of weights on each GPU per tensor group.

    Routed and shared experts, embedding and lm_head are divided by tp (with expert parallelism ep x tp_expert = tp);
    attention and GDN by tp/dp, with KV heads replicated beyond one per GPU; routers, norms and the draft's fc are
    whole on every GPU. ``draft`` says whether the MTP layers are loaded.
    """
    model, heads = deployment.model, deployment.model.attention
    ranks = attention_tp(deployment)
    kv_share = kv_heads_per_gpu(heads, ranks) / heads.kv_heads
    kv = kv_projection_parameters(model)
    rest = attention_parameters(model) - kv
    attention_share = (rest / ranks + kv * kv_share) / (rest + kv)
    shares = {
        "attention": attention_share,
        "draft_attention": attention_share,
        "gdn": 1 / ranks,
        "router": 1.0,
        "norms": 1.0,
        "draft_fc": 1.0,
        "draft_router": 1.0,
        "draft_norms": 1.0,
    }
    return {
        group: size * shares.get(group, 1 / deployment.tp)
        for group, size in checkpoint_bytes(model, deployment.weights).items()
        if draft or not group.startswith("draft_")
    }


def kv_layers(model: Model, spec_tokens: int) -> int:
    """Layers with a KV cache: the full-attention layers, and the MTP layers when k > 0."""
    return model.full_layers + (model.mtp_layers if spec_tokens > 0 else 0)


def kv_bytes_per_token(model: Model, fmt: str, spec_tokens: int = 0) -> float:
    """KV-cache bytes of one token, one copy of every head (30,720 B in BF16 without speculation)."""
    a = model.attention
    return 2 * a.kv_heads * a.head_dim * kv_layers(model, spec_tokens) * BYTES_PER_PARAM[fmt]


def kv_bytes_per_token_per_gpu(deployment: Deployment, spec_tokens: int = 0) -> float:
    """KV-cache bytes of one token on each GPU of the attention rank that serves it."""
    a = deployment.model.attention
    share = kv_heads_per_gpu(a, attention_tp(deployment)) / a.kv_heads
    return kv_bytes_per_token(deployment.model, deployment.kv_format, spec_tokens) * share


def state_bytes(model: Model, dtype: str) -> float:
    """Bytes of one copy of a sequence's recurrent state, convolution state included (97.7 MB BF16, 192 MB FP32)."""
    g = model.gdn
    if g is None:
        return 0.0
    recurrent = g.value_heads * g.key_dim * g.value_dim * STATE_BYTES[dtype]
    convolution = (g.conv_kernel - 1) * _conv_channels(model) * CONV_STATE_BYTES
    return model.gdn_layers * (recurrent + convolution)


def state_bytes_per_gpu(deployment: Deployment) -> float:
    """Bytes of one copy of a sequence's recurrent state on each GPU of the attention rank that serves it."""
    return state_bytes(deployment.model, deployment.engine.state_dtype) / attention_tp(deployment)


def state_slots(engine: Engine, spec_tokens: int) -> int:
    """State copies that the engine keeps per running request: 1 without speculation."""
    if spec_tokens == 0:
        return 1
    return spec_tokens + {"k+1": 1, "k+2": 2}[engine.speculation.state_slots]


# --- memory -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MemoryFit:
    """What fills the memory of one GPU. Bytes per GPU; requests are counted over the whole replica."""

    weights: float
    workspace: float
    kv_per_request: float
    state_per_request: float
    hbm: float
    budget: float
    dp: int
    state_pool: float | None = None

    @property
    def max_concurrency(self) -> int:
        """Largest number of running requests of the replica that fits; 0 if the weights alone do not."""
        free = self.budget - self.weights - self.workspace
        requests = free / (self.kv_per_request + self.state_per_request)
        if self.state_pool is not None and self.state_per_request > 0 and free > 0:
            pools = (
                self.state_pool * free / self.state_per_request,
                (1 - self.state_pool) * free / self.kv_per_request,
            )
            requests = min(pools)
        return self.dp * max(0, math.floor(requests))

    def used(self, concurrency: int) -> float:
        """Bytes in use on the fullest GPU with this many running requests in the replica."""
        requests = math.ceil(concurrency / self.dp)
        return self.weights + self.workspace + requests * (self.kv_per_request + self.state_per_request)

    def fits(self, concurrency: int) -> bool:
        """Whether this many running requests fit."""
        return concurrency <= self.max_concurrency and self.used(0) <= self.budget

    def arithmetic(self, concurrency: int) -> str:
        """The sum in GB per GPU, and whether it fits, as one paragraph."""
        requests = math.ceil(concurrency / self.dp)
        each = "" if self.dp == 1 else f" (of {concurrency} over {self.dp} attention ranks)"
        verdict = "it fits" if self.fits(concurrency) else "it does not fit"
        largest = self.max_concurrency
        limit = f"the largest concurrency that fits is {largest}" if largest else "not even one request fits"
        free = self.budget - self.weights - self.workspace
        pools = ""
        if self.state_pool is not None and self.state_per_request > 0 and free > 0:
            pools = (
                f"; of the {free / GIGA:.2f} GB beside the weights {100 * self.state_pool:.0f} % are kept for states, "
                "the rest for the KV cache"
            )
        return (
            f"Per GPU: weights {self.weights / GIGA:.2f} GB + workspace {self.workspace / GIGA:.2f} GB"
            f" + {requests} requests{each} x (KV cache {self.kv_per_request / GIGA:.3f} GB"
            f" + recurrent state {self.state_per_request / GIGA:.3f} GB) = {self.used(concurrency) / GIGA:.2f} GB;"
            f" the budget is {self.budget / self.hbm:.2f} x {self.hbm / GIGA:g} GB = {self.budget / GIGA:.2f} GB"
            f"{pools}: {verdict}; {limit}."
        )


def memory_fit(deployment: Deployment, tokens_per_request: float, spec_tokens: int) -> MemoryFit:
    """Memory of one GPU when each running request holds ``tokens_per_request`` tokens and k = ``spec_tokens``.

    Raises:
        InputError: a length that is not positive, or speculation with a model that has no MTP layer.
    """
    if not (math.isfinite(tokens_per_request) and tokens_per_request > 0):
        raise InputError(f"tokens per request must be positive and finite, found {tokens_per_request}")
    if spec_tokens < 0:
        raise InputError(f"speculative tokens must be 0 or more, found {spec_tokens}")
    if spec_tokens and not deployment.model.mtp_layers:
        raise InputError(f"model {deployment.model.name} has no MTP layer: speculative tokens must be 0")
    engine, hardware = deployment.engine, deployment.hardware
    return MemoryFit(
        weights=sum(weight_bytes_per_gpu(deployment, draft=spec_tokens > 0).values()),
        workspace=engine.workspace,
        kv_per_request=tokens_per_request * kv_bytes_per_token_per_gpu(deployment, spec_tokens),
        state_per_request=state_slots(engine, spec_tokens) * state_bytes_per_gpu(deployment),
        hbm=hardware.hbm_capacity,
        budget=engine.memory_fraction * hardware.hbm_capacity,
        dp=deployment.dp,
        state_pool=engine.state_pool,
    )


# --- what can be deployed ---------------------------------------------------------------------------------------------


def compute_format(hardware: Hardware, fmt: Format, allow_dequant: bool) -> Format:
    """The format the hardware computes weights of ``fmt`` in: its own, or with ``allow_dequant`` the next wider one.

    Raises:
        InputError: the hardware has no peak for the format.
    """
    if hardware.peak(fmt) is not None:
        return fmt
    wider = next((other for other in _WIDER[fmt] if hardware.peak(other) is not None), None)
    if allow_dequant and wider is not None:
        return wider
    family = "FP4" if fmt in FP4_OF_VENDOR.values() else fmt.upper()
    offer = (
        f"; --allow-dequant keeps the weights stored in {fmt.upper()} and computes in {wider.upper()}" if wider else ""
    )
    raise InputError(
        f"hardware {hardware.name} has no {family} peak, so it cannot compute {fmt.upper()} weights{offer}"
    )


def check_deployment(deployment: Deployment) -> None:
    """Refuse a deployment that cannot exist.

    Raises:
        InputError: names every fault: parallelism that does not divide the shape, more GPUs than the scale-up domain
            has, an unknown checkpoint, or a format the hardware cannot compute.
    """
    faults = _parallel_faults(deployment) + _format_faults(deployment)
    if faults:
        raise InputError("\n".join(faults))


def _parallel_faults(deployment: Deployment) -> list[str]:
    tp, ep, dp, model = deployment.tp, deployment.ep, deployment.dp, deployment.model
    faults = []
    if tp > deployment.hardware.scale_up.gpus:
        gpus = deployment.hardware.scale_up.gpus
        faults.append(f"tp {tp} exceeds the {gpus} GPUs in the scale-up domain of {deployment.hardware.name}")
    faults += _indivisible("tp", tp, {"dp": dp, "ep": ep}, divides=False)
    faults += _indivisible("ep", ep, {"experts": model.moe.experts})
    if tp % dp == 0:
        heads = {"query heads": model.attention.query_heads}
        if model.gdn is not None:
            heads |= {"GDN key heads": model.gdn.key_heads, "GDN value heads": model.gdn.value_heads}
        faults += _indivisible("tp" if dp == 1 else "tp/dp", tp // dp, heads)
        kv_heads = model.attention.kv_heads
        if kv_heads % (tp // dp) and (tp // dp) % kv_heads:
            faults.append(f"tp/dp {tp // dp} must divide or be a multiple of the {kv_heads} KV heads")
    if tp % ep == 0:
        faults += _indivisible("tp" if ep == 1 else "tp/ep", tp // ep, {"expert intermediate": model.moe.intermediate})
    return faults + _indivisible("tp", tp, {"shared-expert intermediate": model.moe.shared_intermediate})


def _indivisible(name: str, ranks: int, sizes: dict[str, int], divides: bool = True) -> list[str]:
    if divides:
        return [f"{name} {ranks} must divide the {size} {what}" for what, size in sizes.items() if size % ranks]
    return [f"{what} {size} must divide {name} {ranks}" for what, size in sizes.items() if ranks % size]


def _format_faults(deployment: Deployment) -> list[str]:
    model = deployment.model
    if deployment.checkpoint not in model.checkpoints:
        return [str(unknown_name("checkpoint", deployment.checkpoint, model.checkpoints))]
    faults = []
    for fmt in sorted(set(group_formats(deployment.weights).values())):
        try:
            compute_format(deployment.hardware, fmt, deployment.allow_dequant)
        except InputError as fault:
            faults.append(f"checkpoint {deployment.checkpoint}: {fault}")
    return faults


def resolve_checkpoint(
    model: Model, hardware: Hardware, precision: str | None = None, checkpoint_name: str | None = None
) -> str:
    """Name of the checkpoint meant by a precision, or by a checkpoint's own name or repository (case-insensitive).

    A precision of fp4 means MXFP4 on AMD and NVFP4 on NVIDIA; the first checkpoint of that format in the profile wins.

    Raises:
        InputError: nothing is named, the name or precision is not known, or the two contradict each other.
    """
    if checkpoint_name is not None:
        name = _named_checkpoint(model, checkpoint_name)
        found = model.checkpoints[name].precision
        if precision is not None and precision.lower() != found:
            raise InputError(f"checkpoint {name} is {found}, but the precision asked for is {precision.lower()}")
        return name
    if precision is None:
        raise InputError("name a precision or a checkpoint")
    wanted = precision.lower()
    known = sorted({c.precision for c in model.checkpoints.values()})
    if wanted not in known:
        raise unknown_name("precision", precision, known)
    fmt = FP4_OF_VENDOR[hardware.vendor] if wanted == "fp4" else None
    for name, checkpoint in model.checkpoints.items():
        if checkpoint.precision == wanted and fmt in (None, checkpoint.routed_experts):
            return name
    raise InputError(f"model {model.name} has no {str(fmt).upper()} checkpoint for {hardware.name}; name a checkpoint")


def _named_checkpoint(model: Model, wanted: str) -> str:
    for name, checkpoint in model.checkpoints.items():
        if wanted.lower() in (name.lower(), checkpoint.repository.lower()):
            return name
    raise unknown_name("checkpoint", wanted, [*model.checkpoints, *(c.repository for c in model.checkpoints.values())])
