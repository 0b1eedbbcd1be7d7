"""All figures in one place: each takes data and returns a matplotlib Figure that nothing else holds on to."""

from __future__ import annotations

from dnas.report.curves import search_curves
from dnas.report.drawing import architecture_drawing
from dnas.report.heatmap import alpha_heatmap
from dnas.report.style import save_figure
from dnas.report.tradeoff import Point, accuracy_latency

__all__ = [
    "Point",
    "accuracy_latency",
    "alpha_heatmap",
    "architecture_drawing",
    "save_figure",
    "search_curves",
]
