"""Figures of results: the only room that imports matplotlib, through its object interface and never pyplot."""

from simulator.plots.curves import curves_figure
from simulator.plots.matched import comparison_figure
from simulator.plots.parity import measured_vs_predicted_figure
from simulator.plots.roofline import roofline_figure
from simulator.plots.saving import picture_format, save

__all__ = [
    "comparison_figure",
    "curves_figure",
    "measured_vs_predicted_figure",
    "picture_format",
    "roofline_figure",
    "save",
]
