"""Figures of a refinement show what they are given, and stay readable beside a hopeless network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnas.refine.figures import front_figure, hypervolume_figure, write_evolution_figures


def rows(number: int, **changes: float) -> list[dict[str, Any]]:
    made = [
        {"latency_ms": 8.0 + i / 10, "loss": 0.5 + i / 100, "top1": 0.9 - i / 100, "params": 5e6 + i}
        for i in range(number)
    ]
    made[-1] |= changes
    return made


@pytest.mark.parametrize(("quality", "label"), [("loss", "cross-entropy (nats)"), ("top1", "accuracy (%)")])
def test_points_axes_and_colours(quality: str, label: str) -> None:
    everything, front = rows(10), rows(3)
    figure = front_figure(everything, front, quality, "calibrated")
    axes, bar = figure.axes
    assert label in axes.get_ylabel() and axes.get_xlabel() == "calibrated latency (ms)"
    assert bar.get_ylabel() == "parameters (millions)"
    grey, coloured = axes.collections
    scale = 100 if quality == "top1" else 1
    for drawn, wanted in ((grey, everything), (coloured, front)):
        places = [(row["latency_ms"], scale * row[quality]) for row in wanted]
        np.testing.assert_allclose(drawn.get_offsets(), places)
    np.testing.assert_allclose(coloured.get_array(), [row["params"] / 1e6 for row in front])


def test_a_hopeless_network_does_not_flatten_the_others() -> None:
    figure = front_figure(rows(100, loss=50.0), rows(3), "loss", "measured")
    low, high = figure.axes[0].get_ylim()
    assert low < 0.5 and 1.4 < high < 3.0


def test_the_course_is_drawn_and_its_end_named() -> None:
    axes = hypervolume_figure([(6, 0.1), (12, 0.25)]).axes[0]
    assert axes.lines[0].get_xydata().tolist() == [[6.0, 0.1], [12.0, 0.25]]
    assert [text.get_text() for text in axes.texts] == ["0.2500"]


def test_nothing_to_show_is_no_figure(tmp_path: Path) -> None:
    write_evolution_figures(tmp_path, [], [], [], "loss", "measured")
    assert not list(tmp_path.iterdir())
