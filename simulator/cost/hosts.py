"""What published runs of several models say of the accelerators of a vendor beyond kernel tables: a layer of priors
between the accelerator's and a calibration's.

A file in ``host_priors/`` holds what host and front end of one engine take, other kernels taken as their tables have
them, and what kernels take that no table of the vendor has, which is so under other engines too
(``benchmarks/fit_hosts.py`` makes it)."""

from __future__ import annotations

import dataclasses
import functools
from typing import Annotated

from pydantic import Field

from simulator.cost.parameters import Known
from simulator.cost.prior_files import Spread, Table, contents
from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Finite, Spec, Whole
from simulator.facts.reading import validate

HOSTS = ("host.", "frontend.")
"""Parameters of an engine; others are of kernels."""


class HostPrior(Spec):
    """One parameter as an engine's runs have it."""

    value: Finite
    unit: str
    sd: Spread = Field(gt=0, description="as in ``parameters.yaml``")
    moved_sd: Annotated[Finite, Plausible(-100, 100)] = Field(description="from the generic prior, in its spreads")


class HostPriors(Spec):
    """Host and front end of one engine on accelerators of one vendor."""

    name: str
    engine: str
    vendor: str
    cost_model: Whole = Field(ge=1)
    data: list[Table]
    models: list[str]
    hardware: list[str]
    parameters: dict[str, HostPrior]


@functools.cache
def host_priors() -> dict[tuple[str, str], HostPriors]:
    """Those that ship, by engine and vendor."""
    found = [validate(HostPriors, raw, label) for label, raw in contents("host_priors")]
    return {(one.engine, one.vendor): one for one in found}


def with_host(known: Known, engine: str | None, vendor: str) -> tuple[Known, dict[str, str]]:
    """The same parameters with those that runs on a vendor's accelerators gave, and the file that gave each of these.

    Kernels are those of the vendor's accelerators under every engine, host and front end those of one. Without an
    engine nothing is of runs.
    """
    found = host_priors() if engine is not None else {}
    own = found.get((engine or "", vendor))
    others = [one for (_, of), one in found.items() if of == vendor and one is not own]
    heard = {}
    givers: dict[str, str] = {}
    for one in (*others, *([own] if own else [])):
        source = f"runs of {', '.join(one.models)} on {', '.join(one.hardware)} ({one.name})"
        for name, prior in one.parameters.items():
            if one is own or not name.startswith(HOSTS):
                heard[name] = dataclasses.replace(known[name], value=prior.value, sd=prior.sd, source=source)
                givers[name] = one.name
    return {**known, **heard}, givers
