"""Accuracy against latency of several networks: what each further millisecond buys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from dnas.report.labels import place_labels
from dnas.report.style import BLUE, GREY, SMALL_PT, new_figure, tidy


class Point(NamedTuple):
    """One network: top-1 as a fraction, parameters as a count; NaN where not known."""

    label: str
    latency_ms: float
    top1: float
    params: float


def accuracy_latency(
    points: Sequence[tuple[str, float, float, float]], *, latency_kind: str, top1_kind: str = "top-1 accuracy"
) -> Figure:
    """Scatter networks, join those that no other one beats in both respects, name each with its parameters.

    Networks without a finite latency or accuracy are listed below the plot, and how many names found no room.

    Args:
        points: :class:`Point` or plain tuples (label, latency in ms, top-1 as a fraction, parameters).
        latency_kind: what the milliseconds are: "measured", "assembled", "calibrated", ...
        top1_kind: what the accuracy is, for instance "one-shot top-1 accuracy".

    Raises:
        ValueError: no points, or accuracies, latencies or parameters that cannot be; all in one message.
    """
    networks = [Point(*point) for point in points]
    _check(networks)
    shown = [p for p in networks if math.isfinite(p.latency_ms) and math.isfinite(p.top1)]
    figure = new_figure(4.6)
    axes = figure.add_subplot()
    tidy(axes, grid="both")
    axes.set_xlabel(f"{latency_kind} latency (ms)")
    axes.set_ylabel(f"{top1_kind} (%)")
    notes = [f"not shown (no latency or accuracy): {p.label}" for p in networks if p not in shown]
    # A line more than needed: whether there is room for every name is known only once the layout stands.
    note = _write_below(axes, "\n".join([*notes, " "]))
    nameless = _draw(axes, shown) if shown else 0
    notes += [f"no room for the names of {nameless} network(s)"] if nameless else []
    note.set_text("\n".join(notes))
    return figure


def front_indices(latency_ms: np.ndarray, top1: np.ndarray) -> np.ndarray:
    """Indices, fastest first, of the networks that no other one dominates: (n,), (n,) finite -> (k,) int.

    One dominates when it is at least as fast and as accurate, and better in one. Of equals the first stays.
    """
    best, kept = -np.inf, []
    for index in np.lexsort((-top1, latency_ms)):
        if top1[index] > best:
            best = top1[index]
            kept.append(int(index))
    return np.array(kept, dtype=np.int64)


def _check(points: Sequence[Point]) -> None:
    if not points:
        raise ValueError("No networks to draw: give at least one (label, latency_ms, top1, params).")
    problems = [
        f"{p.label}: top-1 {p.top1} is no fraction in [0, 1]" for p in points if p.top1 < 0 or p.top1 > 1
    ]
    problems += [f"{p.label}: latency {p.latency_ms} ms" for p in points if p.latency_ms <= 0]
    problems += [f"{p.label}: {p.params} parameters" for p in points if p.params < 0]
    if problems:
        raise ValueError(f"Not possible: {'; '.join(problems)}.")


def _write_below(axes: Axes, text: str) -> Text:
    return axes.annotate(
        text,
        xy=(0, 0),
        xycoords="axes fraction",
        xytext=(0, -36),
        textcoords="offset points",
        va="top",
        size=SMALL_PT,
        color=GREY,
    )


def _draw(axes: Axes, points: Sequence[Point]) -> int:
    """Draw points, front and names, those of the front first; returns how many names found no place."""
    places = np.array([(p.latency_ms, 100 * p.top1) for p in points])
    front = front_indices(places[:, 0], places[:, 1])
    axes.plot(*places[front].T, color=BLUE, linewidth=1.2, alpha=0.6, zorder=2)
    axes.scatter(places[:, 0], places[:, 1], s=36, color=BLUE, edgecolor="white", linewidth=0.8, zorder=3)
    axes.set_xlim(*_limits(places[:, 0]))
    low, high = _limits(places[:, 1])
    # No accuracy exceeds 100 %: only so much room above it that a point there is whole.
    axes.set_ylim(low, min(high, 100 + 0.03 * (100 - low)))
    order = [*front, *sorted(set(range(len(points))) - set(front))]
    return len(place_labels(axes, places[order], [_label(points[i]) for i in order], places[front]))


def _limits(values: np.ndarray) -> tuple[float, float]:
    """The range of the values and a margin of at least a tenth of a unit (ms, %)."""
    margin = max(0.1, 0.14 * float(np.ptp(values)))
    return float(values.min()) - margin, float(values.max()) + margin


def _label(point: Point) -> str:
    return f"{point.label}\n{point.params / 1e6:.2f} M params" if math.isfinite(point.params) else point.label
