"""One replica: hardware, model, checkpoint, engine and parallelism, and whether they go together."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import Field

from simulator.errors import InputError, unknown_name
from simulator.facts.checkpoint import Checkpoint, draft_group, group_formats
from simulator.facts.drafts.base import Passes
from simulator.facts.engine import Engine
from simulator.facts.formats import BITS_FAMILY, FP4_OF_VENDOR, Format
from simulator.facts.hardware import Hardware
from simulator.facts.layers import Experts
from simulator.facts.model import Model
from simulator.facts.quantities import Spec
from simulator.facts.recipe import Launch


@dataclass(frozen=True)
class LayerFormats:
    """Number formats by tensor group of the layers of a pass.

    ``fused``: the shared expert is computed in the kernel of the routed experts.
    """

    by_group: Mapping[str, Format]
    fused: bool

    def __getitem__(self, group: str) -> Format:
        """The format of a tensor group."""
        return self.by_group[group]


class Deployment(Spec):
    """One replica: hardware, model, checkpoint, engine and parallelism. ``tp`` is the number of GPUs of the replica, or
    of each of its pipeline stages."""

    hardware: Hardware
    model: Model
    checkpoint: str
    engine: Engine
    tp: int = Field(gt=0)
    ep: int = Field(default=1, gt=0)
    dp: int = Field(default=1, gt=0, description="attention data-parallel ranks inside the replica")
    pp: int = Field(default=1, gt=0, description="pipeline stages, each of tp GPUs")
    draft: str | None = Field(default=None, description="as the user named it; absent: the one of the model's profile")
    kv_dtype: Format | None = None
    allow_dequant: bool = Field(default=False, description="compute in the next wider format the hardware has")
    hit_rate: float = Field(default=0.0, ge=0, le=1, description="part of each prompt that its prefix cache holds")
    launch: Launch = Field(default=Launch(), description="which recipe gave the engine its settings")

    @property
    def weights(self) -> Checkpoint:
        """The chosen checkpoint."""
        return self.model.checkpoints[self.checkpoint]

    @property
    def kv_format(self) -> Format:
        """KV-cache format in use."""
        return self.kv_dtype or self.engine.kv_dtype

    @property
    def gpus(self) -> int:
        """GPUs of the replica."""
        return self.tp * self.pp

    @property
    def stage_share(self) -> float:
        """Part of the layers that the stage with the most has."""
        return math.ceil(self.model.layer_count / self.pp) / self.model.layer_count

    @property
    def attention_tp(self) -> int:
        """GPUs over which one attention rank is sharded: tp / dp."""
        return self.tp // self.dp

    @functools.cached_property
    def fused_shared_expert(self) -> bool:
        """Whether the shared expert of the target runs in the kernel of the routed experts.

        The engine can, and both have the same format.
        """
        formats = group_formats(self.weights)
        return self.engine.fused_shared_expert and formats["shared_expert"] == formats.get("routed_experts")

    @property
    def fused_draft_expert(self) -> bool:
        """The same of the MTP layers, where their experts have the format of the target's: one kernel serves both."""
        formats, routed = group_formats(self.weights), self.weights.routed_experts
        same = formats["draft_shared_expert"] == formats.get("draft_experts") == routed
        return self.fused_shared_expert and same

    @functools.cached_property
    def target_formats(self) -> LayerFormats:
        """Number formats of the layers of the target."""
        return LayerFormats(group_formats(self.weights), self.fused_shared_expert)

    @functools.cached_property
    def formats(self) -> dict[str, Format]:
        """Number format of every tensor group of the target and of the draft."""
        return formats_of(self.model, self.weights)

    @functools.cached_property
    def draft_formats(self) -> LayerFormats:
        """Number formats of the layers of the draft, by the same groups."""
        formats = self.formats
        own = {group: formats[draft_group(group)] for group in formats if draft_group(group) in formats}
        return LayerFormats(own, self.fused_draft_expert)

    @functools.cached_property
    def as_draft(self) -> Deployment:
        """The same as the passes of the draft see it, in the width of its residual stream."""
        model = self.model
        width = model.hidden if model.draft is None else model.draft.width(model.hidden)
        if width == model.hidden:
            return self
        return self.model_copy(update={"model": model.model_copy(update={"hidden": width})})

    def draft_passes(self, k: int) -> Passes:
        """Draft passes of a round at depth k; none at 0 and without a draft."""
        return self.model.draft.passes(self.engine.speculation, k) if k and self.model.draft else Passes()

    def state_transfers(self, k: int) -> float:
        """Recurrent-state reads and writes per request and round at depth k; 0 for a model without such a state."""
        return float(self.engine.speculation.state_transfers(k)) if self.model.has_state else 0.0

    @property
    def prompt_state_transfers(self) -> float:
        """Recurrent-state writes per prompt: the one that it leaves behind, or 0 for a model without such a state."""
        return 1.0 if self.model.has_state else 0.0


