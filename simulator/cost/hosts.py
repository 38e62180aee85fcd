"""What an engine's host and front end take on the accelerators of a vendor: a layer of priors between the accelerator's
and a calibration's.

A file in ``host_priors/`` holds what published runs of several models say of it, kernels taken as their tables have
them (``benchmarks/fit_hosts.py`` makes it)."""

from __future__ import annotations

import dataclasses
import functools
from importlib import resources
from typing import Annotated

from pydantic import Field

from simulator.cost.parameters import Known
from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Finite, Spec, Whole
from simulator.facts.reading import parse_mapping, validate


class HostPrior(Spec):
    """One parameter as an engine's runs have it."""

    value: Finite
    unit: str
    sd: Annotated[Finite, Plausible(1e-4, 100)] = Field(gt=0, description="as in ``parameters.yaml``")
    moved_sd: Annotated[Finite, Plausible(-100, 100)] = Field(description="from the generic prior, in its spreads")


class HostData(Spec):
    """A file of runs that it comes from."""

    file: str
    sha256: str
    rows: Annotated[Whole, Plausible(1, 10_000_000)] = Field(ge=1)


class HostPriors(Spec):
    """Host and front end of one engine on accelerators of one vendor."""

    name: str
    engine: str
    vendor: str
    cost_model: Whole = Field(ge=1)
    data: list[HostData]
    models: list[str]
    hardware: list[str]
    parameters: dict[str, HostPrior]


@functools.cache
def host_priors() -> dict[tuple[str, str], HostPriors]:
    """Those that ship, by engine and vendor."""
    folder = resources.files("simulator").joinpath("cost", "host_priors")
    files = sorted((path for path in folder.iterdir() if path.name.endswith(".yaml")), key=lambda path: path.name)
    found = [validate(HostPriors, parse_mapping(path, path.name), path.name) for path in files]
    return {(one.engine, one.vendor): one for one in found}


def with_host(known: Known, engine: str | None, vendor: str) -> tuple[Known, str | None]:
    """The same parameters with those of an engine's host, and the name of the file; as they are where none ships."""
    found = host_priors().get((engine or "", vendor))
    if found is None:
        return known, None
    source = f"runs of {', '.join(found.models)} on {', '.join(found.hardware)} ({found.name})"
    host = {
        name: dataclasses.replace(known[name], value=prior.value, sd=prior.sd, source=source)
        for name, prior in found.parameters.items()
    }
    return {**known, **host}, found.name
