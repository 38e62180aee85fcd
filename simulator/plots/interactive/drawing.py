"""A result in, a plotly figure out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from plotly.graph_objects import Figure as PlotlyFigure

from simulator.errors import InputError
from simulator.plots.interactive.acceptance import acceptance_figure
from simulator.plots.interactive.curves import curves_figure, fronts_figure
from simulator.plots.interactive.roofline import roofline_figure
from simulator.results import words
from simulator.results.table import Result, ResultTable

if TYPE_CHECKING:
    from simulator.prediction.compare import Matched
    from simulator.prediction.explain import Explanation

__all__ = ["PICTURES", "PlotlyFigure", "draw_interactive"]

Points = Sequence[Mapping[str, Any]]
HAVE_ONE = "those of predict, compare, what_if_acceptance and explain"


def draw_interactive(result: Result, measured: Points = (), title: str = "") -> PlotlyFigure:
    """The picture of a result to hover over and zoom.

    Args:
        result: of ``predict``, ``compare``, ``what_if_acceptance`` or ``explain``.
        measured: points to mark on the map of acceptance.
        title: instead of the picture's own.

    Raises:
        InputError: a result that has none.
    """
    kind = type(result).__name__
    study = getattr(result, "kind", "")
    if kind == "Study" and study == "acceptance":
        return _acceptance(result, measured, title)
    if kind not in PICTURES:
        found = f"Study of {study}" if kind == "Study" else kind
        raise InputError(f"no interactive picture of a result of kind {found}; there are {HAVE_ONE}")
    return PICTURES[kind](result, title)


def _prediction(table: ResultTable, title: str) -> PlotlyFigure:
    series: dict[str, list[Mapping[str, Any]]] = {}
    for row in table.rows:
        series.setdefault(words.replica_name(row["tp"], row["spec_tokens"]), []).append(row)
    return curves_figure(series, title or words.title(table.meta))


def _comparison(matched: Matched, title: str) -> PlotlyFigure:
    names = {"mtp": "MTP", "off": "Off"}
    fronts = {names[spec]: front for spec, front in matched.fronts.items()}
    rows = {names[spec]: matched.frontier[spec] for spec in matched.fronts}
    return fronts_figure(fronts, rows, matched.rows, title or words.title(matched.meta))


def _explanation(explanation: Explanation, title: str) -> PlotlyFigure:
    phase, account = next(iter(explanation.accounts.items()))
    own = f"{words.title(explanation.meta)}: {phase} at {explanation.concurrency} clients"
    return roofline_figure(account, explanation.scenario.deployment.hardware, title or own)


def _acceptance(study: Any, measured: Points, title: str) -> PlotlyFigure:
    own = f"{words.title(study.meta)}, MTP {study.meta['spec_tokens']}"
    return acceptance_figure(study.tables["points"], study.tables["break_even"], measured, title or own)


PICTURES: dict[str, Callable[[Any, str], PlotlyFigure]] = {
    "ResultTable": _prediction,
    "Matched": _comparison,
    "Explanation": _explanation,
}
"""Class of a result -> what draws it."""
