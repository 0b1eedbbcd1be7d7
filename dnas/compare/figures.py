"""The figures of a comparison for papers and pages, with the colours and markers of its HTML report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnas.compare.devices_figure import devices_figure
from dnas.compare.looks import (
    Example,
    Look,
    architecture_of,
    drawn_points,
    examples,
    latency_title,
    looks,
    mean_curve,
    pooled_front,
    quality_axis,
    quality_of,
    thinned,
)
from dnas.compare.model import Comparison, Curve, Estimate
from dnas.report.choice_grid import choice_columns, choice_grid
from dnas.report.drawing import architecture_drawing
from dnas.report.style import GREY, INK, PALE, SMALL_PT, TEXT_PT, new_figure, save_figure, tidy
from dnas.space import SearchSpace

ROW_IN = 0.3
MOST_WHISKERS = 5
DRAWINGS_PER_ROW = 3
MAPS_PER_ROW = 2
# What is about as wide as a drawing.
TITLE_LETTERS = 34


def write_comparison_figures(comparison: Comparison, folder: str | Path) -> list[Path]:
    """Write every figure that there are data for as ``figures/NAME.png`` and ``.svg`` below ``folder``.

    Returns the files. Names: front, attainment, hypervolume, course, budgets, cost, agreement, choices,
    architectures, devices.

    Raises:
        ValueError: (a subclass of it) the comparison's space is none, or a member does not fit it.
    """
    space = SearchSpace.from_dict(comparison.space)
    written: list[Path] = []
    for name, figure in comparison_figures(comparison, space):
        written += save_figure(figure, Path(folder) / "figures" / name, ("png", "svg"))
    return written


def comparison_figures(comparison: Comparison, space: SearchSpace) -> Iterator[tuple[str, Figure]]:
    """(name, figure) one after the other; a figure without data is left out."""
    if any(any(runs) for runs in (drawn_points(m, comparison) for m in comparison.methods)):
        yield "front", front_figure(comparison)
    if any(method.attainment.median for method in comparison.methods):
        yield "attainment", attainment_figure(comparison)
    if comparison.methods:
        yield "hypervolume", hypervolume_figure(comparison)
    if any(run.curve for method in comparison.methods for run in method.runs):
        yield "course", course_figure(comparison)
    if comparison.budgets:
        yield "budgets", budgets_figure(comparison)
    if any(method.kind != "zoo" for method in comparison.methods):
        yield "cost", cost_figure(comparison)
    if comparison.agreement:
        yield "agreement", agreement_figure(comparison, space)
    if comparison.alpha_against_choices:
        yield "choices", choices_figure(comparison, space)
    yield from _networks_and_devices(comparison, space)


def _networks_and_devices(comparison: Comparison, space: SearchSpace) -> Iterator[tuple[str, Figure]]:
    if drawn := examples(comparison):
        yield "architectures", architectures_figure(drawn, space)
    if comparison.devices is not None:
        yield "devices", devices_figure(comparison.devices)


def front_figure(comparison: Comparison) -> Figure:
    """Every member of every run, with the latency's interval for a few of each method."""
    figure, axes = _plane(latency_title(comparison), quality_axis(comparison).title)
    for method, look in zip(comparison.methods, looks(comparison.methods), strict=True):
        points = [point for run in drawn_points(method, comparison) for point in run]
        x, y = [p.latency_ms for p in points], [quality_of(p, comparison) for p in points]
        size = 60 if method.kind == "zoo" else 26
        axes.scatter(
            x,
            y,
            s=size,
            c=look.colour,
            marker=look.marker,
            edgecolor="white",
            linewidth=0.5,
            label=method.name,
            zorder=3,
        )
        for p in thinned(pooled_front(method, comparison), MOST_WHISKERS):
            ends = [p.latency_low_ms, p.latency_high_ms]
            axes.plot(ends, [quality_of(p, comparison)] * 2, color=look.colour, alpha=0.45, linewidth=0.9)
    _explain(axes)
    return figure


def attainment_figure(comparison: Comparison) -> Figure:
    """Median attainment surfaces, shaded from what every run reaches to what the best one does."""
    axis = quality_axis(comparison)
    figure, axes = _plane(latency_title(comparison), axis.title)
    end = max(p.latency_ms for m in comparison.methods for run in drawn_points(m, comparison) for p in run)
    for method, look in zip(comparison.methods, looks(comparison.methods), strict=True):
        surface = method.attainment
        if surface.median:
            _steps(axes, surface.median, look, method.name, factor=axis.factor, end=end)
        if surface.worst:
            places = sorted({x for x, _ in (*surface.best, *surface.worst)} | {end})
            places = [x for x in places if x >= max(surface.worst[0][0], surface.best[0][0])]
            low, high = (axis.factor * _held(curve, places) for curve in (surface.worst, surface.best))
            axes.fill_between(places, low, high, step="post", color=look.colour, alpha=0.13, linewidth=0)
    _explain(axes)
    return figure


