"""A plan as a picture."""

from __future__ import annotations

from simulator.planning.answer import Answer
from simulator.plots.planning import plan_figure
from simulator.plots.saving import save


def draw_plan(answer: Answer, path: str) -> None:
    """GPUs or rate of each option, and how close the winner comes to its promises."""
    meta = answer.meta
    asked = f"{meta['rate_per_s']:g} req/s" if meta["gpus"] is None else f"{meta['gpus']} GPUs"
    title = f"{meta['model']} on {meta['hardware']}: {asked}"
    rows = [row for row in (answer.winner, *answer.runners_up) if row is not None]
    save(plan_figure(rows, title, f"{meta['arrivals']};  {meta['lengths']}", rated=meta["gpus"] is not None), path)
