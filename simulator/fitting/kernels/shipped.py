"""The kernel priors that ship, and from which shipped tables each is made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from simulator.cost.priors import shipped
from simulator.fitting.kernels.build import KernelFit, fit_kernels
from simulator.measurements.files import shipped_measurements
from simulator.results.progress import Progress, silent

AMD = ("kernels_amd.csv", "kernels_amd_more.csv")
TABLES: Mapping[str, tuple[str, ...]] = {
    "mi300x": AMD,
    "mi355x": AMD,
    "h100": ("kernels_nvidia_h100.csv",),
    "h200": ("kernels_nvidia_h200.csv",),
    "b200": ("kernels_nvidia_b200.csv",),
    "b300": ("kernels_nvidia_b300.csv",),
}
"""Accelerator -> the tables that its priors are made from."""

DRIFT = 0.02
"""A parameter made again may differ from the shipped one by this part of its spread (log): another machine rounds."""


def build(hardware: str, progress: Progress = silent) -> KernelFit:
    """Make the shipped priors of one accelerator again."""
    return fit_kernels([shipped_measurements(name) for name in TABLES[hardware]], hardware, progress=progress)


def shipped_priors_file(hardware: str) -> Path:
    """Path of the shipped priors of one accelerator."""
    return Path(str(resources.files("simulator").joinpath("cost", "kernel_priors", f"{hardware}.yaml")))


def differences(content: Mapping[str, Any], hardware: str) -> list[str]:
    """Sentences on what differs from the shipped file by more than :data:`DRIFT` of its spread."""
    kept, made = shipped()[hardware].parameters, content["parameters"]
    out = [
        f"{hardware}: {name}: only in the {'shipped file' if name in kept else 'new fit'}" for name in {*kept} ^ {*made}
    ]
    for name in kept.keys() & made.keys():
        if abs(math.log(made[name]["value"] / kept[name].value)) > DRIFT * kept[name].sd + ROUNDED:
            out.append(f"{hardware}: {name}: shipped {kept[name].value}, made {made[name]['value']} {kept[name].unit}")
    tables = {table.file: table.sha256 for table in shipped()[hardware].tables}
    out += [
        f"{hardware}: table {table['file']} changed since"
        for table in content["tables"]
        if tables.get(table["file"]) != table["sha256"]
    ]
    return sorted(out)


ROUNDED = 1e-3
"""Values are written with four digits."""
