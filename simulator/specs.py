"""Frozen specifications of hardware, model, engine, workload and speculation.

A field is declared once: type, unit, meaning and bounds. The YAML validator, the error texts and ``mtpsim profiles``
all derive from these declarations. Values are SI (byte, second, FLOP/s, watt) unless the field name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from simulator.units import to_si

Format = Literal["bf16", "fp8", "mxfp4", "nvfp4"]

BITS_FAMILY: dict[str, str] = {"bf16": "bf16", "fp8": "fp8", "mxfp4": "fp4", "nvfp4": "fp4"}
"""Which peak of the hardware a number format computes at."""

BYTES_PER_PARAM: dict[str, float] = {"bf16": 2.0, "fp8": 1.0, "mxfp4": 0.53125, "nvfp4": 0.5625}
"""Stored bytes per parameter, block scales included. MXFP4: e2m1 with one e8m0 scale per 32 (OCP MX v1.0);
NVFP4: e2m1 with one e4m3 scale per 16; FP8 128x128 block scales are below 0.03 % and left out."""


@dataclass(frozen=True)
class Dimension:
    """What a number measures. YAML must state it as ``{value, unit, source}``; Python code passes the SI value."""

    name: str

    def parse(self, raw: Any, info: ValidationInfo) -> Any:
        """The SI value of a YAML quantity; anything else is passed on as it is."""
        if not (info.context or {}).get("yaml"):
            return raw
        if not isinstance(raw, dict):
            raise ValueError(f"expected {{value, unit, source}} with a unit of {self.name}, found {raw!r}")
        missing = [key for key in ("value", "unit", "source") if key not in raw]
        unknown = [key for key in raw if key not in ("value", "unit", "source", "note")]
        if missing or unknown:
            raise ValueError(f"expected keys value, unit, source (note optional); missing {missing}, unknown {unknown}")
        value = raw["value"]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"value must be a number, found {value!r}")
        return to_si(float(value), str(raw["unit"]), self.name)


def _dimension(name: str) -> tuple[Dimension, BeforeValidator]:
    dimension = Dimension(name)
    return dimension, BeforeValidator(dimension.parse)


Bytes = Annotated[float, *_dimension("bytes")]
BytesPerSecond = Annotated[float, *_dimension("bytes/s")]
FlopsPerSecond = Annotated[float, *_dimension("FLOP/s")]
Watts = Annotated[float, *_dimension("watts")]
UsdPerHour = Annotated[float, *_dimension("USD/h")]
Fraction = Annotated[float, *_dimension("fraction")]
Count = Annotated[int, *_dimension("count")]


class Spec(BaseModel):
    """Base of all specifications: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PeakFlops(Spec):
    """Dense peak rates (no sparsity). A format that the hardware lacks is absent."""

    bf16: FlopsPerSecond = Field(gt=0, description="dense BF16 peak")
    fp8: FlopsPerSecond | None = Field(default=None, gt=0, description="dense FP8 peak")
    fp4: FlopsPerSecond | None = Field(default=None, gt=0, description="dense FP4 peak")


class ScaleUp(Spec):
    """The scale-up network inside one node."""

    topology: Literal["full_mesh", "switch"] = Field(description="full_mesh: one link per pair; switch: shared port")
    bandwidth: BytesPerSecond = Field(gt=0, description="one way, per link (full_mesh) or per GPU (switch)")
    gpus: Count = Field(gt=0, description="GPUs in one scale-up domain")


class Price(Spec):
    """Rental price of one GPU for one hour."""

    hyperscaler: UsdPerHour = Field(gt=0, description="owned, hyperscaler scale")
    neocloud: UsdPerHour = Field(gt=0, description="owned, neocloud scale")
    rental: UsdPerHour = Field(gt=0, description="rented, three years")


