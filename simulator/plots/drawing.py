"""A result in, a figure out: :func:`draw` and the picture that each kind of result has."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from matplotlib.figure import Figure

from simulator.errors import InputError
from simulator.plots.saving import save
from simulator.plots.scope import tell_scope
from simulator.results import words
from simulator.results.table import Result, ResultTable
from simulator.units import MEGA, duration_text

if TYPE_CHECKING:
    from simulator.fitting.against import Against
    from simulator.fitting.evaluate import Evaluation
    from simulator.planning.answer import Answer
    from simulator.plots.interactive import PlotlyFigure
    from simulator.plots.traffic import TrafficPicture
    from simulator.prediction.agentic import AgenticComparison
    from simulator.prediction.compare import Matched
    from simulator.prediction.explain import Explanation
    from simulator.prediction.parts import Parts
    from simulator.prediction.replay import Replay
    from simulator.prediction.simulate import Simulation
    from simulator.traffic.describe import TraceSummary
    from simulator.traffic.describe_sessions import SessionsSummary
    from simulator.validation.report import Report
    from simulator.what_if.study import Study

Points = Sequence[Mapping[str, Any]]


@overload
def draw(
    result: Result,
    path: str | os.PathLike[str] | None = None,
    *,
    measured: Points = (),
    title: str = "",
    interactive: Literal[False] = False,
) -> Figure: ...


@overload
def draw(
    result: Result, path: None = None, *, measured: Points = (), title: str = "", interactive: Literal[True]
) -> PlotlyFigure: ...


def draw(
    result: Result,
    path: str | os.PathLike[str] | None = None,
    *,
    measured: Points = (),
    title: str = "",
    interactive: bool = False,
) -> Figure | PlotlyFigure:
    """The picture of a result, written to ``path`` (PNG, SVG or PDF by its suffix) if there is one.

    Args:
        result: of :func:`~simulator.predict`, ``compare``, ``compare_against``, ``compare_agentic``, ``explain``,
            ``evaluate``, ``validate``, ``plan``, ``simulate``, ``replay`` or a what-if study.
        path: file to write; it is whole or not there.
        measured: points to mark on the map of acceptance, with ``concurrency``, ``acceptance_length``, ``lo``, ``hi``.
        title: instead of the picture's own.
        interactive: a plotly figure to hover over and zoom, of ``predict``, ``compare``, ``explain`` and
            ``what_if_acceptance`` (needs ``pip install 'mtpsim[web]'``); its ``write_html`` writes it.

    Raises:
        InputError: a result that has no picture, a suffix that is no picture format, a path that cannot be written, or
            a path for an interactive picture.

    Example:
        >>> from simulator import draw, make_scenario, predict
        >>> type(draw(predict(make_scenario(), [4, 8], method="closed-form"))).__name__
        'Figure'
    """
    if interactive:
        if path is not None:
            raise InputError(f"path: an interactive picture is written by its write_html, found {os.fspath(path)}")
        return _interactive(result, measured, title)
    kind = type(result).__name__
    if kind not in PICTURES:
        raise InputError(f"no picture of a result of kind {kind}; there are pictures of {', '.join(PICTURES)}")
    figure = _study(result, title, measured) if kind == "Study" else PICTURES[kind](result, title)
    tell_scope(figure, _rows_of(result))
    if path is not None:
        save(figure, path)
    return figure


def _interactive(result: Result, measured: Points, title: str) -> PlotlyFigure:
    try:
        from simulator.plots.interactive import draw_interactive
    except ModuleNotFoundError as fault:
        raise InputError(f"an interactive picture needs {fault.name}: pip install 'mtpsim[web]'") from None
    return draw_interactive(result, measured, title)


def _rows_of(result: Result) -> Points:
    """Every row behind a picture: of a study those of all its tables."""
    tables: Mapping[str, Points] | None = getattr(result, "tables", None)
    return result.records() if tables is None else [row for rows in tables.values() for row in rows]


def _prediction(table: ResultTable, title: str) -> Figure:
    """Throughput over interactivity and latencies over concurrency, one curve per TP and depth."""
    from simulator.plots.curves import curves_figure

    series = []
    for tp, k in dict.fromkeys((row["tp"], row["spec_tokens"]) for row in table.rows):
        rows = [row for row in table.rows if (row["tp"], row["spec_tokens"]) == (tp, k)]
        series.append({"label": words.replica_name(tp, k), "rows": rows})
    return curves_figure(series, title=title or words.title(table.meta))


def _comparison(matched: Matched, title: str) -> Figure:
    """Both fronts and the gain at each matched interactivity."""
    from simulator.plots.matched import comparison_figure

    fronts = matched.fronts
    if "mtp" not in fronts:
        from simulator.plots.curves import curves_figure

        rows = list(matched.frontier["off"])
        return curves_figure([{"label": "Off", "rows": rows}], title=title or words.title(matched.meta))
    return comparison_figure(fronts["mtp"], fronts["off"], matched.comparison, title or words.title(matched.meta))


def _parts(result: Parts, title: str) -> Figure:
    """The fronts of several comparisons with Off, which is the same for all."""
    from simulator.plots.matched import fronts_figure

    if any(type(part).__name__ != "Matched" for part in result.parts):
        raise InputError("a picture explains one configuration, found several")
    compared: list[Any] = list(result.parts)
    fronts = {f"MTP {one.meta['spec_tokens']}": one.fronts["mtp"] for one in compared}
    return fronts_figure(fronts | {"Off": compared[0].fronts["off"]}, title or words.title(compared[0].meta))


def _against(result: Against, title: str) -> Figure:
    """Published points on the predicted fronts."""
    from simulator.plots.against import against_figure

    own = "; ".join(result.meta["sources"]) or result.meta["file"]
    return against_figure(result.fronts, result.curves, result.rows, title or own)


def _explanation(explanation: Explanation, title: str) -> Figure:
    """The operators under the roof of the hardware; of two phases the decode round."""
    from simulator.plots.roofline import roofline_figure

    phase, account = next(iter(explanation.accounts.items()))
    own = f"{words.title(explanation.meta)}: {phase} at {explanation.concurrency} clients"
    return roofline_figure(account, explanation.scenario.deployment.hardware, title or own)


def _evaluation(result: Evaluation, title: str) -> Figure:
    """Parity of every metric, one group per engine, precision and speculation."""
    from simulator.measurements.cells import METRICS
    from simulator.plots.parity import measured_vs_predicted_figure

    points = []
    for p in result.points:
        group = " ".join(str(p[g]) for g in ("engine", "precision", "spec") if g in p)
        for name in METRICS:
            if p.get(f"predicted_{name}") is None or p.get(name) is None:
                continue
            point = {"metric": name, "group": group, "measured": p[name], "predicted": p[f"predicted_{name}"]}
            point |= {"concurrency": p["concurrency"], "lo": p.get(f"{name}_lo"), "hi": p.get(f"{name}_hi")}
            points.append({k: v for k, v in point.items() if v is not None})
    return measured_vs_predicted_figure(points, title or "Predicted against measured")


def _validation(report: Report, title: str) -> Figure:
    """Every measured row beside what is expected and what is possible."""
    from simulator.plots.validation import validation_figure

    return validation_figure(report)


def _plan(answer: Answer, title: str) -> Figure:
    """GPUs or rate of each option, and how close the winner comes to its promises."""
    from simulator.plots.planning import plan_figure

    meta = answer.meta
    rated = meta["gpus"] is not None
    asked = f"{meta['gpus']} GPUs" if rated else f"{meta['rate_per_s']:g} req/s"
    own = f"{meta['model']} on {meta['hardware']}: {asked}"
    return plan_figure(answer, title or own, f"{meta['arrivals']};  {meta['lengths']}")


def traffic_picture(result: Simulation) -> TrafficPicture:
    """What the figure of a simulation shows."""
    import numpy as np

    from simulator.plots.traffic import TrafficPicture
    from simulator.serving.delivered import LEAST_SPAN, counted
    from simulator.serving.saturation import SATURATED, queue_over_time

    run = result.run
    queue = queue_over_time(run, 0.0, max(float(run.requests.send[-1]), LEAST_SPAN))
    inside = counted(run, result.traffic) & run.served
    everything = run.served
    limits: dict[str, list[tuple[float, float]]] = {}
    for promise in result.promises:
        limits.setdefault(promise.metric, []).append((promise.percentile, promise.limit))
    return TrafficPicture(
        queue.time,
        queue.waiting,
        queue.running,
        result.fleet.slots,
        run.requests.send[everything],
        run.ttft()[everything],
        np.asarray(run.tpot()[inside]),
        limits,
        result.delivered.state == SATURATED,
    )


def _simulation(result: Simulation, title: str) -> Figure:
    """The queue and the latencies of one simulation."""
    from simulator.plots.traffic import traffic_figure

    meta = result.meta
    spec = f"MTP {meta['spec_tokens']}" if meta["spec_tokens"] else "MTP off"
    own = f"{meta['model']} on {meta['replicas']} x TP{meta['tp']} {meta['hardware']}, {spec}"
    below = f"{meta['traffic']};  {meta['lengths']};  {meta['router']}"
    return traffic_figure(traffic_picture(result), title or own, below)


def _replay(result: Replay, title: str) -> Figure:
    """Throughput, interactivity and hit rates over live sessions."""
    from simulator.plots.replay import replay_figure

    meta = result.meta
    spec = f"MTP {meta['spec_tokens']}" if meta["spec_tokens"] else "MTP off"
    own = f"{meta['model']} on TP{meta['tp']} {meta['hardware']}, {spec}: recorded sessions"
    room = f"{meta['recorded_sessions']} sessions;  room for {meta['kv_tokens_capacity'] / MEGA:.2f} M tokens"
    return replay_figure(result.rows, title or own, room)


def _agentic(found: AgenticComparison, title: str) -> Figure:
    """What drafts, prefix cache and hosts are worth over live sessions, and the cliff."""
    from simulator.plots.agentic import agentic_figure
    from simulator.prediction.agentic import arm_names

    meta = found.meta
    own = f"{meta['model']} on TP{meta['tp']} {meta['hardware']}: recorded sessions"
    return agentic_figure(found.rows, found.fronts, found.cliff, arm_names(meta), title or own)


def _models(meta: Mapping[str, Any]) -> str:
    """The models of all scenarios, each named once."""
    return " and ".join(f"{model}" for model in words.values(meta, "model"))


def _study(study: Any, title: str, measured: Points = ()) -> Figure:
    """The picture of a what-if study of its kind."""
    from simulator.plots.acceptance import acceptance_figure
    from simulator.plots.depth import depth_figure
    from simulator.plots.sensitivity import sensitivity_figure
    from simulator.plots.workload import workload_figure

    found: Study = study
    tables, meta = found.tables, found.meta
    if found.kind == "workload":
        return workload_figure(tables["points"], title or f"{_models(meta)}: where MTP pays")
    if found.kind == "cache":
        return _cache(found, title)
    own = title or words.title(meta)
    if found.kind == "acceptance":
        what = title or f"{own}, MTP {meta['spec_tokens']}"
        return acceptance_figure(tables["points"], tables["break_even"], measured, what)
    if found.kind == "depth":
        return depth_figure(tables["points"], tables["best"], int(meta["best_fixed_depth"]), own)
    of_gain = [[row for row in tables[name] if row["answer"] == "gain"] for name in ("tornado", "indices")]
    return sensitivity_figure(of_gain[0], of_gain[1], title or f"{own}, {meta['concurrency']} clients")


def _cache(found: Study, title: str) -> Figure:
    """Hit rate and throughput by memory for prompts."""
    from simulator.plots.cache import cache_figure
    from simulator.what_if.cache_words import name_of

    rows, meta = found.tables["points"], found.meta
    sizes = " and ".join(f"TP{tp}" for tp in words.values(meta, "tp"))
    own = f"{_models(meta)} on {words.values(meta, 'hardware')[0]}, {sizes}: what memory for prompts is worth"
    below = f"recorded sessions, sent for {duration_text(meta['duration_s'])}; speed and price stay"
    return cache_figure(rows, [name_of(row, rows) for row in rows], title or own, below)


def _trace(found: TraceSummary, title: str) -> Figure:
    """The rate over time and the lengths of a traffic file."""
    from simulator.plots.trace import trace_figure

    row, tokens = found.figures, (getattr(found.traffic, "prompt", None), getattr(found.traffic, "output", None))
    lengths = None if tokens[0] is None or tokens[1] is None else (tokens[0], tokens[1])
    parts = [f"{row['requests']:,.0f} requests"]
    if row["cv_of_gaps"] is not None:
        parts.append(f"cv of gaps {row['cv_of_gaps']:.2f}")
    if row["ideal_hit_rate_tokens"] is not None:
        parts.append(f"{100 * row['ideal_hit_rate_tokens']:.0f} % of input tokens shared with earlier prompts")
    own = os.path.basename(found.meta["file"])
    # the trace ends within its last window, whose rate would look like a fall
    ends = row["window_s"] and found.windows[-1]["start_s"] + row["window_s"] > row["duration_s"]
    shown = found.windows[:-1] if ends and len(found.windows) > 1 else found.windows
    ideal = row["ideal_hit_rate_tokens"] or 0.0
    return trace_figure(
        shown,
        row["window_s"],
        lengths,
        row["mean_requests_per_s"],
        title or own,
        ";  ".join(parts),
        found.lru if ideal else (),
        ideal,
    )


def _sessions(found: SessionsSummary, title: str) -> Figure:
    """Hit rates by size of cache and the working set of a session."""
    from simulator.plots.cache_sizes import sessions_figure

    row = found.figures
    if not found.lru:
        raise InputError(f"{found.meta['file']}: no picture: the file does not say which prompts are alike")
    sessions = "1 session" if row["sessions"] == 1 else f"{row['sessions']:,} sessions"
    below = [f"{sessions} of {row['requests']:,} requests", *found.meta["notes"]]
    if row["subagents"]:
        below.insert(1, f"{row['subagents']:,} subagents")
    own = os.path.basename(os.path.normpath(found.meta["file"]))
    return sessions_figure(found.lru, found.working_set, row["ideal_hit_rate_tokens"], title or own, ";  ".join(below))


PICTURES: dict[str, Callable[[Any, str], Figure]] = {
    "ResultTable": _prediction,
    "Matched": _comparison,
    "Against": _against,
    "Parts": _parts,
    "Explanation": _explanation,
    "Evaluation": _evaluation,
    "Report": _validation,
    "Answer": _plan,
    "Simulation": _simulation,
    "Replay": _replay,
    "AgenticComparison": _agentic,
    "Study": _study,
    "TraceSummary": _trace,
    "SessionsSummary": _sessions,
}
"""Class of a result -> what draws it. By name, so that a picture does not import the rooms of all other results."""
