"""The course of a search over its epochs: latency, accuracy, loss and how undecided alpha still is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dnas.report.history import History
from dnas.report.style import BLUE, GREEN, INK, ORANGE, PURPLE, TEXT_PT, VERMILION, new_figure, tidy

PANEL_HEIGHT_IN = 2.75
WIDEST_OF_TWO_LABELS = 18


@dataclass(frozen=True)
class Curve:
    """One line: the metric's column in the history, what it is, and the factor to the panel's unit."""

    column: str
    label: str
    colour: str
    marker: str = "o"
    scale: float = 1.0


@dataclass(frozen=True)
class Panel:
    """Curves of one unit. In a panel of fractions, values outside [0, 1] are refused.

    A panel of latencies takes the target and says what kind of latency it shows.
    """

    quantity: str
    curves: tuple[Curve, ...]
    fraction: bool = False
    latency: bool = False


SEARCH_PANELS = (
    Panel(
        "latency (ms)",
        (
            Curve("expected_latency_ms", "expected", BLUE),
            Curve("argmax_latency_ms", "argmax network", ORANGE, "s"),
        ),
        latency=True,
    ),
    Panel(
        "one-shot top-1 accuracy (%)",
        (
            Curve("val_top1", "argmax network", ORANGE, "s", scale=100),
            Curve("sample_top1", "sampled network", GREEN, "^", scale=100),
            Curve("train_top1", "supernet, training", BLUE, scale=100),
        ),
        fraction=True,
    ),
    Panel(
        "cross-entropy (nats)",
        (
            Curve("train_ce", "weights' split", BLUE),
            Curve("alpha_ce", "alpha's split", PURPLE, "D"),
            Curve("val_ce", "argmax network", ORANGE, "s"),
        ),
    ),
    Panel("loss", (Curve("train_loss", "training", BLUE), Curve("val_loss", "validation", ORANGE, "s"))),
    Panel("mean entropy of alpha (nats)", (Curve("entropy", "per layer", GREEN, "^"),)),
    Panel(
        "parameters (millions)",
        (
            Curve("expected_params", "expected", BLUE, scale=1e-6),
            Curve("argmax_params", "argmax network", ORANGE, "s", scale=1e-6),
        ),
    ),
)


def search_curves(
    history: History,
    *,
    target_ms: float | None = None,
    latency_kind: str = "",
    panels: Sequence[Panel] = SEARCH_PANELS,
) -> Figure:
    """Draw every panel of which ``history`` has a column; metrics that no panel names are not drawn.

    Points are what was logged; epochs without a finite value have none, and a metric without any is named as
    such.

    Args:
        history: see :func:`dnas.report.history.read_history`; accuracies are fractions, as in torchmetrics.
        target_ms: the latency that the search aimed at, drawn as a line.
        latency_kind: "measured", "assembled", "calibrated", ...: written on the axis.

    Raises:
        ValueError: nothing to draw, or accuracies outside [0, 1].
    """
    present = [panel for panel in panels if any(curve.column in history for curve in panel.curves)]
    if not present:
        known = ", ".join(curve.column for panel in panels for curve in panel.curves)
        raise ValueError(
            f"Nothing to draw: the history has {sorted(history.columns)}, the panels know {known}."
        )
    _check_fractions(history, present)
    rows = (len(present) + 1) // 2
    figure = new_figure(0.2 + PANEL_HEIGHT_IN * rows)
    for panel, axes in zip(present, _grid(figure, len(present)), strict=True):
        _draw(axes, history, panel)
        if panel.latency:
            axes.set_ylabel(f"{latency_kind} {panel.quantity}".strip())
            if target_ms is not None:
                label = f"target {target_ms:g} ms"
                axes.axhline(target_ms, color=VERMILION, linestyle="--", linewidth=1.3, label=label)
        _explain(axes)
    return figure


def _check_fractions(history: History, panels: Sequence[Panel]) -> None:
    names = [c.column for panel in panels if panel.fraction for c in panel.curves if c.column in history]
    ranges = {name: history.finite(name)[1] for name in names}
    bad = [
        f"{name} ({v.min():g} to {v.max():g})"
        for name, v in ranges.items()
        if v.size and (v.min() < 0 or v.max() > 1)
    ]
    if bad:
        raise ValueError(f"Accuracies must be fractions in [0, 1], not per cent: {', '.join(bad)}.")


def _grid(figure: Figure, count: int) -> list[Axes]:
    """Two panels per row; an odd last one takes the whole row."""
    grid = figure.add_gridspec((count + 1) // 2, 2)
    odd = count % 2
    places = [grid[index // 2, index % 2] for index in range(count - odd)]
    return [figure.add_subplot(place) for place in places + [grid[-1, :]] * odd]


def _draw(axes: Axes, history: History, panel: Panel) -> None:
    tidy(axes, grid="y")
    axes.set_xlabel("epoch")
    axes.set_ylabel(panel.quantity)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    first, last = int(history.epochs[0]), int(history.epochs[-1])
    margin = max(0.5, 0.03 * (last - first))
    axes.set_xlim(first - margin, last + margin)
    for curve in panel.curves:
        if curve.column in history:
            _plot(axes, history, curve)
    if not axes.dataLim.mutated():
        axes.set_yticks([])


def _explain(axes: Axes) -> None:
    labels = axes.get_legend_handles_labels()[1]
    # Above the plot a legend hides no point, wherever the curves run; long names stand below one another.
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=2 if max(map(len, labels)) <= WIDEST_OF_TWO_LABELS else 1,
        frameon=False,
        fontsize=TEXT_PT,
        labelcolor=INK,
        borderaxespad=0.2,
        handlelength=1.8,
        columnspacing=1.2,
    )


def _plot(axes: Axes, history: History, curve: Curve) -> None:
    epochs, values = history.finite(curve.column)
    label = curve.label if len(epochs) else f"{curve.label} (no finite value)"
    size = float(np.clip(90 / len(history), 2.0, 4.5))
    axes.plot(
        epochs,
        curve.scale * values,
        color=curve.colour,
        marker=curve.marker,
        markersize=size,
        linewidth=1.5,
        label=label,
    )