def formats_of(model: Model, checkpoint: Checkpoint) -> dict[str, Format]:
    """Number format of every tensor group of a model in a checkpoint, and of its draft where that has its own."""
    own = model.draft.formats() if model.draft else {}
    return group_formats(checkpoint) | {draft_group(group): fmt for group, fmt in own.items()}


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
    if deployment.pp > model.layer_count:
        faults.append(f"pp {deployment.pp} exceeds the {model.layer_count} layers of model {model.name}")
    faults += [f"{name} {size} must divide tp {tp}" for name, size in (("dp", dp), ("ep", ep)) if tp % size]
    mixers = [*model.mixers.values(), *(layer for layer, _ in model.draft_layers.mixers)]
    fed = [*model.feed_forwards.values(), *(layer for layer, _ in model.draft_layers.feed_forwards)]
    experts = [layer for layer in fed if isinstance(layer, Experts)]
    if ep > 1 and not experts:
        faults.append(f"ep {ep}: model {model.name} has no experts to divide; expected 1")
    checks = [("ep", ep, layer.group_faults(ep)) for layer in experts]
    if tp % dp == 0:
        ranks = deployment.attention_tp
        checks += [("tp" if dp == 1 else "tp/dp", ranks, layer.faults(ranks)) for layer in mixers]
    if tp % ep == 0:
        name = "tp" if ep == 1 else "tp/ep"
        checks += [(name, tp // ep, layer.shard_faults(tp // ep)) for layer in experts]
    checks += [("tp", tp, layer.faults(tp)) for layer in fed]
    faults += [f"{name} {size} {fault}" for name, size, found in checks for fault in found]
    return list(dict.fromkeys(faults))


def _format_faults(deployment: Deployment) -> list[str]:
    model = deployment.model
    if deployment.checkpoint not in model.checkpoints:
        return [str(unknown_name("checkpoint", deployment.checkpoint, model.checkpoints))]
    hardware = deployment.hardware
    missing = _uncomputed(model.checkpoints[deployment.checkpoint], hardware)
    return [
        f"checkpoint {deployment.checkpoint}: hardware {hardware.name} has no {BITS_FAMILY[fmt].upper()} peak, so it "
        f"cannot compute {fmt.upper()} weights; {_instead(model, hardware)}--allow-dequant keeps the weights stored in "
        f"{fmt.upper()} and computes in {hardware.compute_format(fmt).upper()}"
        for fmt in sorted(missing)
        if not deployment.allow_dequant
    ]


def _instead(model: Model, hardware: Hardware) -> str:
    """The narrowest precision with a checkpoint of which the hardware computes every format, in words."""
    computed = {c.precision for c in model.checkpoints.values() if not _uncomputed(c, hardware)}
    found = min(computed, key=bits, default=None)
    return "" if found is None else f"--precision {found} names one that it computes, or "


def resolve_checkpoint(
    model: Model, hardware: Hardware, precision: str | None = None, checkpoint_name: str | None = None
) -> str:
    """Name of the checkpoint meant by a precision, or by a checkpoint's own name or repository (case-insensitive).

    A precision of fp4 means MXFP4 on AMD; on NVIDIA NVFP4, or MXFP4 where the model has no other. The first checkpoint
    of that format in the profile wins. A repository that is a name of the model itself says no more than the model
    beside a precision that is not its own.

    Raises:
        InputError: nothing is named, the name or precision is not known, or the two contradict each other.
    """
    if checkpoint_name is not None:
        name = _named_checkpoint(model, checkpoint_name)
        found = model.checkpoints[name].precision
        if precision is None or precision.lower() == found:
            return name
        if checkpoint_name.lower() not in map(str.lower, model.aliases):
            raise InputError(f"checkpoint {name} is {found}, but the precision asked for is {precision.lower()}")
    if precision is None:
        raise InputError("name a precision or a checkpoint")
    wanted = precision.lower()
    known = sorted({c.precision for c in model.checkpoints.values()})
    if wanted not in known:
        raise unknown_name("precision", precision, known)
    formats = FP4_OF_VENDOR[hardware.vendor] if wanted == "fp4" else (None,)
    for fmt in formats:
        for name, checkpoint in model.checkpoints.items():
            if checkpoint.precision == wanted and fmt in (None, checkpoint.body):
                return name
    raise InputError(
        f"model {model.name} has no {str(formats[0]).upper()} checkpoint for {hardware.name}; name a checkpoint"
    )


def default_precision(model: Model, hardware: Hardware) -> str:
    """The precision where nobody names one: FP4 if the model has it, else the narrowest that the hardware computes."""
    known = sorted({c.precision for c in model.checkpoints.values()})
    if "fp4" in known:
        return "fp4"
    computed = sorted({c.precision for c in model.checkpoints.values() if not _uncomputed(c, hardware)})
    return min(computed or known, key=bits)


def _uncomputed(checkpoint: Checkpoint, hardware: Hardware) -> set[Format]:
    """Formats that the hardware has no unit for, where activations are to be as narrow as the weights."""
    if checkpoint.weight_only:
        return set()
    return {fmt for fmt in group_formats(checkpoint).values() if hardware.peak(fmt) is None}


def bits(precision: str) -> int:
    """How wide a precision is.

    Example:
        >>> bits("bf16"), bits("int4")
        (16, 4)
    """
    return int("".join(filter(str.isdigit, precision)))


def _named_checkpoint(model: Model, wanted: str) -> str:
    for name, checkpoint in model.checkpoints.items():
        if wanted.lower() in (name.lower(), checkpoint.repository.lower()):
            return name
    raise unknown_name("checkpoint", wanted, [*model.checkpoints, *(c.repository for c in model.checkpoints.values())])
