"""The tab Plan: the cheapest deployment that keeps promises at a rate, with the confidence in it. Live only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator import api
from simulator.page.choices import check_names
from simulator.page.equivalent import call, command, options
from simulator.page.provenance import provenance
from simulator.page.series import acceptance_arguments, series_of
from simulator.page.state import State
from simulator.page.work import PLAIN, Work
from simulator.results.table import clean


def answer(state: State, work: Work = PLAIN) -> dict[str, Any]:
    """Everything that the tab shows.

    Returns:
        ``winner`` (a row, or None), ``kept``, ``runners_up``, ``impossible``, ``left_out``, ``sentence``,
        ``confidence`` (rows: the winner and the cheaper gamble, with the probability that all promises hold),
        ``scope``, ``equivalent``, ``provenance``.

    Raises:
        InputError: a promise that is none, or one below the time of a single step of every option.
    """
    check_names(state)
    series = series_of(state)[0]
    stated = {k: v for k, v in series.arguments().items() if not k.startswith(("mtp", "acceptance"))}
    depths = sorted(state.mtp)
    accepted = acceptance_arguments(state.acceptance) if any(depths) else {}
    found = api.plan(
        api.make_scenario(tp=min(series.grid.tp), **stated),
        rate=state.rate,
        promises=list(state.promises),
        tp=sorted(series.grid.tp),
        mtp=depths,
        acceptance=api.Acceptance(**{k.removeprefix("acceptance_"): v for k, v in accepted.items()}),
        cost_basis=state.cost_basis,
        progress=lambda text: work.tell(text, None),
    )
    document = found.document()
    payload: dict[str, Any] = clean(
        {
            "hardware": series.hardware,
            "rate": state.rate,
            "promises": document["meta"]["promises"],
            "kept": found.kept,
            "winner": document["winner"],
            "runners_up": document["runners_up"],
            "impossible": document["impossible"],
            "left_out": document["left_out"],
            "confidence": _confidence(document),
            "sentence": _sentence(document, state),
            "scope": _scope(document["winner"]),
            "equivalent": _equivalent(state, stated, accepted, sorted(series.grid.tp), depths),
            "provenance": provenance([found.meta]),
        }
    )
    return payload


def _confidence(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """GPUs against the probability that all promises hold: the winner, and what is cheaper and less sure."""
    rows = [document["winner"]] if document["winner"] else []
    rows += [row["gamble"] for row in rows if row.get("gamble")]
    keep = ("name", "replicas", "gpus", "usd_per_hour", "probability_all_hold")
    return [{name: row.get(name) for name in keep} for row in rows]


def _sentence(document: Mapping[str, Any], state: State) -> str:
    winner = document["winner"]
    promised = " and ".join(state.promises)
    if winner is None:
        failing = "; ".join(f"{row['promise']}: nearest {row['nearest_ms']:.3g} ms" for row in document["impossible"])
        return f"nothing keeps {promised} at {state.rate:g} requests per second ({failing or 'no option fits'})"
    money = "" if winner["usd_per_hour"] is None else f" for {winner['usd_per_hour']:.2f} USD per hour"
    return (
        f"{winner['gpus']} GPUs, {winner['replicas']} replicas of {winner['name']}, serve {state.rate:g} requests per "
        f"second{money}; {promised} hold with a probability of {100 * winner['probability_all_hold']:.0f} %"
    )


def _scope(winner: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if winner is None:
        return None
    reasons = winner["scope_reasons"]
    text = winner["scope"] + (f" ({'; '.join(reasons)})" if reasons else "")
    return {"word": winner["scope"], "reasons": reasons, "text": text}


def _equivalent(
    state: State, stated: Mapping[str, Any], accepted: Mapping[str, Any], tp: Sequence[int], depths: Sequence[int]
) -> dict[str, str]:
    choices = ["--tp", ",".join(map(str, tp)), "--mtp", ",".join(map(str, depths))]
    promised = [word for one in state.promises for word in _option(one)]
    basis = [] if state.cost_basis == "hyperscaler" else ["--cost-basis", state.cost_basis]
    words = ["mtpsim", "plan", "--rate", f"{state.rate:g}", *options({**stated, **accepted}), *choices]
    arguments: dict[str, Any] = {
        "rate": state.rate,
        "promises": list(state.promises),
        "tp": list(tp),
        "mtp": list(depths),
    }
    lines = ["from simulator import Acceptance, make_scenario, plan", ""]
    lines.append(f"scenario = {call('make_scenario', {**stated, 'tp': min(tp)})}")
    if accepted:
        short = {k.removeprefix("acceptance_"): v for k, v in accepted.items()}
        lines.append(f"acceptance = {call('Acceptance', short)}")
    if state.cost_basis != "hyperscaler":
        arguments["cost_basis"] = state.cost_basis
    inner = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    lines.append(f"answer = plan(scenario, {inner}{', acceptance=acceptance' if accepted else ''})")
    return {"command": command([*words, *promised, *basis]), "python": "\n".join(lines)}


def _option(promise: str) -> list[str]:
    name, _, limit = promise.partition("=")
    return [f"--{name}", limit]
