"""How sure the search is of every layer: softmax(alpha) as a heat map of decisions x choices."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from dnas.report.choice_grid import choice_columns, choice_grid, columns_have_names
from dnas.report.style import INK, PALE, SMALL_PT, TEXT_PT, VERMILION, WIDTH_IN, new_figure
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture

ROW_IN = 0.27
MOST_PRINTED_COLUMNS = 14


def alpha_heatmap(probabilities: ArrayLike, space: SearchSpace, chosen: Architecture | None = None) -> Figure:
    """Draw one row per decision, mostly a layer, and one column per choice name; colours are probabilities.

    Cells of choices that a decision does not have stay blank. Probabilities of 1 % and more are also written
    in per cent, in up to 14 columns. Layers with nearly the same choices share columns by name; when their
    names have little in common, columns are numbered and every cell carries its choice's name instead.

    Args:
        probabilities: (D, C) softmax(alpha); entries where ``space.valid`` is False are not looked at.
        chosen: the architecture to outline, for instance the derived one.

    Raises:
        ValueError: another shape, entries that are no probabilities, rows that do not sum to 1, or an
            architecture of another space; everything that is wrong in one message.
    """
    values = _checked(np.asarray(probabilities, dtype=np.float64), space, chosen)
    headings, columns = choice_columns(space)
    figure = new_figure(1.5 + ROW_IN * len(space))
    axes = figure.add_subplot()
    grid = choice_grid(values, space)
    _draw_cells(figure, axes, grid)
    if not columns_have_names(space):
        _write_names(axes, grid, space)
    elif len(headings) <= MOST_PRINTED_COLUMNS:
        _write_percentages(axes, grid)
    _label(axes, headings, space)
    if chosen is not None:
        _outline(axes, [row[index] for row, index in zip(columns, chosen.indices, strict=True)])
    return figure


def _checked(values: np.ndarray, space: SearchSpace, chosen: Architecture | None) -> np.ndarray:
    problems = []
    expected = (len(space), space.max_choices)
    if values.shape != expected:
        problems.append(f"expected an array of shape {expected} (decisions, choices), got {values.shape}")
    else:
        inside = np.where(space.valid, values, 0.0)
        bad = ~((inside >= 0) & (inside <= 1 + 1e-6)).all(axis=1)
        bad |= ~(np.abs(inside.sum(axis=1) - 1) < 1e-3)
        rows = [each.name for each, wrong in zip(space.decisions, bad, strict=True) if wrong]
        if rows:
            problems.append(
                f"not probabilities that sum to 1 in {', '.join(rows)} (softmax(alpha) is wanted)"
            )
    if chosen is not None and chosen.space != space:
        problems.append(f"the chosen architecture is of the space {chosen.space.name}")
    if problems:
        raise ValueError(f"Cannot draw probabilities of the space {space.name}: {'; '.join(problems)}.")
    return values


def _colours() -> LinearSegmentedColormap:
    """Pale to dark blue: probability 0 is still darker than the white of a cell that does not exist."""
    return LinearSegmentedColormap.from_list("probability", colormaps["Blues"](np.linspace(0.07, 1.0, 256)))


def _draw_cells(figure: Figure, axes: Axes, grid: np.ndarray) -> None:
    rows, columns = grid.shape
    edges_x, edges_y = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    # The scale ends at the largest value: in a young search all probabilities are close to 1/C.
    mesh = axes.pcolormesh(
        edges_x,
        edges_y,
        np.ma.masked_invalid(100 * grid),
        cmap=_colours(),
        vmin=0,
        vmax=100 * np.nanmax(grid),
        edgecolor="white",
        linewidth=1.0,
    )
    axes.invert_yaxis()
    bar = figure.colorbar(mesh, ax=axes, fraction=0.04, pad=0.015, aspect=30)
    bar.set_label("softmax(alpha) (%)", size=TEXT_PT, color=INK, labelpad=8)
    bar.ax.tick_params(labelsize=TEXT_PT, length=3)
    bar.outline.set_visible(False)


def _text_colour(share: float) -> str:
    return "white" if share > 0.65 else INK


def _write_percentages(axes: Axes, grid: np.ndarray) -> None:
    for row, column in np.argwhere(np.nan_to_num(grid) >= 0.01):
        value = grid[row, column]
        colour = _text_colour(value / np.nanmax(grid))
        axes.text(column, row, f"{100 * value:.0f}", ha="center", va="center", size=SMALL_PT, color=colour)


def _write_names(axes: Axes, grid: np.ndarray, space: SearchSpace) -> None:
    longest = max(len(name) for decision in space.decisions for name in decision.names)
    # About 0.6 em per letter must fit into a column of the plot's 6.6 inches.
    size = min(SMALL_PT, 6.6 / grid.shape[1] * 72 / (0.62 * longest))
    for row, decision in enumerate(space.decisions):
        for column, name in enumerate(decision.names):
            colour = _text_colour(grid[row, column] / np.nanmax(grid))
            axes.text(column, row, name, ha="center", va="center", size=size, color=colour)


def _label(axes: Axes, headings: list[str], space: SearchSpace) -> None:
    room = 0.8 * WIDTH_IN / len(headings)
    slanted = max(map(len, headings)) * SMALL_PT * 0.62 / 72 > room
    axes.set_xticks(range(len(headings)), headings, size=SMALL_PT, color=INK)
    if slanted:
        for label in axes.get_xticklabels():
            label.set(rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(space)), [each.name for each in space.decisions], size=SMALL_PT, color=INK)
    axes.set_xlabel("choice", size=TEXT_PT, color=INK)
    axes.set_ylabel("layer", size=TEXT_PT, color=INK)
    axes.tick_params(length=0)
    axes.spines[:].set_color(PALE)


def _outline(axes: Axes, columns: list[int]) -> None:
    for row, column in enumerate(columns):
        box = Rectangle(
            (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=VERMILION, linewidth=2, zorder=3
        )
        box.set_clip_on(False)
        axes.add_patch(box)
    sample = Line2D(
        [], [], linestyle="none", marker="s", markersize=9, fillstyle="none", color=VERMILION, mew=2
    )
    axes.legend(
        [sample],
        ["chosen"],
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        frameon=False,
        fontsize=TEXT_PT,
        borderaxespad=0.2,
    )