class Hardware(Spec):
    """One accelerator and its scale-up network, from data sheets. Never holds a fitted efficiency."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", description="lower-case name used on the command line")
    vendor: Literal["amd", "nvidia"] = Field(description="decides what FP4 means: MXFP4 on AMD, NVFP4 on NVIDIA")
    hbm_capacity: Bytes = Field(gt=0, description="HBM per GPU")
    hbm_bandwidth: BytesPerSecond = Field(gt=0, description="HBM peak bandwidth")
    peak_flops: PeakFlops
    scale_up: ScaleUp
    board_power: Watts = Field(gt=0, description="total board power (TBP/TDP)")
    compute_units: Count = Field(gt=0, description="CUs or SMs")
    all_in_power: Watts | None = Field(default=None, gt=0, description="per GPU, with host, network and cooling")
    price: Price | None = None

    def peak(self, fmt: str) -> float | None:
        """Dense peak in FLOP/s for a number format, or None if the hardware does not have it."""
        value: float | None = getattr(self.peak_flops, BITS_FAMILY[fmt])
        return value


class Attention(Spec):
    """Full (softmax) attention layers."""

    query_heads: int = Field(gt=0)
    kv_heads: int = Field(gt=0)
    head_dim: int = Field(gt=0)
    output_gate: bool = Field(default=False, description="q_proj also emits a gate of the same width")


class GatedDeltaNet(Spec):
    """Gated DeltaNet (linear attention) layers: a recurrent state per sequence instead of a KV cache."""

    key_heads: int = Field(gt=0)
    key_dim: int = Field(gt=0)
    value_heads: int = Field(gt=0)
    value_dim: int = Field(gt=0)
    conv_kernel: int = Field(gt=1)


class MoE(Spec):
    """Mixture of experts, one per layer."""

    experts: int = Field(gt=0)
    top_k: int = Field(gt=0)
    intermediate: int = Field(gt=0)
    shared_intermediate: int = Field(ge=0, description="0: no shared expert")


class Checkpoint(Spec):
    """Number format per tensor group of one published checkpoint."""

    repository: str
    precision: Literal["bf16", "fp8", "fp4"]
    routed_experts: Format
    shared_expert: Format
    attention: Format = Field(description="full-attention projections")
    gdn: Format = Field(description="Gated DeltaNet projections")
    lm_head: Format
    draft_experts: Format
    draft_dense: Format
    fused_shared_expert: bool = Field(default=False, description="shared expert computed in the MoE kernel")
    source: str


class Model(Spec):
    """Shape of a decoder with MoE layers, optional Gated DeltaNet layers and an optional MTP layer."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    source: str
    hidden: int = Field(gt=0)
    layers: int = Field(gt=0)
    full_attention_every: int = Field(gt=0, description="1: every layer; 4: every fourth layer is full attention")
    vocabulary: int = Field(gt=0)
    attention: Attention
    gdn: GatedDeltaNet | None = None
    moe: MoE
    mtp_layers: int = Field(ge=0)
    checkpoints: dict[str, Checkpoint]
    default_acceptance: str | None = Field(default=None, description="name of an acceptance profile")

    @model_validator(mode="after")
    def _shape(self) -> Model:
        if self.full_attention_every > 1 and self.gdn is None:
            raise ValueError("gdn: required because full_attention_every > 1 leaves layers without attention")
        if self.moe.top_k > self.moe.experts:
            raise ValueError(f"moe.top_k: {self.moe.top_k} exceeds moe.experts {self.moe.experts}")
        if not self.checkpoints:
            raise ValueError("checkpoints: at least one is needed")
        return self

    @property
    def full_layers(self) -> int:
        """Number of full-attention layers."""
        return self.layers // self.full_attention_every

    @property
    def gdn_layers(self) -> int:
        """Number of Gated DeltaNet layers."""
        return self.layers - self.full_layers


