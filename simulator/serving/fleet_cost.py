"""What a fleet costs and draws: money per hour and per token on a named basis, and all-in power."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from simulator.facts.hardware import Hardware
from simulator.units import KILO, MEGA, SECONDS_PER_HOUR


@dataclass(frozen=True)
class Cost:
    """USD and power of so many GPUs; None what the hardware profile does not state.

    ``cost_basis``: whose price. ``cost_usd_per_mtok``: per million tokens, in and out. ``all_in_kw_per_gpu``: with its
    share of everything around it. ``power_mw``: of all GPUs.
    """

    cost_basis: str
    usd_per_gpu_hour: float | None
    usd_per_hour: float | None
    cost_usd_per_mtok: float | None
    all_in_kw_per_gpu: float | None
    power_mw: float | None

    def as_row(self) -> dict[str, float | str | None]:
        """One column per field."""
        return asdict(self)


def fleet_cost(hardware: Hardware, basis: str, gpus: int, tok_s: float) -> Cost:
    """Money and power of ``gpus`` GPUs that process ``tok_s`` tokens (input + output) per second in all.

    Args:
        hardware: with its prices and all-in power.
        basis: a price of :class:`~simulator.facts.hardware.Hardware`, such as ``hyperscaler``; one that exists.
        gpus: all that are paid for, spares included.
        tok_s: tokens per second; with none there is no cost per token.
    """
    price = None if hardware.price is None else float(getattr(hardware.price, basis))
    power = hardware.all_in_power
    return Cost(
        cost_basis=basis,
        usd_per_gpu_hour=price,
        usd_per_hour=None if price is None else price * gpus,
        cost_usd_per_mtok=None if price is None or tok_s <= 0 else price * gpus / (tok_s * SECONDS_PER_HOUR / MEGA),
        all_in_kw_per_gpu=None if power is None else power / KILO,
        power_mw=None if power is None else power * gpus / MEGA,
    )
