"""One accelerator and its scale-up network, as data sheets state them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simulator.errors import InputError
from simulator.facts.formats import _WIDER, BITS_FAMILY, FP4_OF_VENDOR, Format
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
