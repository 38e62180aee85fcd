"""The tab Agentic: throughput, P90 interactivity and hit rates of a prefix cache over live sessions of agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.errors import InputError
from simulator.page.equivalent import call, command, options
from simulator.page.priced import priced
from simulator.page.provenance import provenance
from simulator.page.sessions import Played, played_of
from simulator.page.state import State
from simulator.page.tabs.curve import label, series_json
from simulator.page.work import PLAIN, Work
from simulator.results import words
from simulator.results.table import ResultTable, clean
from simulator.units import MEGA

MOST_SERIES = 8
CLIFF = 0.1
"""A hit rate so far below the ideal one has left the plateau."""


def answer(state: State, work: Work = PLAIN) -> dict[str, Any]:
    """Everything that the tab shows.

    Returns:
        ``tp``, ``duration``, ``series`` (as those of the curve, with the columns of :func:`simulator.replay`),
        ``sentences``, ``memory`` (what each series can keep, and its acceptance), ``left_out``, ``notes``,
        ``equivalent``, ``provenance``.

    Raises:
        InputError: a name that is not known, too many series, or none that the profiles can do.
    """
    every = played_of(state)
    if len(every) > MOST_SERIES:
        raise InputError(
            f"hardware, mtp: expected at most {MOST_SERIES} series of replayed sessions, found {len(every)}"
        )
    found: list[tuple[Played, ResultTable]] = []
    left_out: list[str] = []
    for i, one in enumerate(every):
        work.tell(f"sessions on {label(one.series)}", i / len(every))
        try:
            found.append((one, priced(work.replays(one, work.intervals), state.cost_basis)))
        except InputError as fault:
            left_out.append(f"{label(one.series)}: {fault}")
    if not found:
        raise InputError("\n".join(left_out))
    payload: dict[str, Any] = clean(
        {
            "tp": every[0].tp,
            "duration": found[0][0].arguments()["duration"],
            "prefix_cache": state.agentic_prefix_cache,
            "host_cache_ratio": state.agentic_host_cache_ratio,
            "series": [series_json(one.series, table) for one, table in found],
            "sentences": [*(_cliff(one, table) for one, table in found), *_gains(found)],
            "memory": [f"{label(one.series)}: {_memory(table.meta)}" for one, table in found],
            "left_out": left_out,
            "notes": list(dict.fromkeys(note for _, table in found for note in _notes(table))),
            "equivalent": _equivalent([one for one, _ in found], state.cost_basis),
            "provenance": provenance([table.meta for _, table in found]),
        }
    )
    return payload


def hits(row: Mapping[str, Any]) -> float:
    """What of all prompt tokens was found, on GPUs or hosts."""
    return float(row["hit_rate_gpu"] + (row["hit_rate_host"] or 0.0))


def _cliff(played: Played, table: ResultTable) -> str:
    """Up to how many sessions the cache holds what comes back, and what is found beyond."""
    rows = [row for row in table.rows if row["hit_rate_gpu"] is not None]
    name = label(played.series)
    if not rows or table.meta["prefix_cache"] is None:
        return f"{name}: nothing is kept, so every prompt is computed whole"
    over = next((i for i, row in enumerate(rows) if row["hit_rate_ideal"] - hits(row) > CLIFF), None)
    if over is None:
        last = rows[-1]
        return (
            f"{name}: up to {last['concurrency']} sessions the cache finds what there is to find: "
            f"{_percent(hits(last))} of {_percent(last['hit_rate_ideal'])}"
        )
    first = rows[over]
    if not over:
        return f"{name}: at {_sessions(first)} the cache is already too small: it finds {_percent(hits(first))}"
    before = rows[over - 1]
    return (
        f"{name}: the cache holds {_sessions(before)} and not {first['concurrency']}: the hit rate falls from "
        f"{_percent(hits(before))} to {_percent(hits(first))}"
    )


def _gains(found: Sequence[tuple[Played, ResultTable]]) -> list[str]:
    """What drafts gain in throughput over Off at the same number of sessions, by accelerator and depth."""
    said = []
    for one, table in found:
        off = next((t for p, t in found if p.series.hardware == one.series.hardware and not p.series.mtp), None)
        if off is None or not one.series.mtp:
            continue
        speed = {row["concurrency"]: row["total_tok_s_gpu"] for row in off.rows}
        gains = [
            f"{round(100 * (row['total_tok_s_gpu'] / speed[row['concurrency']] - 1)):+d} % at {row['concurrency']}"
            for row in table.rows
            if row["total_tok_s_gpu"] and speed.get(row["concurrency"])
        ]
        if gains:
            said.append(f"{label(one.series)} over Off, in tok/s/GPU at the same sessions: {', '.join(gains)}")
    return said


def _sessions(row: Mapping[str, Any]) -> str:
    return f"{row['concurrency']} session{'' if row['concurrency'] == 1 else 's'}"


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %"


def _memory(meta: Mapping[str, Any]) -> str:
    parts = [f"{meta['kv_tokens_capacity'] / MEGA:.2f} M tokens on the GPUs"]
    parts += [f"{meta['state_slots']:,} recurrent states"] if meta["state_slots"] is not None else []
    parts += [f"{meta['host_tokens'] / MEGA:.2f} M tokens on the hosts"] if meta["host_tokens"] else []
    accepted = f"{meta['acceptance_length']:.2f} tokens per round ({meta['acceptance_source']})"
    return ", ".join(parts) + (f"; {accepted}" if meta["spec_tokens"] else "")


def _notes(table: ResultTable) -> list[str]:
    meta = table.meta
    traffic = (
        f"{meta['recorded_sessions']} recorded sessions of {meta['recorded_requests']} requests, "
        f"{meta['mean_input_tokens']:,.0f} input and {meta['mean_output_tokens']:,.0f} output tokens in the mean, "
        f"seed {meta['seed']}"
    )
    said = [*words.acceptances(meta), words.calibration(meta), words.recipes(meta), words.cost(meta)]
    return [traffic, *said, *meta["notes"]]


def _equivalent(every: Sequence[Played], basis: str) -> dict[str, str]:
    more = {} if basis == "hyperscaler" else {"cost_basis": basis}
    calls = [
        f"    replay({call('make_scenario', one.scenario_arguments())}, {_inner({**one.arguments(), **more})}),"
        for one in every
    ]
    lines = ["from simulator import make_scenario, replay", "", "found = [", *calls, "]"]
    commands = [_command(one.scenario_arguments(), {**one.arguments(), **more}) for one in every]
    return {"command": "\n".join(commands), "python": "\n".join(lines)}


def _inner(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


def _command(scenario: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    ends = []
    for name, value in arguments.items():
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        ends += [f"--{name.replace('_', '-')}", text]
    return command(["mtpsim", "replay", *options(scenario), *ends])
