"""The tab Why: where the time of one configuration goes, under the roofs of the accelerator, and what fills memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simulator import api
from simulator.page.equivalent import call, command, options
from simulator.page.one import chosen
from simulator.page.provenance import provenance
from simulator.page.state import State
from simulator.page.work import PLAIN, Work
from simulator.results import words
from simulator.results.table import clean
from simulator.units import MILLI

COLUMNS = (
    "group",
    "name",
    "count",
    "seconds",
    "floor_seconds",
    "compute_seconds",
    "transfer_seconds",
    "share",
    "bound",
    "flops",
    "bytes",
    "message_bytes",
    "intensity_flop_per_byte",
    "achieved_flop_s",
    "achieved_byte_s",
)


def answer(state: State, work: Work = PLAIN) -> dict[str, Any]:
    """Everything that the tab shows.

    Returns:
        ``phases`` (``decode`` and ``prefill``: ``totals``, ``columns`` and ``rows`` of operators, the draft passes
        added up, longest first, and the ``sentence``), ``roofs`` (``bandwidth`` in byte/s, ``peaks`` in FLOP/s by
        format), ``memory`` (GB of one GPU), ``scope``, ``sentences``, ``equivalent``, ``provenance``.

    Raises:
        InputError: no such series, or what the profiles cannot do.
    """
    series, tp = chosen(state)
    clients = state.why_concurrency
    found = api.explain(series.scenario(tp), clients, phase="both", over_memory="queue")
    hardware = found.scenario.deployment.hardware
    totals = found.totals()
    arguments = {**series.arguments(), "tp": tp}
    name = words.replica_name(tp, series.mtp)
    payload: dict[str, Any] = clean(
        {
            "hardware": series.hardware,
            "mtp": series.mtp,
            "tp": tp,
            "concurrency": clients,
            "label": f"{series.hardware.upper()} {name}, {clients} clients",
            "phases": {
                phase: {
                    "totals": totals[phase],
                    "columns": list(COLUMNS),
                    "rows": [[row.as_row()[column] for column in COLUMNS] for row in account.merged()],
                    "sentence": _sentence(account.kind, account.seconds, account.parts(), account.bound_by),
                }
                for phase, account in found.accounts.items()
            },
            "roofs": {
                "bandwidth": hardware.hbm_bandwidth,
                "peaks": {k: v for k, v in hardware.peak_flops.model_dump().items() if v is not None},
            },
            "memory": found.memory_row(),
            "memory_text": found.memory.arithmetic(clients),
            "scope": {
                "word": found.verdict.scope,
                "reasons": found.verdict.texts,
                "text": found.verdict.text,
            },
            "batch": found.meta["batch"],
            "tpot_ms": found.meta["tpot_from_round_ms"],
            "sentences": _sentences(found),
            "equivalent": {
                "command": command(
                    ["mtpsim", "explain", *options(arguments), "--concurrency", str(clients), "--phase", "both"]
                ),
                "python": "\n".join(
                    (
                        "from simulator import explain, make_scenario",
                        "",
                        f"found = explain({call('make_scenario', arguments)}, {clients}, phase='both')",
                    )
                ),
            },
            "provenance": provenance([found.meta]),
        }
    )
    return payload


def _sentence(kind: str, seconds: float, parts: Any, bound_by: str) -> str:
    causes = sorted(parts.items(), key=lambda item: -item[1])
    shares = ", ".join(f"{cause} {100 * time / seconds:.0f} %" for cause, time in causes if time > 0)
    return f"the {kind} takes {seconds / MILLI:.2f} ms, bound by {bound_by}: {shares}"


def _sentences(found: api.Explanation) -> Sequence[str]:
    meta = found.meta
    decode = found.accounts["decode"]
    return [
        *(_sentence(a.kind, a.seconds, a.parts(), a.bound_by) for a in found.accounts.values()),
        f"{decode.seconds / MILLI:.2f} ms / {meta['acceptance_length']:.2f} tokens = "
        f"{meta['tpot_from_round_ms']:.2f} ms per token of a request, before the prefills in between",
        *words.acceptances(meta),
        words.calibration(meta),
    ]
