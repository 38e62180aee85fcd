"""Open-loop rows judged: against what was sent, and against the open loop of the model; never against a closed one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from simulator.errors import InputError
from simulator.measurements import OpenLoopPoint, Row
from simulator.measurements.cells import METRICS
from simulator.measurements.littles_law import mean_length, output_throughput
from simulator.measurements.open_loop import measured_open, open_configuration, predicted
from simulator.prediction.intervals import noise_class
from simulator.serving.scenario import Scenario, resolve_calibration
from simulator.serving.scope import Verdict, judge
from simulator.validation.causes import leaves
from simulator.validation.expectation import Expected
from simulator.validation.reason import Place, Reason, number, quantity

MORE_THAN_SENT = 1.3
"""Finished over sent requests per second that chance does not make of a hundred requests."""
ENOUGH = 100
"""Requests from which a rate is that of the run."""


@dataclass
class OpenLoop:
    """What was found out about the open-loop rows of one report.

    Attributes:
        expected: index of a row -> metric -> measured, expected and interval.
        scopes: index of a row -> where it stands to what the calibration was fitted to.
        scenarios: index of a row -> what was predicted.
        reasons: findings.
    """

    expected: dict[int, Mapping[str, Expected]] = field(default_factory=dict)
    scopes: dict[int, Verdict] = field(default_factory=dict)
    scenarios: dict[int, Scenario] = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)


def judge_open(
    rows: Sequence[Row],
    places: Mapping[int, Place],
    calibration: str | None,
    force: bool,
    model: str | None,
    allow_dequant: bool,
) -> OpenLoop:
    """Judge the open-loop rows among all.

    Args:
        rows: of the report.
        places: index of a row -> file and line.
        calibration: name or path; None: the default of each deployment.
        force: apply a calibration outside what it was fitted to.
        model: profile name or path to use instead of the model that the rows name.
        allow_dequant: compute in the next wider format that the hardware has.

    Raises:
        InputError: an unknown calibration, or one made for another hardware, model, engine or precision.
    """
    out = OpenLoop()
    absent: dict[str, list[Place]] = {}
    for index, row in enumerate(rows):
        if not isinstance(row, OpenLoopPoint):
            continue
        out.reasons += _more_than_sent(row, places[index])
        try:
            config = open_configuration(row, model=model, allow_dequant=allow_dequant)
        except InputError as fault:
            why = str(fault).removeprefix(f"{row.file}: line {row.line}: ")
            absent.setdefault(f"no expectation: {why}", []).append(places[index])
            continue
        used, forced = resolve_calibration(calibration, config.deployment, force, config.isl)
        scenario = config.scenario(used, forced)
        found = predicted(row, scenario)
        verdict = judge(scenario, max(1, round(found["in_flight"])), row.engine_version)
        out.scenarios[index], out.scopes[index] = scenario, verdict
        out.expected[index] = {
            metric: Expected(
                metric,
                value,
                found[metric],
                found[f"{metric}_lo"],
                found[f"{metric}_hi"],
                verdict.spread(noise_class(metric)),
            )
            for metric in METRICS
            if (value := measured_open(row, metric)) is not None and metric in found
        }
        out.reasons += _leaving(row, out.expected[index], places[index])
    out.reasons += [Reason("note", "no_physics", why, tuple(where)) for why, where in absent.items()]
    return out


def _more_than_sent(row: OpenLoopPoint, place: Place) -> Iterator[Reason]:
    """No server finishes more requests per second than are sent to it."""
    output = output_throughput(row)
    if output is None or (row.requests is not None and row.requests < ENOUGH):
        return
    finished = output * row.all_gpus / mean_length(row.osl, row.ratio)
    if finished <= MORE_THAN_SENT * row.request_rate_per_s:
        return
    factor = finished / row.request_rate_per_s
    guess = f", {factor:.2f} x as many" + (
        f": the throughput of all {row.all_gpus} GPUs labelled per GPU"
        if row.all_gpus > 1 and abs(factor / row.all_gpus - 1.0) < 0.2
        else ""
    )
    message = (
        f"output throughput of {row.all_gpus} GPUs over the mean output length makes {finished:.3g} finished requests "
        f"per second, and {row.request_rate_per_s:.3g} were sent{guess}"
    )
    yield Reason("impossible", "more_than_sent", message, (place,), {"finished_per_s": finished, "factor": factor})


def _leaving(row: OpenLoopPoint, metrics: Mapping[str, Expected], place: Place) -> Iterator[Reason]:
    for slower in (True, False):
        out = leaves(metrics, slower)
        if not out:
            continue
        figures = "; ".join(
            f"{quantity(e.metric, e.measured)}, expected {number(e.predicted)} ({number(e.low)} to {number(e.high)})"
            for e in out
        )
        word = "slower" if slower else "faster"
        count = "" if row.requests is None else f", {row.requests} requests"
        message = f"{figures}, by the open loop at {row.request_rate_per_s:g} requests/s{count}"
        data = {e.metric: e.as_dict() for e in out} | {"request_rate_per_s": row.request_rate_per_s}
        yield Reason("suspicious", f"{word}_than_expected", message, (place,), data)