def course_figure(comparison: Comparison) -> Figure:
    """Hypervolume against evaluations: runs thin, their mean thick."""
    figure, axes = _plane("evaluated architectures", "hypervolume of three objectives")
    for method, look in zip(comparison.methods, looks(comparison.methods), strict=True):
        curves = [run.curve for run in method.runs if run.curve]
        for curve in curves:
            axes.plot(
                *np.array(curve).T, color=look.colour, drawstyle="steps-post", alpha=0.35, linewidth=0.8
            )
        if curves:
            _steps(axes, mean_curve(curves) or curves[0], look, method.name)
    _explain(axes)
    return figure


def hypervolume_figure(comparison: Comparison) -> Figure:
    """Mean, interval and runs of the hypervolume: of three objectives, and without the parameters."""
    figure = new_figure(1.1 + ROW_IN * len(comparison.methods))
    left, right = figure.subplots(1, 2, sharey=True)
    names = [method.name for method in comparison.methods]
    styles = looks(comparison.methods)
    short = quality_axis(comparison).short
    _dots(left, names, styles, [method.hypervolume for method in comparison.methods])
    _dots(right, names, styles, [method.hypervolume_plane for method in comparison.methods])
    left.set_xlabel(f"hypervolume: {short}, latency,\nparameters (share of the box)")
    right.set_xlabel(f"hypervolume: {short}, latency\n(share of the box)")
    return figure


def budgets_figure(comparison: Comparison) -> Figure:
    """The best quality within every latency budget, one panel each."""
    axis = quality_axis(comparison)
    budgets = sorted({budget.latency_ms for budget in comparison.budgets})
    names = [method.name for method in comparison.methods]
    figure = new_figure(0.6 + (0.4 + 0.8 * ROW_IN * len(names)) * len(budgets))
    panels = figure.subplots(len(budgets), 1, sharex=True, squeeze=False)[:, 0]
    for panel, ms in zip(panels, budgets, strict=True):
        within = {budget.method: budget.quality for budget in comparison.budgets if budget.latency_ms == ms}
        present = [index for index, name in enumerate(names) if name in within]
        styles = [looks(comparison.methods)[index] for index in present]
        estimates = [within[names[index]] for index in present]
        _dots(panel, [names[index] for index in present], styles, estimates, axis.factor)
        panel.set_title(f"within {ms:.2f} ms", size=TEXT_PT, color=GREY, loc="left")
    panels[-1].set_xlabel(axis.title)
    return figure


def cost_figure(comparison: Comparison) -> Figure:
    """Time of the search on top of the time that its weights took to train."""
    methods = [method for method in comparison.methods if method.kind != "zoo"]
    figure = new_figure(1.3 + ROW_IN * len(methods))
    axes = figure.add_subplot()
    tidy(axes, grid="x")
    rows = np.arange(len(methods))
    training = np.array([method.cost.training_seconds or 0.0 for method in methods]) / 60
    search = np.array([method.cost.seconds or 0.0 for method in methods]) / 60
    axes.barh(rows, training, color=PALE, height=0.6, label="training of the weights")
    axes.barh(rows, search, left=training, color=GREY, height=0.6, label="search")
    _rows(axes, [_cost_name(m.name, m.cost.seconds is None) for m in methods])
    axes.set_xlabel("minutes, mean of the runs")
    _explain(axes)
    return figure


def _cost_name(name: str, unknown: bool) -> str:
    return f"{name} (search not told)" if unknown else name


def agreement_figure(comparison: Comparison, space: SearchSpace) -> Figure:
    """Distance of choice frequencies: one row per pair of methods, one column per decision."""
    pairs = comparison.agreement
    figure = new_figure(1.3 + 0.24 * len(pairs))
    axes = figure.add_subplot()
    _heat(axes, np.array([pair.distances for pair in pairs]), [each.name for each in space.decisions])
    rows = [f"{pair.first} – {pair.second}: {pair.same_choice:.0%}" for pair in pairs]
    _rows(axes, rows)
    axes.set_title(
        "Distance of choice frequencies per layer (total variation, 0 to 100);\n"
        "beside the names: layers with the same most frequent choice",
        size=TEXT_PT,
        color=INK,
    )
    return figure


