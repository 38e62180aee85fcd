"""Files of priors that ship, a folder of YAML files for each kind, and what all of them state."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Annotated, Any

from pydantic import Field

from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Finite, Spec, Whole
from simulator.facts.reading import parse_mapping

Spread = Annotated[Finite, Plausible(1e-4, 100)]
Rows = Annotated[Whole, Plausible(1, 10_000_000)]


class Table(Spec):
    """A file of measurements that priors come from."""

    file: str
    sha256: str
    rows: Rows = Field(ge=1, description="that were used")


def contents(folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Label and content of every file of a folder beside this module, by name."""
    files = resources.files("simulator").joinpath("cost", folder)
    for path in sorted(files.iterdir(), key=lambda path: path.name):
        if path.name.endswith(".yaml"):
            label = f"{folder.replace('_', ' ')} {path.name}"
            yield label, parse_mapping(path, label)
