"""The uncertain inputs of a sensitivity study: what each is, over which range, and how it enters a scenario."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from simulator.facts.checkpoint import group_formats
from simulator.prediction.intervals import Z90
from simulator.serving.scenario import Scenario
from simulator.speculation.acceptance import from_length
from simulator.what_if.ranges import check_drafts

Values = dict[str, float]
Change = Callable[[Scenario, Values, float], tuple[Scenario, Values]]
DRAFT_FORMATS = ("mxfp4", "fp8", "bf16")
LENGTH_SPREAD = 0.5
"""Acceptance moves this many tokens per round up and down: published runs at depth 3 lie between 2.4 and 3.4."""
HARDWARE_SPREAD = 0.2
"""A peak of the hardware moves by this part."""


@dataclass(frozen=True)
class Factor:
    """One input: its range, and how a value of it changes a scenario and the parameters of the cost model.

    Attributes:
        name: of the input.
        meaning: in words, with the unit.
        low: lower end of its range.
        high: upper end.
        nominal: value in the scenario as given.
        source: where the range comes from.
        change: (scenario, parameters, value) -> both with the value.
        whole: only whole numbers.
        shown: a value as people write it, without the logarithm.
        names: of whole values.
    """

    name: str
    meaning: str
    low: float
    high: float
    nominal: float
    source: str
    change: Change
    whole: bool = False
    shown: Callable[[float], float] = float
    names: tuple[str, ...] = ()

    def text(self, value: float) -> str:
        """A value in words or to three digits."""
        return self.names[int(value)] if self.names else f"{float(f'{self.shown(value):.3g}'):,g}"

    def at(self, share: float) -> float:
        """The value at a share of the range, 0 to 1."""
        if self.whole:
            return min(self.high, self.low + math.floor(share * (self.high - self.low + 1)))
        return self.low + share * (self.high - self.low)


def _deployment(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    return replace(scenario, deployment=scenario.deployment.model_copy(update=changes))


def _bandwidth(scenario: Scenario, values: Values, factor: float) -> tuple[Scenario, Values]:
    hardware = scenario.deployment.hardware
    changed = hardware.model_copy(update={"hbm_bandwidth": hardware.hbm_bandwidth * factor})
    return _deployment(scenario, {"hardware": changed}), values


def _links(scenario: Scenario, values: Values, factor: float) -> tuple[Scenario, Values]:
    hardware = scenario.deployment.hardware
    scale_up = hardware.scale_up.model_copy(update={"bandwidth": hardware.scale_up.bandwidth * factor})
    return _deployment(scenario, {"hardware": hardware.model_copy(update={"scale_up": scale_up})}), values


def _compute(scenario: Scenario, values: Values, factor: float) -> tuple[Scenario, Values]:
    hardware = scenario.deployment.hardware
    old = hardware.peak_flops.model_dump()
    peaks = hardware.peak_flops.model_copy(update={name: v and v * factor for name, v in old.items()})
    return _deployment(scenario, {"hardware": hardware.model_copy(update={"peak_flops": peaks})}), values


def _acceptance(scenario: Scenario, values: Values, length: float) -> tuple[Scenario, Values]:
    return replace(scenario, speculation=from_length(length, scenario.speculation.tokens)), values


def _draft_format(scenario: Scenario, values: Values, index: float) -> tuple[Scenario, Values]:
    d = scenario.deployment
    fmt = DRAFT_FORMATS[int(index)]
    weights = d.weights.model_copy(update={"draft_experts": fmt, "draft_dense": fmt})
    model = d.model.model_copy(update={"checkpoints": {**d.model.checkpoints, d.checkpoint: weights}})
    return _deployment(scenario, {"model": model}), values


def _length(name: str) -> Change:
    def change(scenario: Scenario, values: Values, tokens: float) -> tuple[Scenario, Values]:
        workload = scenario.workload.model_copy(update={name: round(tokens)})
        return replace(scenario, workload=workload), values

    return change


def _parameter(name: str) -> Change:
    def change(scenario: Scenario, values: Values, coordinate: float) -> tuple[Scenario, Values]:
        return scenario, {**values, name: scenario.calibration.known[name].from_internal(coordinate)}

    return change


def factors_of(scenario: Scenario, parameters: tuple[str, ...]) -> list[Factor]:
    """The factors of one scenario: acceptance, hardware, draft format, lengths, and these parameters of the cost model.

    Parameters range over their 90 % intervals in the calibration, in its coordinates; they are taken as independent.

    Raises:
        InputError: a scenario without drafts.
    """
    check_drafts(scenario)
    k, al, w = scenario.speculation.tokens, scenario.speculation.acceptance_length, scenario.workload
    low, high = max(1.0, al - LENGTH_SPREAD), min(1.0 + k, al + LENGTH_SPREAD)
    spread = f"peak of the data sheet, {100 * HARDWARE_SPREAD:.0f} % each way"
    out = [
        Factor("acceptance length", "tokens per round", low, high, al, "half a token each way", _acceptance),
        Factor("HBM bandwidth", "of the profile's", 1 - HARDWARE_SPREAD, 1 + HARDWARE_SPREAD, 1.0, spread, _bandwidth),
        Factor("compute peak", "of the profile's", 1 - HARDWARE_SPREAD, 1 + HARDWARE_SPREAD, 1.0, spread, _compute),
        Factor("link bandwidth", "of the profile's", 1 - HARDWARE_SPREAD, 1 + HARDWARE_SPREAD, 1.0, spread, _links),
        Factor("input length", "tokens, nominal", w.isl / 2, w.isl * 2, w.isl, "half to twice", _length("isl")),
        Factor("output length", "tokens, nominal", w.osl / 2, w.osl * 2, w.osl, "half to twice", _length("osl")),
    ]
    experts = group_formats(scenario.deployment.weights).get("draft_experts")
    if experts in DRAFT_FORMATS and scenario.deployment.hardware.vendor == "amd":
        now = float(DRAFT_FORMATS.index(experts))
        meaning = ", ".join(f"{i}: {fmt}" for i, fmt in enumerate(DRAFT_FORMATS))
        out.append(
            Factor(
                "draft precision",
                meaning,
                0.0,
                2.0,
                now,
                "formats that exist",
                _draft_format,
                True,
                names=DRAFT_FORMATS,
            )
        )
    names, covariance = scenario.calibration.uncertainty()
    values = scenario.calibration.values()
    for name in parameters:
        known = scenario.calibration.known[name]
        middle = known.to_internal(values[name])
        half = Z90 * float(covariance[names.index(name), names.index(name)]) ** 0.5
        ends = known.to_internal(known.low), known.to_internal(known.high)
        source = f"90 % interval of {scenario.calibration.name}"
        out.append(
            Factor(
                name,
                f"{known.meaning}, {known.unit}",
                max(ends[0], middle - half),
                min(ends[1], middle + half),
                middle,
                source,
                _parameter(name),
                shown=known.from_internal,
            )
        )
    return out
