"""Figures of a profile: shift of the latency by every choice, and what decides the latency."""

from __future__ import annotations

from itertools import cycle

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnas.report import style
from dnas.report.choice_grid import choice_columns, choice_grid, columns_have_names
from dnas.space import SearchSpace
from latency.analysis.profile.cells import exact_shifts
from latency.analysis.profile.variance import VarianceShares
from latency.table import LatencyTable

ROW_IN = 0.27
MOST_PRINTED_COLUMNS = 14
# Of the attributes in their order, again from the first where there are many.
ATTRIBUTE_COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.SKY, style.YELLOW)


def shift_heatmap(table: LatencyTable) -> Figure:
    """Layers x choices: by how many ms each choice moves the mean latency (red: slower, blue: faster).

    Where layers have too few names in common for columns of one name, columns are numbered and cells have
    the names.
    """
    names, _ = choice_columns(table.space)
    grid = choice_grid(exact_shifts(table), table.space)
    printed, named = len(names) <= MOST_PRINTED_COLUMNS, columns_have_names(table.space)
    lines = 1 if named or not printed else 1.5
    figure = style.new_figure(1.5 + lines * ROW_IN * len(grid))
    axes = figure.add_subplot()
    # A space whose choices are all equally fast still needs a scale.
    limit = float(np.nanmax(np.abs(grid))) or 1.0
    mesh = axes.pcolormesh(
        np.ma.masked_invalid(grid),
        cmap=colormaps["RdBu_r"],
        vmin=-limit,
        vmax=limit,
        edgecolor="white",
        linewidth=1.0,
    )
    axes.invert_yaxis()
    if printed:
        _write_shifts(axes, grid, limit, None if named else table.space)
    _label_cells(axes, names, table.space)
    if not named:
        axes.set_xlabel("choice, numbered in the order of profile.csv", size=style.TEXT_PT, color=style.INK)
    bar = figure.colorbar(mesh, ax=axes, fraction=0.04, pad=0.015, aspect=30)
    bar.set_label(f"shift of the {table.kind} latency (ms)", size=style.TEXT_PT, color=style.INK)
    bar.ax.tick_params(labelsize=style.TEXT_PT, length=3)
    bar.outline.set_visible(False)
    return figure


def variance_bars(shares: VarianceShares, kind: str) -> Figure:
    """Left: every layer's share of the variance, by attribute; right: attributes over all layers."""
    figure = style.new_figure(1.6 + 0.22 * len(shares.space))
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _stack(left, shares)
    parts = {name: 100 * share for name, share in shares.parts.items()}
    bars = right.barh(list(parts), list(parts.values()), color=[_colours(shares)[name] for name in parts])
    right.bar_label(bars, fmt="%.1f %%", size=style.SMALL_PT, color=style.INK, padding=3)
    right.set_xlim(0, 1.3 * (max(parts.values()) or 1.0))
    for axes, title in ((left, "by layer"), (right, "over all layers")):
        axes.invert_yaxis()
        axes.set_xlabel(f"share of the variance, {kind} latency (%)")
        axes.set_title(title, size=style.TEXT_PT + 1, color=style.INK)
        style.tidy(axes, grid="x")
        axes.xaxis.label.set_size(style.SMALL_PT)
    return figure


def _write_shifts(axes: Axes, grid: np.ndarray, limit: float, named: SearchSpace | None) -> None:
    """Write the cells, under the names of their choices in the space ``named`` if there is one."""
    for row, column in np.argwhere(~np.isnan(grid)):
        value = grid[row, column]
        colour = "white" if abs(value) > 0.65 * limit else style.INK
        text = f"{value + 0.0:+.2f}" if abs(value) >= 0.005 else "0"
        text = f"{named.decisions[row].names[column]}\n{text}" if named else text
        axes.text(
            column + 0.5, row + 0.5, text, ha="center", va="center", size=style.SMALL_PT - 1, color=colour
        )


def _label_cells(axes: Axes, names: list[str], space: SearchSpace) -> None:
    axes.set_xticks(
        np.arange(len(names)) + 0.5,
        names,
        size=style.SMALL_PT,
        rotation=40,
        ha="right",
        rotation_mode="anchor",
    )
    axes.set_yticks(np.arange(len(space)) + 0.5, [each.name for each in space.decisions], size=style.SMALL_PT)
    axes.set_xlabel("choice", size=style.TEXT_PT, color=style.INK)
    axes.set_ylabel("layer", size=style.TEXT_PT, color=style.INK)
    axes.tick_params(length=0, colors=style.INK)
    axes.spines[:].set_visible(False)


def _stack(axes: Axes, shares: VarianceShares) -> None:
    start = np.zeros(len(shares.space))
    names = [each.name for each in shares.space.decisions]
    colours = _colours(shares)
    for part in shares.parts:
        widths = 100 * shares.shares[:, shares.names.index(part)]
        axes.barh(names, widths, left=start, color=colours[part], label=part)
        start += widths
    axes.legend(fontsize=style.SMALL_PT, frameon=False, labelcolor=style.INK)


def _colours(shares: VarianceShares) -> dict[str, str]:
    attributes = zip(shares.names[1:-1], cycle(ATTRIBUTE_COLOURS), strict=False)
    return {"skip": style.GREY, **dict(attributes), "interaction": style.PALE}
