"""One accelerator and its scale-up network, as data sheets state them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simulator.facts.formats import BITS_FAMILY, WIDER, Format
from simulator.facts.quantities import Bytes, BytesPerSecond, Count, FlopsPerSecond, Spec, UsdPerHour, Watts


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

    def compute_format(self, fmt: Format) -> Format:
        """The format that weights stored in ``fmt`` are computed in: their own, or the next wider one there is.

        Every accelerator computes BF16, so there always is one; whether a deployment may compute in a wider format is
        for :func:`simulator.facts.deployment.check_deployment` to say.
        """
        return next(other for other in (fmt, *WIDER[fmt]) if self.peak(other) is not None)

    def compute_peak(self, fmt: Format) -> float:
        """Dense peak in FLOP/s at which weights stored in ``fmt`` are computed."""
        peak = self.peak(self.compute_format(fmt))
        assert peak is not None
        return peak
