"""The tab Curve: throughput over interactivity, or any metric over any other, and readings at interactivities."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from simulator.errors import InputError
from simulator.page.choices import check_names
from simulator.page.equivalent import equivalent
from simulator.page.priced import priced
from simulator.page.provenance import provenance
from simulator.page.published import published_points
from simulator.page.readings import readings
from simulator.page.series import Series, runs, series_of
from simulator.page.state import State
from simulator.page.work import PLAIN, Work
from simulator.prediction.intervals import Z90
from simulator.results import words
from simulator.results.table import ResultTable, clean, columns_of


def answer(state: State, work: Work = PLAIN) -> dict[str, Any]:
    """Everything that the tab shows.

    Returns:
        ``series``, ``readings``, ``sentences``, ``measured``, ``left_out``, ``notes``, ``acceptance`` (by depth the
        fitted length, its source and interval), ``equivalent`` and ``provenance``.

    Raises:
        InputError: a name that is not known, or no series that the profiles can do.
    """
    check_names(state)
    runs(state.sweep)
    found: list[tuple[Series, ResultTable]] = []
    left_out: list[str] = []
    for one in series_of(state):
        try:
            found.append((one, priced(work.points(one, work.intervals), state.cost_basis)))
        except InputError as fault:
            left_out.append(f"{label(one)}: {fault}")
    if not found:
        raise InputError("\n".join(left_out))
    left_out += [note for _, table in found for note in table.meta["left_out"]]
    read = readings(state, found, work.intervals)
    payload: dict[str, Any] = clean(
        {
            "series": [series_json(one, table) for one, table in found],
            "readings": read.rows,
            "sentences": read.sentences,
            "measured": published_points(state, [(one.name, table) for one, table in found]),
            "left_out": list(dict.fromkeys(left_out)),
            "notes": list(dict.fromkeys(note for _, table in found for note in notes(table))),
            "acceptance": {str(one.mtp): fitted_acceptance(one) for one, _ in found if one.mtp},
            "equivalent": equivalent(state, against=any(row["published"] for row in read.rows)),
            "provenance": provenance([table.meta for _, table in found]),
        }
    )
    return payload


def label(series: Series) -> str:
    """A series in words."""
    return f"{series.hardware.upper()} {f'MTP {series.mtp}' if series.mtp else 'Off'}"


def series_json(series: Series, table: ResultTable) -> dict[str, Any]:
    """One series: what it is, and its points as rows of named columns."""
    meta = table.meta
    names = columns_of(table.rows)
    word = words.scope(table.rows).removeprefix("scope: ")
    worst = max(table.rows, key=lambda row: SCOPES.index(row["scope"]))
    return {
        "id": series.name,
        "label": label(series),
        "hardware": series.hardware,
        "mtp": series.mtp,
        "spec": "mtp" if series.mtp else "off",
        "acceptance_length": _only(meta, "acceptance_length"),
        "acceptance_source": _only(meta, "acceptance_source"),
        "acceptance_interval": fitted_acceptance(series)["interval"] if series.acceptance == "fitted" else None,
        "calibration": _only(meta, "calibration"),
        "recipe": _only(meta, "recipe"),
        "checkpoint": _only(meta, "checkpoint"),
        "precision": _only(meta, "precision"),
        "scope": {"word": worst["scope"], "reasons": worst["scope_reasons"], "text": word},
        "columns": names,
        "rows": [[row.get(name) for name in names] for row in table.rows],
    }


def notes(table: ResultTable) -> list[str]:
    """What was assumed, in the words of the command line."""
    meta = table.meta
    said = [*words.acceptances(meta), words.calibration(meta), words.recipes(meta), words.cost(meta)]
    return [*said, *words.limits(meta, table.rows), words.method(meta)]


SCOPES = ("inside", "between", "extrapolated", "unmeasured")


def _only(meta: Mapping[str, Any], key: str) -> Any:
    return words.values(meta, key)[0]


def fitted_acceptance(series: Series) -> dict[str, Any]:
    """What the acceptance is if nobody states one: the mark of the slider, with its 90 % interval where it is known.

    ``most`` is the greatest length of the depth, tokens per round.
    """
    return dict(_fitted_acceptance(replace(series, acceptance="fitted")))


@functools.lru_cache(maxsize=256)
def _fitted_acceptance(series: Series) -> dict[str, Any]:
    most = series.mtp + 1
    if not series.mtp:
        return {"length": 1.0, "source": "off", "interval": None, "most": most}
    try:
        scenario = series.scenario()
    except InputError:
        return {"length": None, "source": None, "interval": None, "most": most}
    speculation = scenario.speculation
    fitted = scenario.calibration.acceptance
    length = speculation.acceptance_length
    interval = None
    if (
        fitted is not None
        and fitted.spec_tokens == series.mtp
        and fitted.stderr > 0
        and math.isclose(fitted.length, length)
    ):
        interval = [max(1.0, length - Z90 * fitted.stderr), min(float(most), length + Z90 * fitted.stderr)]
    return {"length": length, "source": speculation.source.text, "interval": interval, "most": most}
