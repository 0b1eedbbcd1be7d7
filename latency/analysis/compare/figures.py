"""Figures of a comparison: networks on one device against another, and where the milliseconds go."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnas.report import style
from latency.analysis.compare.devices import DeviceComparison

PANELS_PER_ROW = 2
MARKS = (
    (style.VERMILION, "o"),
    (style.GREEN, "s"),
    (style.ORANGE, "^"),
    (style.PURPLE, "D"),
    (style.INK, "P"),
    (style.YELLOW, "v"),
)
KIND_COLOURS = (
    style.BLUE,
    style.ORANGE,
    style.GREEN,
    style.VERMILION,
    style.PURPLE,
    style.SKY,
    style.YELLOW,
    style.INK,
)
OTHER = "other"


def scatter(comparison: DeviceComparison) -> Figure:
    """The first table's latency against every other one's, as MoGA's figure of CPU against GPU latency."""
    others = range(1, len(comparison.tables))
    columns = min(PANELS_PER_ROW, len(others))
    rows = math.ceil(len(others) / columns)
    figure = style.new_figure(4.2 * rows + 0.4)
    for place, other in enumerate(others, start=1):
        axes = figure.add_subplot(rows, columns, place)
        axes.scatter(
            comparison.latency_ms[0],
            comparison.latency_ms[other],
            s=7,
            color=style.SKY,
            alpha=0.6,
            linewidth=0,
        )
        for (name, ms), (colour, marker) in zip(
            comparison.named_ms.items(), MARKS * len(comparison.named_ms), strict=False
        ):
            axes.scatter(
                ms[0], ms[other], s=60, color=colour, marker=marker, edgecolor="white", label=name, zorder=3
            )
        _describe(axes, comparison, other)
    return figure


def kernel_bars(comparison: DeviceComparison) -> Figure | None:
    """Milliseconds by kind of kernel: a bar per network, a panel per table; None if no table knows them."""
    labels = [label for label in comparison.labels if comparison.kernels_ms[label]]
    if not labels:
        return None
    kinds = _largest_kinds(comparison)
    colours = {**dict(zip(kinds, KIND_COLOURS, strict=False)), OTHER: style.PALE}
    bars = sum(len(comparison.kernels_ms[label]) for label in labels)
    figure = style.new_figure(0.9 * len(labels) + 0.3 * bars + 0.9)
    panels = figure.subplots(len(labels), 1, squeeze=False, sharex=True)[:, 0]
    for axes, label in zip(panels, labels, strict=True):
        for network, kinds_ms in comparison.kernels_ms[label].items():
            _bar(axes, network, kinds_ms, kinds, colours)
        axes.invert_yaxis()
        axes.set_title(label, size=style.TEXT_PT, color=style.INK, loc="left")
        style.tidy(axes, grid="x")
    panels[-1].set_xlabel("latency (ms)")
    handles, names = _unique_legend(panels)
    figure.legend(handles, names, loc="outside lower center", ncols=5, frameon=False, fontsize=style.SMALL_PT)
    return figure


def _describe(axes: Axes, comparison: DeviceComparison, other: int) -> None:
    for index, write in ((0, axes.set_xlabel), (other, axes.set_ylabel)):
        write(f"{comparison.labels[index]} ({comparison.tables[index].kind}, ms)")
    tau = comparison.tau[0, other]
    text = "one of them ranks nothing" if np.isnan(tau) else f"Kendall tau {tau:.3f}"
    axes.set_title(text, size=style.TEXT_PT, color=style.INK)
    style.tidy(axes, grid="both")
    if comparison.named_ms:
        axes.legend(fontsize=style.SMALL_PT, frameon=False, labelcolor=style.INK)


def _largest_kinds(comparison: DeviceComparison) -> list[str]:
    """The kinds with a colour of their own, largest first."""
    totals: Counter[str] = Counter()
    for networks in comparison.kernels_ms.values():
        for kinds in networks.values():
            totals.update(kinds)
    return [kind for kind, _ in totals.most_common(len(KIND_COLOURS))]


def _bar(
    axes: Axes, network: str, kinds_ms: Mapping[str, float], kinds: list[str], colours: Mapping[str, str]
) -> None:
    parts = {kind: kinds_ms.get(kind, 0.0) for kind in kinds}
    parts[OTHER] = sum(kinds_ms.values()) - sum(parts.values())
    left = 0.0
    for kind, ms in parts.items():
        if ms > 1e-9:
            axes.barh(network, ms, left=left, color=colours[kind], label=kind)
            left += ms


def _unique_legend(panels: np.ndarray) -> tuple[list[Artist], list[str]]:
    found: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return list(found.values()), list(found)
