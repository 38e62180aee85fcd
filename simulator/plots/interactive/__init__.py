"""Figures to hover over and zoom, for notebooks: the only room beside the page that imports plotly."""

from simulator.plots.interactive.drawing import PlotlyFigure, draw_interactive

__all__ = ["PlotlyFigure", "draw_interactive"]
