"""Priors in layers: generic, then the nearest accelerators of the vendor, then the accelerator's own kernel tables.

A file in ``kernel_priors/`` holds what ``mtpsim fit-kernels`` made of the kernel tables of one accelerator. What its
tables do not show comes from the accelerators of the same vendor, the nearest generation first, with a spread as wide
as accelerators of one vendor differ; what no table shows stays generic.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from simulator.cost.covariance import Fault
from simulator.cost.hosts import HOSTS, with_host
from simulator.cost.parameters import NO_SUCH, Known, registry
from simulator.cost.prior_files import Rows, Spread, Table, contents
from simulator.facts.hardware import GENERATIONS, Hardware
from simulator.facts.identity import known_hardware
from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Finite, Spec, Whole
from simulator.facts.reading import load_hardware, raise_faults, validate
from simulator.files.limits import current


class KernelPrior(Spec):
    """One parameter as the kernel tables of an accelerator have it."""

    value: Finite
    unit: str
    sd: Spread = Field(gt=0, description="standard deviation, of the logarithm where the parameter's scale is log")
    rows: Rows = Field(ge=1, description="of the tables that it comes from")
    source: str = Field(description="which rows")


class ClassFit(Spec):
    """How well the cost model describes one class of kernels."""

    operator: str
    format: str
    rows: Rows = Field(ge=1)
    rms: Annotated[Finite, Plausible(0, 10)] = Field(ge=0, description="root mean square of log(model / measured)")
    bias: Annotated[Finite, Plausible(-10, 10)] = Field(description="mean of log(model / measured)")


Size = Annotated[Whole, Plausible(1, 1_000_000)]


class TunedExperts(Spec):
    """Experts that a tuner's table has in one number format: width of the residual stream and number of experts."""

    format: str
    hidden: Size = Field(gt=0)
    experts: Size = Field(gt=0)


class KernelPriors(Spec):
    """What the kernel tables of one accelerator say of the parameters."""

    name: str
    hardware: str
    cost_model: Whole = Field(ge=1, description="version of the cost model that they were fitted with")
    tables: list[Table]
    fits: list[ClassFit]
    parameters: dict[str, KernelPrior]
    tuned: list[TunedExperts] = Field(default_factory=list, description="experts of tuning tables, which engines load")

    def faults(self) -> list[Fault]:
        """What contradicts the table of parameters, by where it stands."""
        out: list[Fault] = []
        for name, prior in self.parameters.items():
            known = registry().get(name)
            if known is None:
                out.append((("parameters", name), NO_SUCH))
            elif (text := known.beyond(prior.value)) is not None:
                out.append((("parameters", name, "value"), text))
            elif prior.unit != known.unit:
                out.append((("parameters", name, "unit"), f"expected {known.unit}, found {prior.unit!r}"))
        return out


def kernel_priors(raw: dict[str, Any], label: str) -> KernelPriors:
    """A file's content as kernel priors.

    Raises:
        InputError: lists every fault with its line.
    """
    found = validate(KernelPriors, raw, label)
    raise_faults(raw, found.faults(), label)
    return found


@functools.cache
def shipped() -> dict[str, KernelPriors]:
    """The kernel priors that ship, by the name of their accelerator."""
    found = [kernel_priors(raw, label) for label, raw in contents("kernel_priors")]
    return {one.hardware: one for one in found}


@dataclass(frozen=True)
class Layered:
    """The parameters with the priors of one accelerator.

    Attributes:
        known: all parameters by name; ``source`` says where value and spread come from.
        layers: per parameter ``engine``, ``accelerator``, ``vendor`` or ``generic``.
        givers: per parameter of the first three layers the accelerator whose tables gave it, or the engine's file.
        kernels: accelerators whose kernel times are in it, its own alone if it has tables.
        tuned: experts of its own tuning tables; empty if it has none.
    """

    known: Known
    layers: dict[str, str]
    givers: dict[str, str]
    kernels: tuple[str, ...]
    tuned: tuple[TunedExperts, ...] = ()

    def untuned(self, fmt: str, hidden: int, experts: int) -> bool:
        """Whether a tuner has been at work, and not on such experts.

        A table pads widths to multiples of :data:`PADDED`, counts a fused shared expert as one more, and stands for
        all shards of an expert: an engine takes the nearest entry.
        """
        wide = PADDED * math.ceil(hidden / PADDED)
        listed = any(t.format == fmt and t.hidden == wide and t.experts in (experts, experts + 1) for t in self.tuned)
        return bool(self.tuned) and not listed


