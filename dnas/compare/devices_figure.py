"""The matrix of devices as a figure: what networks chosen for one device lose on another."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnas.compare.model import Devices
from dnas.report.style import INK, SMALL_PT, TEXT_PT, new_figure

ROW_IN = 0.42
# Names of tables can be long; two panels share the width.
NAME_LETTERS = 24
# A colour scale of a range of nothing would make rounding look like a penalty.
LEAST_RANGE_PERCENT = 1.0


def devices_figure(devices: Devices) -> Figure:
    """Extra latency in %, and the share of the hypervolume that is kept; darker cells lose more."""
    names = [device.name for device in devices.devices]
    extra = _matrix([each.extra_percent for each in devices.transfers], len(names))
    kept = _matrix([each.kept_hypervolume for each in devices.transfers], len(names))
    figure = new_figure(1.9 + ROW_IN * len(names))
    left, right = figure.subplots(1, 2, sharey=True)
    largest = float(np.nanmax(extra, initial=LEAST_RANGE_PERCENT))
    _heat(left, extra, extra / largest, names, lambda value: f"{value:.1f}")
    _heat(right, 100 * kept, 1 - kept, names, lambda value: f"{value:.0f}")
    left.set_ylabel("networks chosen for", size=TEXT_PT, color=INK)
    left.set_title("extra latency at equal quality (%)", size=TEXT_PT, color=INK)
    right.set_title("hypervolume kept (%)", size=TEXT_PT, color=INK)
    return figure


def _matrix(values: Sequence[float | None], side: int) -> np.ndarray:
    """(side, side); NaN where there is no value."""
    numbers = [math.nan if value is None else value for value in values]
    return np.array(numbers, dtype=np.float64).reshape(side, side)


def _heat(
    axes: Axes, values: np.ndarray, lost: np.ndarray, names: Sequence[str], text: Callable[[float], str]
) -> None:
    """Cells as dark as their share ``lost``, in [0, 1], with their values; NaN stays blank."""
    axes.imshow(np.ma.masked_invalid(lost), cmap="Blues", vmin=0, vmax=1.25, aspect="auto")
    for row, column in np.argwhere(~np.isnan(values)):
        colour = "white" if lost[row, column] > 0.7 else INK
        written = text(values[row, column])
        axes.text(column, row, written, ha="center", va="center", size=SMALL_PT, color=colour)
    labels = [name if len(name) <= NAME_LETTERS else f"{name[: NAME_LETTERS - 1]}…" for name in names]
    axes.set_xticks(range(len(names)), labels, size=SMALL_PT, color=INK, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), labels, size=SMALL_PT, color=INK)
    axes.set_xlabel("run on", size=TEXT_PT, color=INK)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
