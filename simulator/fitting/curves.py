"""The curves that a set of runs measures: what a calibration says that it was fitted to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from simulator.cost.measured import Curve
from simulator.facts.identity import known_hardware, known_model
from simulator.measurements.configuration import Configuration


def curves_of(runs: Iterable[Configuration]) -> list[Curve]:
    """One curve per setting, with the concurrencies at which it was run, in the order of first appearance."""
    found: dict[tuple[object, ...], set[int]] = defaultdict(set)
    for run in runs:
        d = run.deployment
        names = (known_hardware(d.hardware), known_model(d.model), d.engine.name, d.checkpoint, d.kv_format)
        found[*names, d.tp, d.ep, d.dp, run.isl, run.osl, run.spec_tokens].add(run.concurrency)
    fields = [name for name in Curve.model_fields if name != "concurrency"]
    return [
        Curve.model_validate(dict(zip(fields, key, strict=True)) | {"concurrency": sorted(clients)})
        for key, clients in found.items()
    ]
