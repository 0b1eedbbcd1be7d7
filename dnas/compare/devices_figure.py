"""The matrix of devices as a figure: what networks chosen for one device lose on another."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnas.compare.looks import darkest_percent
from dnas.compare.model import Devices, Transfer
from dnas.report.style import INK, SMALL_PT, TEXT_PT, new_figure

ROW_IN = 0.48
# Names of tables can be long; two panels share the width.
NAME_LETTERS = 26


def devices_figure(devices: Devices) -> Figure:
    """Extra latency with the reach of the interval, and hypervolume kept, in %; dark cells lose more."""
    names = [device.name for device in devices.devices]
    figure = new_figure(1.9 + ROW_IN * len(names))
    left, right = figure.subplots(1, 2, sharey=True)
    extra = [each.extra_percent for each in devices.transfers]
    kept = [each.kept_hypervolume for each in devices.transfers]
    _heat(left, _matrix(extra, names) / darkest_percent(devices), list(map(_extra, devices.transfers)))
    _heat(right, 1 - _matrix(kept, names), ["" if share is None else f"{100 * share:.1f}" for share in kept])
    _name(left, names, "extra latency at equal quality (%),\n± the table's 90 % interval")
    _name(right, names, "hypervolume of quality and latency\nthat is kept (%)")
    left.set_ylabel("networks chosen for", size=TEXT_PT, color=INK)
    return figure


def _extra(each: Transfer) -> str:
    if each.extra_percent is None:
        return ""
    reach = f"\n±{each.interval_percent:.1f}" if each.interval_percent else ""
    return f"{each.extra_percent:.1f}{reach}"


def _matrix(values: Sequence[float | None], names: Sequence[str]) -> np.ndarray:
    """(devices, devices); NaN where there is no value."""
    numbers = [math.nan if value is None else value for value in values]
    return np.array(numbers, dtype=np.float64).reshape(len(names), len(names))


def _heat(axes: Axes, lost: np.ndarray, texts: Sequence[str]) -> None:
    """Cells as dark as their share ``lost``, in [0, 1], with their texts; NaN stays blank."""
    axes.imshow(np.ma.masked_invalid(lost), cmap="Blues", vmin=0, vmax=1.25, aspect="auto")
    for (row, column), text in zip(np.ndindex(lost.shape), texts, strict=True):
        colour = "white" if lost[row, column] > 0.7 else INK
        axes.text(column, row, text, ha="center", va="center", size=SMALL_PT, color=colour)


def _name(axes: Axes, names: Sequence[str], title: str) -> None:
    labels = [name if len(name) <= NAME_LETTERS else f"{name[: NAME_LETTERS - 1]}…" for name in names]
    axes.set_xticks(range(len(names)), labels, size=SMALL_PT, color=INK, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), labels, size=SMALL_PT, color=INK)
    axes.set_xlabel("run on", size=TEXT_PT, color=INK)
    axes.set_title(title, size=TEXT_PT, color=INK)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
