"""One accelerator and its scale-up network, as data sheets state them."""

from __future__ import annotations

import functools
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from simulator.errors import brief
from simulator.facts.formats import BITS_FAMILY, WIDER, Format
from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Bytes, BytesPerSecond, Count, FlopsPerSecond, Spec, UsdPerHour, Watts


class PeakFlops(Spec):
    """Dense peak rates (no sparsity). A format that the hardware lacks is absent."""

    bf16: Annotated[FlopsPerSecond, Plausible(10, 100_000, "TFLOP/s")] = Field(gt=0, description="dense BF16 peak")
    fp8: Annotated[FlopsPerSecond | None, Plausible(10, 200_000, "TFLOP/s")] = Field(
        default=None, gt=0, description="dense FP8 peak"
    )
    fp4: Annotated[FlopsPerSecond | None, Plausible(10, 400_000, "TFLOP/s")] = Field(
        default=None, gt=0, description="dense FP4 peak"
    )


class ScaleUp(Spec):
    """The scale-up network: the links inside one node, or one rack where they reach so far."""

    topology: Literal["full_mesh", "switch"] = Field(description="full_mesh: one link per pair; switch: shared port")
    bandwidth: Annotated[BytesPerSecond, Plausible(1, 10_000, "GB/s")] = Field(
        gt=0, description="one way, per link (full_mesh) or per GPU (switch)"
    )
    gpus: Annotated[Count, Plausible(1, 10_000, "count")] = Field(gt=0, description="GPUs in one scale-up domain")


Architecture = Literal["ampere", "ada", "hopper", "blackwell", "blackwell_ultra", "cdna3", "cdna4", "cdna5"]

GENERATIONS: dict[str, tuple[Architecture, ...]] = {
    "nvidia": ("ampere", "ada", "hopper", "blackwell", "blackwell_ultra"),
    "amd": ("cdna3", "cdna4", "cdna5"),
}
"""Architectures of each vendor, the oldest first."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
"""Lower-case name of a profile, or another name of it."""


def _listed(raw: Any) -> Any:
    """What YAML holds as a list, as a tuple."""
    if not isinstance(raw, list | tuple):
        raise ValueError(f"expected a list of names, found {brief(raw)}")
    return tuple(raw)


USUAL_PRICE = Plausible(0.05, 200, "USD/h")


class Price(Spec):
    """Rental price of one GPU for one hour."""

    hyperscaler: Annotated[UsdPerHour, USUAL_PRICE] = Field(gt=0, description="owned, hyperscaler scale")
    neocloud: Annotated[UsdPerHour, USUAL_PRICE] = Field(gt=0, description="owned, neocloud scale")
    rental: Annotated[UsdPerHour, USUAL_PRICE] = Field(gt=0, description="rented, three years")


class Hardware(Spec):
    """One accelerator and its scale-up network, from data sheets. Never holds a fitted efficiency."""

    name: Name = Field(description="lower-case name used on the command line")
    aliases: Annotated[tuple[Name, ...], BeforeValidator(_listed)] = Field(
        default=(), description="other names of a shipped accelerator, read without case, spaces and punctuation"
    )
    vendor: Literal["amd", "nvidia"] = Field(description="decides what FP4 means: MXFP4 on AMD, NVFP4 on NVIDIA")
    architecture: Architecture | None = Field(
        default=None, description="generation of the chip: which other accelerators are its nearest kin"
    )
    hbm_capacity: Annotated[Bytes, Plausible(8, 2_000, "GB")] = Field(gt=0, description="HBM per GPU")
    hbm_bandwidth: Annotated[BytesPerSecond, Plausible(0.1, 100, "TB/s")] = Field(
        gt=0, description="HBM peak bandwidth"
    )
    peak_flops: PeakFlops
    scale_up: ScaleUp
    host_bandwidth: Annotated[BytesPerSecond | None, Plausible(1, 2_000, "GB/s")] = Field(
        default=None, gt=0, description="between one GPU and the memory of its host, one way"
    )
    board_power: Annotated[Watts | None, Plausible(50, 10_000, "W")] = Field(
        default=None, gt=0, description="total board power (TBP/TDP)"
    )
    compute_units: Annotated[Count | None, Plausible(1, 10_000, "count")] = Field(
        default=None, gt=0, description="CUs or SMs"
    )
    all_in_power: Annotated[Watts | None, Plausible(50, 30_000, "W")] = Field(
        default=None, gt=0, description="per GPU, with host, network and cooling"
    )
    price: Price | None = None

    def peak(self, fmt: str) -> float | None:
        """Dense peak in FLOP/s for a number format, or None if the hardware does not have it."""
        value: float | None = getattr(self.peak_flops, BITS_FAMILY[fmt])
        return value

    def compute_format(self, fmt: Format) -> Format:
        """The format that weights stored in ``fmt`` are computed in: their own, or the next wider one there is.

        Every accelerator computes BF16, so there always is one; whether a deployment may compute in a wider format is
        for :func:`simulator.facts.deployment.check_deployment` to say.
        """
        return self._computed[fmt]

    @functools.cached_property
    def _computed(self) -> dict[str, Format]:
        return {fmt: next(one for one in (fmt, *WIDER[fmt]) if self.peak(one) is not None) for fmt in get_args(Format)}

    def compute_peak(self, fmt: Format) -> float:
        """Dense peak in FLOP/s at which weights stored in ``fmt`` are computed."""
        peak = self.peak(self.compute_format(fmt))
        assert peak is not None
        return peak
