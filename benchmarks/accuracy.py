"""Print the accuracy table: every split, the goal, the model, the rival without a model, the noise floor.

python benchmarks/accuracy.py            # about five minutes on 2 cores
python benchmarks/accuracy.py --markdown # the table of docs/accuracy.md
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from simulator import evaluate, shipped_measurements
from simulator.cost.calibration import PRIORS, load_calibration
from simulator.fitting.coverage import shipped_rows
from simulator.fitting.coverage import splits as held_out_values
from simulator.fitting.frontiers import sweeps_of
from simulator.fitting.headline import point_errors
from simulator.fitting.held_out import shares as shares_inside
from simulator.fitting.problem import Evaluator
from simulator.fitting.shipped import RECIPES
from simulator.fitting.splits import (
    SplitResult,
    in_sample,
    leave_one_concurrency_out,
    pick,
    transfer,
    two_end_points,
    unseen_acceptance,
)
from simulator.measurements import MeasuredPoint, read_csv
from simulator.plots import measured_vs_predicted_figure, save

KINDS = ("total_tok_s_gpu", "tpot", "ttft")
COST_OF = {"total_tok_s_gpu": "throughput"}
Row = tuple[str, str, str, str, str]


def percents(errors: dict[str, float]) -> str:
    """Throughput / TPOT / TTFT in percent; a dash where it cannot be formed."""
    return " / ".join("-" if errors.get(k) is None else f"{100 * errors[k]:.1f}" for k in KINDS)


def row(result: SplitResult) -> Row:
    """One line of the table."""
    return result.name, result.goal, percents(result.model), percents(result.rival), percents(result.floor)


def zero_shot(data: dict[str, list[MeasuredPoint]]) -> Iterator[Row]:
    """No calibration: profiles and kernel priors against every row."""
    groups: list[tuple[str, str, list[MeasuredPoint]]] = [
        ("zero-shot ATOM Off", "6 / 7 / 25", pick(data["ATOM"], lambda r: r.spec == "off")),
        ("zero-shot ATOM MTP", "15 / 15 / 30", pick(data["ATOM"], lambda r: r.spec == "mtp")),
        ("zero-shot SGLang", "20 / 20 / 40", data["SGLang FP4"] + data["SGLang FP8"]),
    ]
    for name, goal, rows in groups:
        found = evaluate(rows, PRIORS).mape
        kinds = {"total_tok_s_gpu": found.get("total_tok_s_gpu"), "tpot": found.get("mean_tpot_ms")}
        kinds["ttft"] = found.get("mean_ttft_ms")
        yield name, goal, percents({k: v for k, v in kinds.items() if v is not None}), "- / - / -", "- / - / -"


def splits(data: dict[str, list[MeasuredPoint]], held_out: list[dict[str, Any]]) -> Iterator[Row]:
    """All splits of the accuracy table; the points predicted with their concurrency left out go to ``held_out``."""
    yield from zero_shot(data)
    for name, rows in data.items():
        yield row(in_sample(f"{name}: in sample", "2 / 2.5 / 8", rows))
    for name, rows in data.items():
        result, folds = leave_one_concurrency_out(f"{name}: leave one concurrency out", "3 / 3.5 / 10", rows)
        held_out += [point | {"group": name} for fold in folds for point in fold.points]
        yield row(result)
    off = pick(data["ATOM"], lambda r: r.spec == "off")
    by: list[tuple[str, str, Callable[[MeasuredPoint], bool], str]] = [
        ("8k/1k", "1k/1k", lambda r: r.isl == 8192, "5 / 5 / 15"),
        ("FP8", "FP4", lambda r: r.precision == "FP8", "4 / 4 / 15"),
    ]
    for a, b, first, goal in by:
        one, other = pick(off, first), [r for r in off if not first(r)]
        yield row(transfer(f"ATOM Off: fit {a} -> predict {b}", goal, one, other))
        yield row(transfer(f"ATOM Off: fit {b} -> predict {a}", goal, other, one))
    fp8 = pick(data["ATOM"], lambda r: r.precision == "FP8")
    yield row(unseen_acceptance("ATOM FP8: fit Off and AL = 1 -> predict MTP", "5 / 5 / 12", fp8))
    tp2, tp4 = pick(data["SGLang FP4"], lambda r: r.tp == 2), pick(data["SGLang FP4"], lambda r: r.tp == 4)
    yield row(transfer("SGLang FP4: fit TP2 -> predict TP4", "7 / 7 / 15", tp2, tp4))
    yield row(transfer("SGLang FP4: fit TP4 -> predict TP2", "7 / 7 / 15", tp4, tp2))
    ends, curves = two_end_points(
        "two end points per curve -> interior", "- / 4 / -", [r for d in data.values() for r in d]
    )
    yield row(ends)
    yield "  its worst curve, TPOT", "10", f"{100 * max(curves.values()):.1f}", "", ""
    for name, shares in shares_inside(held_out_values()).items():
        inside = {kind: shares[COST_OF.get(kind, kind)] for kind in KINDS}
        yield (
            f"inside 90 % intervals, % of values: {name}",
            "80 to 97",
            percents(inside),
            f"{100 * shares['all']:.1f}",
            "",
        )


def headline() -> Iterator[Row]:
    """The published MTP-against-Off table, predicted by the calibration that was fitted to it."""
    recipe = RECIPES[-1]
    calibration = load_calibration(recipe.name)
    published = list(read_csv(shipped_measurements(recipe.file)).frontier)
    sweeps = sweeps_of(published, "sglang", None)
    assert calibration.acceptance is not None
    evaluator = Evaluator(calibration.values(), calibration.acceptance.length, exact=True)
    for point in point_errors(evaluator, sweeps, published):
        errors = [point[f"error_{m}"] for m in ("total_tok_s_gpu", "cost_usd_per_mtok", "tok_s_per_mw")]
        text = " / ".join("-" if e is None else f"{100 * e:+.1f}" for e in errors)
        clients = "-" if point["predicted_concurrency"] is None else f"{point['predicted_concurrency']:.1f}"
        name = f"headline {point['spec']} at {point['interactivity_tok_s_user']:g} tok/s/user: throughput / cost / MW"
        yield name, "3 / 3 / 3", text, f"concurrency {clients} (published {point['concurrency']:g})", ""


def main() -> None:
    """Print the table as it is made."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--plot", metavar="FILE", help="draw every row predicted with its concurrency left out")
    arguments = parser.parse_args()
    markdown, held_out = arguments.markdown, []
    started = time.perf_counter()
    titles = ("split (MAPE %, throughput / TPOT / TTFT)", "goal", "mtpsim", "rival without a model", "noise floor")
    if markdown:
        print("| " + " | ".join(titles) + " |\n|---|---|---|---|---|")
    else:
        print(f"{titles[0]:66s} {titles[1]:>14s} {titles[2]:>20s} {titles[3]:>34s} {titles[4]:>18s}")
    for make in (lambda: splits(shipped_rows(), held_out), headline):
        for name, goal, model, rival, floor in make():
            if markdown:
                print(f"| {name} | {goal} | {model} | {rival} | {floor} |", flush=True)
            else:
                print(f"{name:66s} {goal:>14s} {model:>20s} {rival:>34s} {floor:>18s}", flush=True)
    if arguments.plot:
        title = "Every measured run, predicted by a fit that did not see its concurrency"
        save(measured_vs_predicted_figure(held_out, title), arguments.plot)
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
