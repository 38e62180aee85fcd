"""The tab Break-even: the gain of drafts over concurrency and acceptance, where it is nil, and the best depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator import api
from simulator.page.equivalent import call, command, options
from simulator.page.one import chosen
from simulator.page.provenance import provenance
from simulator.page.series import Series
from simulator.page.state import State
from simulator.page.work import PLAIN, Work
from simulator.results import words
from simulator.results.table import clean

STEPS = 25
"""Acceptance lengths of the map, from 1 to the depth and 1."""
DEEPEST = 6
"""Greatest depth that is compared."""
METHOD = "closed-form"


def answer(state: State, work: Work = PLAIN) -> dict[str, Any]:
    """Everything that the tab shows.

    Returns:
        ``concurrencies``, ``lengths``, ``gain`` (per length one row over concurrencies, fractions), ``break_even`` (per
        concurrency the length with its interval, and ``mtp_pays``: above, always or never), ``own`` (the acceptance
        that the state means), ``best`` (per concurrency the best depth), ``sentences``, ``depth_sentences``, ``scope``,
        ``equivalent``, ``provenance``.

    Raises:
        InputError: no drafts in the state, or what the profiles cannot do.
    """
    series, tp = chosen(state, drafting=True)
    scenario = series.scenario(tp)
    counts = [c for size, clients in series.grid.sizes if size == tp for c in sorted(clients)]
    counts = [c for c in counts if scenario.memory.fits(c)] or counts[:1]
    k = series.mtp
    lengths = [1.0 + k * i / (STEPS - 1) for i in range(STEPS)]
    study = api.what_if_acceptance(
        scenario,
        counts,
        lengths=lengths,
        method=METHOD,
        cost_basis=state.cost_basis,
        intervals=work.intervals,
        progress=lambda done, total: work.tell("gain by acceptance", 0.8 * done / total),
    )
    work.tell("best depth", 0.8)
    depth = _deeper(series, tp, counts, state, work)
    points = study.tables["points"]
    shown = list(dict.fromkeys(row["acceptance_length"] for row in points))
    gains = {(row["acceptance_length"], row["concurrency"]): row["gain_over_off"] for row in points}
    arguments = {**series.arguments(), "tp": tp}
    payload: dict[str, Any] = clean(
        {
            "hardware": series.hardware,
            "mtp": k,
            "tp": tp,
            "label": f"{series.hardware.upper()} {words.replica_name(tp, k)}",
            "concurrencies": counts,
            "lengths": shown,
            "gain": [[gains[length, count] for count in counts] for length in shown],
            "break_even": study.tables["break_even"],
            "own": {
                "length": scenario.speculation.acceptance_length,
                "source": scenario.speculation.source.text,
            },
            "best": [] if depth is None else depth.tables["best"],
            "depths": [] if depth is None else _depths(depth.tables["points"]),
            "sentences": study.sentences,
            "depth_sentences": [] if depth is None else depth.sentences,
            "scope": _scope(points),
            "equivalent": {
                "command": _commands(arguments, counts, k, state),
                "python": _python(arguments, counts, lengths),
            },
            "provenance": provenance([study.meta]),
        }
    )
    return payload


def _deeper(series: Series, tp: int, counts: Sequence[int], state: State, work: Work) -> api.Study | None:
    """The study of depths up to :data:`DEEPEST`, of which a stated acceptance is of one depth alone."""
    if series.acceptance.startswith("length:"):
        return None
    arguments = {**series.arguments(), "mtp": max(series.mtp, DEEPEST), "tp": tp}
    try:
        deep = api.make_scenario(**arguments)
    except api.InputError:
        deep = series.scenario(tp)
    fits = [c for c in counts if deep.memory.fits(c)]
    if not fits:
        return None
    return api.what_if_depth(
        deep,
        fits,
        method=METHOD,
        cost_basis=state.cost_basis,
        progress=lambda done, total: work.tell("best depth", 0.8 + 0.2 * done / total),
    )


def _depths(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    keep = ("concurrency", "spec_tokens", "acceptance_length", "total_tok_s_gpu", "gain_over_off", "best")
    return [{name: row[name] for name in keep} for row in points]


def _scope(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    text = words.scope(points).removeprefix("scope: ")
    order = ("inside", "between", "extrapolated", "unmeasured")
    worst = max(points, key=lambda row: order.index(row["scope"]))
    return {"word": worst["scope"], "reasons": worst["scope_reasons"], "text": text}


def _commands(arguments: Mapping[str, Any], counts: Sequence[int], k: int, state: State) -> str:
    ends = ["--concurrency", ",".join(map(str, counts)), "--method", METHOD]
    ends += [] if state.cost_basis == "hyperscaler" else ["--cost-basis", state.cost_basis]
    first = ["mtpsim", "what-if", "acceptance", *options(arguments), *ends]
    second = ["mtpsim", "what-if", "depth", *options({**arguments, "mtp": max(k, DEEPEST)}), *ends]
    lengths = ["--acceptance-lengths", f"1..{k + 1}:{STEPS}"]
    return f"{command([*first, *lengths])}\n{command(second)}"


def _python(arguments: Mapping[str, Any], counts: Sequence[int], lengths: Sequence[float]) -> str:
    return "\n".join(
        (
            "from simulator import make_scenario, what_if_acceptance",
            "",
            f"scenario = {call('make_scenario', arguments)}",
            f"lengths = [1 + {lengths[-1] - 1:g} * i / {STEPS - 1} for i in range({STEPS})]",
            f"study = what_if_acceptance(scenario, {list(counts)}, lengths=lengths, method={METHOD!r})",
        )
    )
