"""The metrics that an axis of the page can show."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from simulator.results.columns import UNITS


@dataclass(frozen=True)
class Metric:
    """A column of a prediction as an axis: its label, and which end of it is better."""

    name: str
    label: str
    better: Literal["high", "low"]

    def as_json(self) -> dict[str, Any]:
        """With its unit."""
        return {**asdict(self), "unit": UNITS[self.name]}


METRICS = (
    Metric("interactivity_tok_s_user", "Interactivity", "high"),
    Metric("total_tok_s_gpu", "Throughput, input + output", "high"),
    Metric("output_tok_s_gpu", "Output throughput", "high"),
    Metric("cost_usd_per_mtok", "Cost", "low"),
    Metric("tok_s_per_mw", "Throughput per power", "high"),
    Metric("mean_tpot_ms", "Mean TPOT", "low"),
    Metric("median_tpot_ms", "Median TPOT", "low"),
    Metric("mean_ttft_ms", "Mean TTFT", "low"),
    Metric("median_ttft_ms", "Median TTFT", "low"),
    Metric("p99_ttft_ms", "p99 TTFT", "low"),
    Metric("mean_e2e_ms", "Mean E2E", "low"),
    Metric("concurrency", "Concurrency", "high"),
)
NAMES = tuple(metric.name for metric in METRICS)