class Round(Spec):
    """One speculation round of an engine, as passes over B running requests with k draft tokens each."""

    single_draft_passes: Literal["k", "k-1"] = Field(description="serial draft passes of one token per request")
    draft_extend: bool = Field(description="one draft pass over all k+1 verified tokens of each request")
    state_reads: int = Field(ge=0, description="recurrent-state reads per request and round")
    state_writes: Literal["k+1", "k+2"] = Field(description="recurrent-state writes per request and round")
    state_moves: int = Field(ge=0, description="further state transfers per request and round (copy back)")
    state_slots: Literal["k+1", "k+2"] = Field(description="state copies kept per running request")
    source: str


class Recipe(Spec):
    """Settings that published recipes of an engine change for one precision."""

    chunk_tokens: int | None = Field(default=None, gt=0)
    poll_steps: int | None = Field(default=None, gt=0)
    kv_dtype: Format | None = None
    state_dtype: Literal["bf16", "fp32"] | None = None
    source: str


class Engine(Spec):
    """Scheduling policy and memory rules of a serving engine."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    policy: Literal["prefill_first", "shared_budget"]
    chunk_tokens: int = Field(gt=0, description="prefill tokens per step; with shared_budget decode counts too")
    split_prompts: bool = Field(description="a prefill batch may end inside a prompt")
    lookahead: bool = Field(description="the next step is queued before the running one ends, so arrivals wait for it")
    poll_steps: int = Field(default=1, gt=0, description="decode steps between two looks for new requests")
    memory_fraction: Fraction = Field(gt=0, le=1, description="of HBM for weights, caches and workspace")
    workspace: Bytes = Field(ge=0, description="activations, graphs and communication buffers, inside the fraction")
    state_pool: Fraction | None = Field(
        default=None, gt=0, lt=1, description="of the memory left by the weights, kept for recurrent states alone"
    )
    kv_dtype: Format = Field(description="default KV-cache format")
    state_dtype: Literal["bf16", "fp32"] = Field(description="recurrent-state format")
    speculation: Round
    recipes: dict[Literal["bf16", "fp8", "fp4"], Recipe] = Field(
        default_factory=dict, description="changes per precision"
    )
    source: str

    def for_precision(self, precision: Literal["bf16", "fp8", "fp4"]) -> Engine:
        """The engine as its published recipe for a precision runs it."""
        recipe = self.recipes.get(precision)
        if recipe is None:
            return self
        changed = recipe.model_dump(exclude={"source"}, exclude_none=True)
        return self.model_copy(update=changed)


class Workload(Spec):
    """The closed-loop benchmark of the measurements: lengths uniform integers in [range_ratio x L, L].

    ``isl`` and ``osl`` are the nominal L in tokens; each of ``concurrency`` clients sends ``requests_per_client``
    requests.
    """

    isl: int = Field(gt=0, le=2_000_000)
    osl: int = Field(gt=0, le=2_000_000)
    range_ratio: float = Field(default=0.8, gt=0, le=1)
    requests_per_client: int = Field(default=10, gt=0, le=100_000)

    @property
    def mean_isl(self) -> float:
        """Mean input length in tokens."""
        return (int(self.range_ratio * self.isl) + self.isl) / 2

    @property
    def mean_osl(self) -> float:
        """Mean output length in tokens."""
        return (max(1, int(self.range_ratio * self.osl)) + self.osl) / 2


class Deployment(Spec):
    """One replica: hardware, model, checkpoint, engine and parallelism. ``tp`` is the number of GPUs of the replica."""

    hardware: Hardware
    model: Model
    checkpoint: str
    engine: Engine
    tp: int = Field(gt=0)
    ep: int = Field(default=1, gt=0)
    dp: int = Field(default=1, gt=0, description="attention data-parallel ranks inside the replica")
    kv_dtype: Format | None = None
    allow_dequant: bool = Field(default=False, description="compute in the next wider format the hardware has")

    @property
    def weights(self) -> Checkpoint:
        """The chosen checkpoint."""
        return self.model.checkpoints[self.checkpoint]

    @property
    def kv_format(self) -> str:
        """KV-cache format in use."""
        return self.kv_dtype or self.engine.kv_dtype
