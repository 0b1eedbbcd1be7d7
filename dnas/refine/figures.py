"""Figures of a refinement: the front among everything evaluated, and the course of its hypervolume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dnas.report.style import BLUE, GREY, PALE, SMALL_PT, VERMILION, new_figure, save_figure, tidy

AXES = {"top1": ("one-shot top-1 accuracy (%)", 100.0), "loss": ("one-shot cross-entropy (nats)", 1.0)}


def front_figure(
    everything: Sequence[Mapping[str, Any]],
    front: Sequence[Mapping[str, Any]],
    quality: str,
    latency_kind: str,
) -> Figure:
    """Quality against latency: all networks in grey, the front coloured by parameters.

    Args:
        everything, front: rows with ``latency_ms``, ``params`` and the quality; the front is one of three
            objectives, so that some of its members look dominated here.
        quality: top1 (a fraction) or loss.
        latency_kind: what the milliseconds are: "measured", "assembled", "calibrated", ...
    """
    label, scale = AXES[quality]
    figure = new_figure(4.6)
    axes = figure.add_subplot()
    tidy(axes, grid="both")
    axes.scatter(
        [row["latency_ms"] for row in everything],
        [scale * row[quality] for row in everything],
        s=8,
        color=GREY,
        alpha=0.35,
        linewidth=0,
        label=f"evaluated ({len(everything)})",
    )
    shown = axes.scatter(
        [row["latency_ms"] for row in front],
        [scale * row[quality] for row in front],
        c=[row["params"] / 1e6 for row in front],
        cmap="viridis",
        s=26,
        edgecolor="white",
        linewidth=0.5,
        label=f"front ({len(front)})",
        zorder=3,
    )
    bar = figure.colorbar(shown, ax=axes)
    bar.set_label("parameters (millions)", size=SMALL_PT)
    bar.ax.tick_params(labelsize=SMALL_PT)
    axes.set_xlabel(f"{latency_kind} latency (ms)")
    axes.set_ylabel(label)
    _leave_out_the_worst(axes, np.array([scale * row[quality] for row in everything]), quality)
    axes.legend(frameon=False, fontsize=SMALL_PT)
    return figure


def hypervolume_figure(course: Sequence[tuple[int, float]]) -> Figure:
    """(evaluations, hypervolume as a share of the box) after each generation."""
    figure = new_figure(3.4)
    axes = figure.add_subplot()
    tidy(axes, grid="y")
    evaluations, worth = zip(*course, strict=True)
    axes.plot(evaluations, worth, color=BLUE, linewidth=1.5, drawstyle="steps-post")
    axes.plot(evaluations[-1:], worth[-1:], "o", color=VERMILION, markersize=4)
    axes.annotate(
        f"{worth[-1]:.4f}",
        (evaluations[-1], worth[-1]),
        # The curve only rises: above its end, to the left, there is room.
        xytext=(0, 6),
        textcoords="offset points",
        ha="right",
        size=SMALL_PT,
        color=GREY,
    )
    axes.margins(y=0.15)
    axes.set_xlim(left=0)
    axes.set_xlabel("architectures evaluated")
    axes.set_ylabel("hypervolume (share of the box)")
    axes.axhline(worth[-1], color=PALE, linewidth=0.8, zorder=0)
    return figure


def write_evolution_figures(
    folder: Path,
    everything: Sequence[Mapping[str, Any]],
    front: Sequence[Mapping[str, Any]],
    course: Sequence[tuple[int, float]],
    quality: str,
    latency_kind: str,
) -> None:
    """``front.png`` and ``hypervolume.png``, where there is something to show."""
    if front:
        save_figure(front_figure(everything, front, quality, latency_kind), folder / "front.png")
    if course:
        save_figure(hypervolume_figure(course), folder / "hypervolume.png")


def _leave_out_the_worst(axes: Any, values: np.ndarray, quality: str) -> None:
    """A few hopeless networks must not press all others into a line: the axis shows 98 % of them."""
    finite = values[np.isfinite(values)]
    if len(finite) < 50:
        return
    low, high = np.quantile(finite, (0.02, 1.0) if quality == "top1" else (0.0, 0.98))
    margin = 0.05 * max(high - low, 1e-3)
    axes.set_ylim(low - margin, high + margin)
