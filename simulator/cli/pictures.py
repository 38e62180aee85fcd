"""Results as pictures."""

from __future__ import annotations

from simulator.fitting.evaluate import Evaluation
from simulator.measurements.cells import METRICS
from simulator.plots import comparison_figure, curves_figure, measured_vs_predicted_figure, roofline_figure, save
from simulator.prediction.compare import Matched
from simulator.prediction.explain import Explanation
from simulator.results import words
from simulator.results.table import ResultTable
from simulator.serving.scenario import Scenario


def draw_curves(table: ResultTable, path: str) -> None:
    """Throughput over interactivity and latencies over concurrency, one curve per TP and depth."""
    series = []
    for tp, k in dict.fromkeys((row["tp"], row["spec_tokens"]) for row in table.rows):
        rows = [row for row in table.rows if (row["tp"], row["spec_tokens"]) == (tp, k)]
        series.append({"label": f"TP{tp} {f'MTP {k}' if k else 'Off'}", "rows": rows})
    save(curves_figure(series, title=words.title(table.meta)), path)


def draw_comparison(matched: Matched, path: str) -> None:
    """Both fronts and the gain at each matched interactivity."""
    fronts = matched.fronts
    save(comparison_figure(fronts["mtp"], fronts["off"], matched.comparison, words.title(matched.meta)), path)


def draw_roofline(explanation: Explanation, scenario: Scenario, path: str) -> None:
    """The operators under the roof of the hardware; of two phases the decode round."""
    phase, account = next(iter(explanation.accounts.items()))
    title = f"{words.title(explanation.meta)}: {phase} at {explanation.concurrency} clients"
    save(roofline_figure(account, scenario.deployment.hardware, title), path)


def draw_evaluation(result: Evaluation, path: str, title: str = "Predicted against measured") -> None:
    """Parity of every metric, one group per engine, precision and speculation."""
    points = []
    for p in result.points:
        group = " ".join(str(p[g]) for g in ("engine", "precision", "spec") if g in p)
        for metric in METRICS:
            if p.get(f"predicted_{metric}") is None or p.get(metric) is None:
                continue
            point = {"metric": metric, "group": group, "measured": p[metric], "predicted": p[f"predicted_{metric}"]}
            point |= {"concurrency": p["concurrency"], "lo": p.get(f"{metric}_lo"), "hi": p.get(f"{metric}_hi")}
            points.append({k: v for k, v in point.items() if v is not None})
    save(measured_vs_predicted_figure(points, title), path)