PADDED = 256
"""Channels that kernels of experts work in multiples of."""
LEAST_BETWEEN = 0.15
"""Two accelerators of a vendor differ in a parameter by at least this (log), however near those with tables lie."""
ONE_ALONE = 0.3
"""The same where only one accelerator of the vendor has tables of it."""


def layered(hardware: Hardware, own: KernelPriors | None = None, engine: str | None = None) -> Layered:
    """Priors of an accelerator. Without ``own`` they are computed once.

    Args:
        hardware: the accelerator.
        own: its kernel priors, before those that ship for it, if any.
        engine: whose host and front end; None: any.
    """
    if own is None:
        return _layered_shipped(hardware, engine, current().implausible)
    return _hosted(_layered(hardware, [own, *_shipped_for(hardware)]), engine, hardware.vendor)


def borrowed(hardware: Hardware) -> Layered:
    """Priors of an accelerator as if it had no kernel tables: of its relatives, else generic."""
    return _layered(hardware, [])


@functools.lru_cache(maxsize=64)
def _layered_shipped(hardware: Hardware, engine: str | None, implausible: bool) -> Layered:
    return _hosted(_layered(hardware, _shipped_for(hardware)), engine, hardware.vendor)


def _hosted(found: Layered, engine: str | None, vendor: str) -> Layered:
    known, givers = with_host(found.known, engine, vendor)
    layers = found.layers | {name: "engine" if name.startswith(HOSTS) else "vendor" for name in givers}
    return dataclasses.replace(found, known=known, layers=layers, givers=found.givers | givers)


def _shipped_for(hardware: Hardware) -> list[KernelPriors]:
    found = shipped().get(known_hardware(hardware))
    return [] if found is None else [found]


def _layered(hardware: Hardware, own: Sequence[KernelPriors]) -> Layered:
    donors = relatives(hardware)
    known: dict[str, Any] = {}
    layers: dict[str, str] = {}
    givers: dict[str, str] = {}
    used: Counter[str] = Counter()
    for name, generic in registry().items():
        mine, giver = (next((p for p in of if name in p.parameters), None) for of in (own, donors))
        if mine is not None:
            prior = mine.parameters[name]
            known[name] = dataclasses.replace(generic, value=prior.value, sd=prior.sd, source=prior.source)
            layers[name], givers[name] = "accelerator", known_hardware(hardware)
        elif giver is not None:
            prior = giver.parameters[name]
            sd = math.hypot(prior.sd, between(name, donors))
            source = f"as {giver.hardware}, wider: {prior.source}"
            known[name] = dataclasses.replace(generic, value=prior.value, sd=sd, source=source)
            layers[name], givers[name] = "vendor", giver.hardware
            used[giver.hardware] += 1
        else:
            known[name], layers[name] = generic, "generic"
    kernels = (known_hardware(hardware),) if own else tuple(name for name, _ in used.most_common(1))
    return Layered(known, layers, givers, kernels, tuple(entry for one in own[:1] for entry in one.tuned))


def relatives(hardware: Hardware) -> list[KernelPriors]:
    """Kernel priors of other accelerators of the vendor, the nearest first: by generation, then by HBM bandwidth."""
    found = []
    for name, priors in shipped().items():
        other = load_hardware(name)
        if other.vendor == hardware.vendor and name != known_hardware(hardware):
            apart = _generations(hardware, other)
            bandwidth = abs(math.log(other.hbm_bandwidth / hardware.hbm_bandwidth))
            found.append((apart, bandwidth, name, priors))
    return [one[-1] for one in sorted(found, key=lambda one: one[:3])]


def _generations(one: Hardware, other: Hardware) -> int:
    order = GENERATIONS[one.vendor]
    if one.architecture is None or other.architecture is None:
        return 0
    return abs(order.index(one.architecture) - order.index(other.architecture))


def between(name: str, priors: Sequence[KernelPriors]) -> float:
    """Standard deviation of a parameter (log) between the accelerators that have it, at least :data:`LEAST_BETWEEN`."""
    values = [one.parameters[name].value for one in priors if name in one.parameters]
    if len(values) < 2:
        return ONE_ALONE
    return max(LEAST_BETWEEN, float(np.std(np.log(values), ddof=1)))
