"""The rows that profiles describe, and why the others are none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.errors import InputError
from simulator.facts.reading import names, shipped_name
from simulator.measurements import FrontierPoint, MeasuredPoint, OpenLoopPoint, Row
from simulator.measurements.configuration import configuration
from simulator.validation.curves import Known
from simulator.validation.reason import Place, Reason

DESCRIBED = ("hardware", "model", "engine", "precision", "checkpoint", "tp", "ep", "dp_attention", "kv_cache_dtype")
"""The columns that decide whether the profiles know a row."""


def known_rows(
    rows: Sequence[Row], places: Mapping[int, Place], model: str | None = None, allow_dequant: bool = False
) -> tuple[list[Known], list[Reason]]:
    """The rows that profiles describe, and a note for the others, one per cause.

    Args:
        rows: measured or frontier points.
        places: index of a row -> file and line.
        model: profile name or path to use instead of the model that the rows name.
        allow_dequant: compute in the next wider format that the hardware has.

    Raises:
        InputError: ``model`` for rows of several models.
    """
    named = {row.model for row in rows if isinstance(row, MeasuredPoint | OpenLoopPoint)}
    if model is not None and len(named) > 1:
        shown = ", ".join(sorted(named)[:4])
        raise InputError(
            f"--model {model}: found rows of {len(named)} models ({shown}); expected those of one, choose with "
            f'--select "model = ..."'
        )
    known: list[Known] = []
    absent: dict[str, list[Place]] = {}
    unknown: dict[tuple[Any, ...], str] = {}
    for i, row in enumerate(rows):
        if isinstance(row, OpenLoopPoint):
            continue
        if not isinstance(row, MeasuredPoint):
            why = "a frontier point is interpolated, not a run: no roofs and no expectation"
            absent.setdefault(why, []).append(places[i])
            continue
        key = tuple(getattr(row, name) for name in DESCRIBED)
        if key not in unknown:
            try:
                known.append(Known(i, row, configuration(row, model=model, allow_dequant=allow_dequant)))
                continue
            except InputError as fault:
                unknown[key] = str(fault).removeprefix(f"{row.file}: line {row.line}: ")
        absent.setdefault(f"no roofs and no expectation: {unknown[key]}", []).append(places[i])
    return known, [Reason("note", "no_physics", why, tuple(where)) for why, where in absent.items()]


def described(row: FrontierPoint) -> bool:
    """Whether profiles know the hardware and the model of a frontier point: its identities are all there is to check.

    Interpolated points are no runs, so nothing more is expected of each.
    """
    return row.hardware.lower() in names("hardware") and shipped_name("model", row.model) is not None
