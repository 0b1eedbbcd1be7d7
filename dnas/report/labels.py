"""Names beside points so that no name covers another name, a point or a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from dnas.report.style import GREY, INK, SMALL_PT, figure_of

MARKER_PT = 4.0
# First the places next to the point, then farther ones with a thin line back to it.
DISTANCES_PT = (7.0, 14.0, 24.0, 38.0, 56.0, 78.0, 104.0)
NEXT_TO_PT = 11.0
# Right, left, above, below, then the diagonals, then what lies between.
STRAIGHT = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)]
BETWEEN = [(x, y) for x in (1, 0.5, -0.5, -1) for y in (1, 0.5, -0.5, -1) if abs(x) != abs(y)]
NOTHING = np.empty((0, 4))
DIRECTIONS = np.array(STRAIGHT + BETWEEN, dtype=float)


def place_labels(axes: Axes, points: np.ndarray, labels: Sequence[str], line: np.ndarray) -> list[int]:
    """Write ``labels[i]`` near ``points[i]``, in this order; returns the indices for which no place was free.

    The figure is laid out once and then kept, because a free place holds only for that layout.

    Args:
        axes: with final limits.
        points: (n, 2) in data coordinates.
        line: (k, 2) in data coordinates, corners of a line that no label may cover.
    """
    figure = figure_of(axes)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    pt = figure.dpi / 72
    pixels = axes.transData.transform(points)
    corners = axes.transData.transform(line)
    lines = [_dots(start, end) for start, end in pairwise(corners)]
    room = _Room(
        np.array(axes.bbox.extents), pt, _around(pixels, MARKER_PT * pt), np.concatenate([NOTHING, *lines])
    )
    left_out = []
    for index, (pixel, label) in enumerate(zip(pixels, labels, strict=True)):
        place = room.take(pixel, _text_size(axes, label))
        if place is None:
            left_out.append(index)
        else:
            _write(axes, points[index], label, place, pixel, pt)
    return left_out


@dataclass
class _Room:
    """What of the plot is taken: (n, 4) boxes in pixels of markers and texts, and lines as rows of dots."""

    inside: np.ndarray
    pt: float
    marks: np.ndarray
    lines: np.ndarray

    def take(self, point: np.ndarray, size: np.ndarray) -> np.ndarray | None:
        """(4,) the first free place for a text of (2,) ``size`` near ``point``, taken from now on, if any."""
        for distance in DISTANCES_PT:
            for direction in DIRECTIONS:
                corner = point + direction * distance * self.pt + (direction - 1) / 2 * size
                place = np.concatenate([corner, corner + size])
                leader = _leader(place, point, self.pt)
                if self._is_free(place, leader):
                    self.marks = np.concatenate([self.marks, place[None]])
                    self.lines = np.concatenate([self.lines, leader])
                    return place
        return None

    def _is_free(self, place: np.ndarray, leader: np.ndarray) -> bool:
        if (place[:2] < self.inside[:2]).any() or (place[2:] > self.inside[2:]).any():
            return False
        around = (place + np.array([-1, -1, 1, 1]) * 1.5 * self.pt)[None]
        return not (
            _overlap(around, self.marks) or _overlap(around, self.lines) or _overlap(leader, self.marks)
        )


def _overlap(some: np.ndarray, others: np.ndarray) -> bool:
    """Whether any of (n, 4) boxes overlaps any of (m, 4) boxes."""
    a, b = some[:, None], others[None]
    return bool(((a[..., :2] < b[..., 2:]) & (a[..., 2:] > b[..., :2])).all(axis=-1).any())


def _around(points: np.ndarray, radius: float) -> np.ndarray:
    """(n, 4) squares around (n, 2) points."""
    return np.concatenate([points - radius, points + radius], axis=-1)


def _dots(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(n, 4) a straight line as boxes of two pixels, no farther apart than that."""
    return _around(np.linspace(start, end, int(np.hypot(*(end - start)) / 2) + 2), 1.0)


def _nearest(place: np.ndarray, point: np.ndarray) -> np.ndarray:
    return np.clip(point, place[:2], place[2:])


def _leader(place: np.ndarray, point: np.ndarray, pt: float) -> np.ndarray:
    """The line from a text back to its point, up to the point's own marker; nothing when they are near."""
    start = _nearest(place, point)
    length = float(np.hypot(*(point - start)))
    if length <= NEXT_TO_PT * pt:
        return NOTHING
    return _dots(start, point + (start - point) * (2 * MARKER_PT * pt / length))


def _text_size(axes: Axes, label: str) -> np.ndarray:
    """(2,) width and height in pixels."""
    text = axes.text(0, 0, label, size=SMALL_PT)
    box = text.get_window_extent(FigureCanvasAgg(figure_of(axes)).get_renderer())
    text.remove()
    return np.array([box.width, box.height])


def _write(
    axes: Axes, point: np.ndarray, label: str, place: np.ndarray, pixel: np.ndarray, pt: float
) -> None:
    offset = (place[:2] - pixel) / pt
    start = (_nearest(place, pixel) - place[:2]) / (place[2:] - place[:2])
    line = {
        "arrowstyle": "-",
        "color": GREY,
        "linewidth": 0.6,
        "shrinkA": 1,
        "shrinkB": 3,
        "relpos": tuple(start),
    }
    axes.annotate(
        label,
        xy=(float(point[0]), float(point[1])),
        xytext=(float(offset[0]), float(offset[1])),
        textcoords="offset points",
        ha="left",
        va="bottom",
        size=SMALL_PT,
        color=INK,
        arrowprops=line if len(_leader(place, pixel, pt)) else None,
    )
