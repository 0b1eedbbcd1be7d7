"""Figures of rank fidelity: predictors against stand-alone accuracy, and their correlations side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import fill
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnas.report.style import BLUE, GREY, INK, ORANGE, PALE, SMALL_PT, new_figure, tidy

PER_ROW = 3
PANEL_IN, ROW_IN = 2.5, 0.32
TITLE_LETTERS = 30


class Panel(NamedTuple):
    """A predictor of accuracy: of a supernet, or a trivial one (no supernet).

    Attributes:
        values: (n,) in the unit of ``label``; those that are not finite are not drawn.
        tau: Kendall's tau with its interval (value, low, high), NaN where undefined.
        lower_is_better: the axis is turned round, so that better is always to the right.
    """

    supernet: str
    name: str
    label: str
    values: np.ndarray
    tau: tuple[float, float, float]
    lower_is_better: bool = False

    @property
    def color(self) -> str:
        """Of supernets, and of what needs none."""
        return BLUE if self.supernet else ORANGE


def scatter_figure(panels: Sequence[Panel], top1: np.ndarray) -> Figure:
    """One panel per predictor, stand-alone accuracy upwards, predicted accuracy to the right.

    Args:
        top1: (n,) stand-alone accuracies, fractions.
    """
    rows = math.ceil(len(panels) / PER_ROW)
    figure = new_figure(PANEL_IN * rows + 0.3)
    grid = figure.subplots(rows, PER_ROW, sharey=True, squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        _scatter(axes, panel, 100 * top1)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("stand-alone top-1 (%)")
    return figure


def tau_figure(panels: Sequence[Panel]) -> Figure:
    """Kendall's tau of every predictor with its interval; supernets in another colour than trivial ones."""
    figure = new_figure(ROW_IN * len(panels) + 0.9)
    axes = figure.add_subplot()
    tidy(axes, grid="x")
    for row, panel in enumerate(panels):
        value, low, high = panel.tau
        axes.plot([low, high], [row, row], color=panel.color, linewidth=1.5)
        axes.plot([value], [row], "o", color=panel.color, markersize=5)
        if math.isnan(value):
            axes.text(0.0, row, " undefined", size=SMALL_PT, color=GREY, va="center")
    axes.set_yticks(range(len(panels)), [f"{panel.supernet} {panel.name}".strip() for panel in panels])
    axes.set_ylim(len(panels) - 0.5, -0.5)
    axes.set_xlim(*_limits([bound for panel in panels for bound in panel.tau]))
    axes.axvline(0, color=PALE, linewidth=1.2, zorder=0)
    axes.set_xlabel("Kendall tau with stand-alone accuracy (1: the same order, 0: chance)")
    return figure


def _scatter(axes: Axes, panel: Panel, top1: np.ndarray) -> None:
    tidy(axes, grid="both")
    shown = np.isfinite(panel.values)
    axes.scatter(
        panel.values[shown],
        top1[shown],
        s=16,
        color=panel.color,
        alpha=0.75,
        edgecolor="white",
        linewidth=0.4,
    )
    value, low, high = panel.tau
    told = "tau undefined" if math.isnan(value) else f"tau {value:.2f} [{low:.2f}, {high:.2f}]"
    told += "" if shown.all() else f"\n{np.sum(~shown)} not finite, not shown"
    title = fill(panel.supernet, TITLE_LETTERS)
    axes.set_title(f"{title}\n{told}".strip(), size=SMALL_PT, color=INK, loc="left")
    axes.set_xlabel(panel.label)
    axes.locator_params(axis="x", nbins=5)
    if panel.lower_is_better:
        axes.invert_xaxis()


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """From 0, or below it, to 1, with a margin."""
    known = [value for value in values if not math.isnan(value)]
    return min(0.0, *known, 0.0) - 0.05, 1.05
