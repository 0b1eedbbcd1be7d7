"""Labels of points: none covers another, a point or the line, wherever the points are."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from dnas.report.labels import MARKER_PT, place_labels
from dnas.report.style import new_figure

NO_LINE = np.empty((0, 2))


def placed(points, labels, line=NO_LINE):
    """Axes, boxes of the written texts by label, pixels of the points, indices left out."""
    axes = new_figure(4.0).add_subplot()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    left_out = place_labels(axes, np.array(points, dtype=float), labels, line)
    axes.figure.draw_without_rendering()
    # The box of the text alone, without its leader.
    boxes = {text.get_text(): Text.get_window_extent(text) for text in axes.texts}
    return axes, boxes, axes.transData.transform(points), left_out


@pytest.mark.parametrize(("spread", "least"), [(0.3, 12), (0.1, 9), (0.03, 5), (0.0, 4)])
def test_nothing_is_covered(spread, least):
    points = 0.5 + spread * np.random.default_rng(0).uniform(-1, 1, (12, 2))
    axes, boxes, pixels, left_out = placed(points, [f"network {i}\n5.2 M" for i in range(12)])
    assert len(boxes) + len(left_out) == 12 and len(boxes) >= least
    assert not [pair for pair in combinations(boxes, 2) if boxes[pair[0]].overlaps(boxes[pair[1]])]
    marker = MARKER_PT * axes.figure.dpi / 72
    markers = [Bbox([p - marker, p + marker]) for p in pixels]
    assert not [name for name, box in boxes.items() if box.count_overlaps(markers)]


def test_text_keeps_off_the_line():
    points, line = [(0.5, 0.5)], np.array([(0.0, 0.5), (1.0, 0.5)])
    axes, boxes, _, _ = placed(points, ["a network"], line)
    y = axes.transData.transform(line)[0, 1]
    assert not boxes["a network"].y0 <= y <= boxes["a network"].y1
    _, free, pixels, _ = placed(points, ["a network"])
    assert free["a network"].y0 < pixels[0, 1] < free["a network"].y1, (
        "without the line it stands beside the point"
    )


@pytest.mark.parametrize("point", [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (0.5, 1.0)])
def test_text_stays_inside_the_axes(point):
    axes, boxes, _, left_out = placed([point], ["network"])
    box = boxes["network"]
    assert not left_out
    assert axes.bbox.x0 - 1 <= box.x0 and box.x1 <= axes.bbox.x1 + 1
    assert axes.bbox.y0 - 1 <= box.y0 and box.y1 <= axes.bbox.y1 + 1


def test_first_come_first_served():
    points = [(0.5, 0.5)] * 40
    _, boxes, _, left_out = placed(points, [f"label number {i}" for i in range(40)])
    assert left_out and "label number 0" in boxes
    assert not {f"label number {i}" for i in left_out} & set(boxes)


def test_far_labels_have_a_line_back_and_near_ones_none():
    axes, boxes, pixels, _ = placed([(0.5, 0.5)] * 9, [str(i) * 6 for i in range(9)])
    pt = axes.figure.dpi / 72
    for text in axes.texts:
        box = boxes[text.get_text()]
        gap = np.hypot(*(pixels[0] - np.clip(pixels[0], box.min, box.max))) / pt
        assert (text.arrow_patch is not None) == (gap > 11.0)


def test_label_too_large_for_the_plot_is_left_out():
    assert placed([(0.5, 0.5)], ["wide " * 100])[3] == [0]


def test_leaders_cross_no_other_label():
    points = 0.5 + 0.05 * np.random.default_rng(3).uniform(-1, 1, (30, 2))
    axes, boxes, _, _ = placed(points, [f"network {i}" for i in range(30)])
    leaders = [text for text in axes.texts if text.arrow_patch is not None]
    assert leaders
    for text in leaders:
        own, target = boxes[text.get_text()], axes.transData.transform(text.xy)
        path = np.linspace(np.clip(target, own.min, own.max), target, 200)
        others = [box for name, box in boxes.items() if name != text.get_text()]
        assert not any(box.contains(*dot) for box in others for dot in path)
