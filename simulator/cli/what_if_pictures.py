"""What-if studies as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.plots.acceptance import acceptance_figure
from simulator.plots.depth import depth_figure
from simulator.plots.saving import save
from simulator.plots.sensitivity import sensitivity_figure
from simulator.plots.workload import workload_figure
from simulator.results import words
from simulator.what_if import Study


def draw_study(study: Study, path: str, measured: Sequence[Mapping[str, Any]] = ()) -> None:
    """The picture of its kind; ``measured`` marks points on the map of acceptance."""
    save(figure_of(study, measured), path)


def figure_of(study: Study, measured: Sequence[Mapping[str, Any]] = ()) -> Any:
    """The figure of a study."""
    tables, meta = study.tables, study.meta
    if study.kind == "workload":
        return workload_figure(tables["points"], "Where MTP pays: lengths and deployments")
    title = words.title(meta)
    if study.kind == "acceptance":
        return acceptance_figure(
            tables["points"], tables["break_even"], measured, f"{title}, MTP {meta['spec_tokens']}"
        )
    if study.kind == "depth":
        return depth_figure(tables["points"], tables["best"], int(meta["best_fixed_depth"]), title)
    of_gain = [[row for row in tables[name] if row["answer"] == "gain"] for name in ("tornado", "indices")]
    return sensitivity_figure(of_gain[0], of_gain[1], f"{title}, {meta['concurrency']} clients")