def choices_figure(comparison: Comparison, space: SearchSpace) -> Figure:
    """softmax(alpha) beside the choice frequencies that it is held against, layers x choices."""
    alphas = comparison.alpha_against_choices
    frequencies = {method.name: method.choice_frequencies for method in comparison.methods}
    maps = [(f"{alpha.method}: softmax(alpha)", alpha.probabilities) for alpha in alphas]
    others = dict.fromkeys(pair.second for alpha in alphas for pair in alpha.against)
    maps += [(name, frequencies[name]) for name in others]
    headings, _ = choice_columns(space)
    figure, grid = _grid(len(maps), MAPS_PER_ROW, 1.0 + 0.2 * len(space))
    for axes, (name, rows) in zip(grid, maps, strict=True):
        _heat(axes, choice_grid(rows, space), headings, least=0.05)
        _rows(axes, [each.name for each in space.decisions])
        axes.set_title(name, size=TEXT_PT, color=INK)
    return figure


def architectures_figure(drawn: Sequence[Example], space: SearchSpace) -> Figure:
    """One drawing per method and published network; colours are explained below the last one."""
    figure, grid = _grid(len(drawn), DRAWINGS_PER_ROW, 1.2 + 0.29 * len(space.layers))
    for axes, example in zip(grid, drawn, strict=True):
        name = fill(example.title, TITLE_LETTERS)
        title = f"{name}\n{example.reason}: {example.point.latency_ms:.2f} ms"
        last = example is drawn[-1]
        architecture_drawing(architecture_of(example.point, space), axes, title=title, legend=last)
    return figure


def _plane(x_title: str, y_title: str) -> tuple[Figure, Axes]:
    figure = new_figure(4.6)
    axes = figure.add_subplot()
    tidy(axes, grid="both")
    axes.set_xlabel(x_title)
    axes.set_ylabel(y_title)
    return figure, axes


def _explain(axes: Axes) -> None:
    # Below the plot a legend hides no point; names can be long.
    axes.figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=SMALL_PT, labelcolor=INK)


def _steps(
    axes: Axes, curve: Curve, look: Look, label: str, *, factor: float = 1.0, end: float | None = None
) -> None:
    x, y = np.array([*curve, *([(end, curve[-1][1])] if end is not None else [])]).T
    line = "--" if look.dashed else "-"
    axes.plot(x, factor * y, line, color=look.colour, drawstyle="steps-post", linewidth=1.8, label=label)


def _held(curve: Curve, places: Sequence[float]) -> np.ndarray:
    """The values of a step curve at places where it is defined."""
    x, y = np.array(curve).T
    values: np.ndarray = y[np.searchsorted(x, places, side="right") - 1]
    return values


def _dots(
    axes: Axes,
    names: Sequence[str],
    styles: Sequence[Look],
    estimates: Sequence[Estimate],
    factor: float = 1.0,
) -> None:
    tidy(axes, grid="x")
    for row, (look, estimate) in enumerate(zip(styles, estimates, strict=True)):
        values = [factor * value for value in estimate.values if value is not None]
        axes.scatter(values, [row] * len(values), s=12, color=look.colour, alpha=0.45, linewidth=0)
        if estimate.low is not None and estimate.high is not None:
            ends = [factor * estimate.low, factor * estimate.high]
            axes.plot(ends, [row, row], color=look.colour, linewidth=1.6)
        if estimate.mean is not None:
            axes.plot(factor * estimate.mean, row, marker=look.marker, color=look.colour, markersize=6)
    _rows(axes, names)


def _rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, size=SMALL_PT, color=INK)
    axes.set_ylim(len(names) - 0.5, -0.5)


def _heat(axes: Axes, grid: np.ndarray, headings: Sequence[str], least: float = 0.0) -> None:
    """Cells of shares in [0, 1], from ``least`` on with their per cent; NaN stays blank."""
    axes.imshow(np.ma.masked_invalid(grid), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.argwhere(np.nan_to_num(grid, nan=-1.0) >= least):
        share = grid[row, column]
        colour = "white" if share > 0.65 else INK
        axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", size=6.5, color=colour)
    slanted = max(map(len, headings)) > 4
    axes.set_xticks(range(len(headings)), headings, size=SMALL_PT, color=INK, rotation=90 if slanted else 0)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _grid(count: int, columns: int, row_in: float) -> tuple[Figure, list[Axes]]:
    """A figure with ``count`` axes, so many to a row."""
    rows = -(-count // columns)
    figure = new_figure(row_in * rows)
    places = figure.add_gridspec(rows, columns)
    return figure, [figure.add_subplot(places[i // columns, i % columns]) for i in range(count)]
