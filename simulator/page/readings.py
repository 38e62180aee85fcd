"""What the fronts give at an interactivity, with the sentences that the command line prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator import api
from simulator.page.published import against_readings
from simulator.page.series import Series
from simulator.page.state import State
from simulator.prediction.matched import Spec
from simulator.results.table import ResultTable

METRICS = ("total_tok_s_gpu", "cost_usd_per_mtok", "tok_s_per_mw", "concurrency")


@dataclass(frozen=True)
class Readings:
    """Rows, one per interactivity and series, and sentences."""

    rows: list[dict[str, Any]]
    sentences: list[str]


def readings(state: State, found: Sequence[tuple[Series, ResultTable]], intervals: bool) -> Readings:
    """Read the fronts of all series at the interactivities of a state.

    Every depth is compared with Off on the same accelerator, as ``mtpsim compare`` does it; where the front is that of
    ``mtpsim compare --against``, the row is what that command reads.
    """
    rows: dict[tuple[float, str], dict[str, Any]] = {}
    sentences: list[str] = []
    for hardware in dict.fromkeys(one.hardware for one, _ in found):
        own = {one: table for one, table in found if one.hardware == hardware}
        off = next((one for one in own if one.mtp == 0), None)
        depths: list[Series | None] = [one for one in own if one.mtp]
        several = len(state.hardware) > 1 or len(depths) > 1
        for drafting in depths or [None]:
            both: dict[Spec, Series | None] = {"mtp": drafting, "off": off}
            sides = {spec: one for spec, one in both.items() if one is not None}
            matched = _compare(state, sides, own)
            where = f"{hardware.upper()}{f' MTP {drafting.mtp}' if drafting and len(depths) > 1 else ''}: "
            said = [*matched.comparison.sentences, *matched.ties]
            sentences += [f"{where}{text}" if several else text for text in said]
            for spec, one in sides.items():
                against = against_readings(state, one.name, own[one], matched.frontier[spec], intervals)
                for row in matched.rows:
                    if row["spec"] == spec:
                        at = row["interactivity_tok_s_user"]
                        rows.setdefault((at, one.name), _row(one, row, against.get(at), matched.meta))
    return Readings([rows[key] for key in sorted(rows, key=lambda key: key[0])], sentences)


def _compare(state: State, sides: Mapping[Spec, Series], own: Mapping[Series, ResultTable]) -> api.Matched:
    alone = api.load_model(state.model).draft is None and len(sides) == 1
    tables = {spec: own[one] for spec, one in sides.items()}
    grid = next(iter(sides.values())).grid
    return api.compare_tables(tables, at=state.at, sweep=grid, alone=alone)


def _row(
    series: Series, row: Mapping[str, Any], against: Mapping[str, Any] | None, meta: Mapping[str, Any]
) -> dict[str, Any]:
    at = row["interactivity_tok_s_user"]
    out = {
        "at": at,
        "series": series.name,
        "hardware": series.hardware,
        "mtp": series.mtp,
        "spec": row["spec"],
        "interactivity_tok_s_user": at,
    }
    ends = [f"{metric}{end}" for metric in METRICS for end in ("_lo", "_hi")]
    if against is None:
        out |= {name: row[name] for name in (*METRICS, *ends) if name in row}
        out |= {"tp": row["tp"], "tie": None, "published": None, "error": None, "source": "compare"}
    else:
        out |= {metric: against[f"predicted_{metric}"] for metric in METRICS}
        out |= {name: against[name] for name in ends if name in against}
        out |= {
            "tp": against["tp"],
            "tie": against["tie"],
            "published": {metric: against[metric] for metric in METRICS},
            "error": {metric: against[f"error_{metric}"] for metric in METRICS},
            "source": "compare --against",
        }
    out |= {"scope": row["scope"], "scope_reasons": row["scope_reasons"]}
    return out | {"text": _text(out)}


def _text(row: Mapping[str, Any]) -> str:
    name = f"MTP {row['mtp']}" if row["mtp"] else "Off"
    if row["total_tok_s_gpu"] is None:
        return f"at {row['at']:.10g} tok/s/user the {name} curve does not exist, and nothing is extrapolated"
    parts = [f"at {row['at']:.10g} tok/s/user {name} delivers {row['total_tok_s_gpu']:.0f} tok/s/GPU"]
    parts += [f"at {row['cost_usd_per_mtok']:.3f} USD per million tokens"] if row["cost_usd_per_mtok"] else []
    parts.append(f"with {row['concurrency']:.0f} clients")
    return " ".join(parts)
