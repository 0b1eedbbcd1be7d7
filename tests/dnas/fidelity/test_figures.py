"""The figures: a panel per predictor, better to the right, what is undefined or infinite told."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnas.fidelity.figures import Panel, scatter_figure, tau_figure
from dnas.report.style import BLUE, ORANGE

NAN = float("nan")
TOP1 = np.array([0.8, 0.85, 0.9])
PANELS = [
    Panel("mine", "one-shot loss", "loss (nats)", np.array([0.3, 0.2, 0.1]), (1.0, 0.5, 1.0), True),
    Panel("mine", "one-shot top-1", "top-1 (%)", np.array([80.0, np.inf, 90.0]), (0.4, -0.3, 0.9)),
    Panel("", "parameters", "parameters (millions)", np.array([1.0, 2.0, 3.0]), (1.0, 0.5, 1.0)),
    Panel("", "depth", "layers", np.array([3.0, 3.0, 3.0]), (NAN, NAN, NAN)),
]


def shown(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_visible()]


def test_a_panel_each() -> None:
    loss, top1, parameters, depth = shown(scatter_figure(PANELS, TOP1))
    np.testing.assert_allclose(loss.collections[0].get_offsets(), [(0.3, 80), (0.2, 85), (0.1, 90)])
    assert loss.xaxis_inverted() and not top1.xaxis_inverted()
    assert loss.get_title(loc="left") == "mine\ntau 1.00 [0.50, 1.00]"
    assert loss.get_xlabel() == "loss (nats)" and loss.get_ylabel() == "stand-alone top-1 (%)"
    assert top1.get_title(loc="left") == "mine\ntau 0.40 [-0.30, 0.90]\n1 not finite, not shown"
    assert len(top1.collections[0].get_offsets()) == 2
    assert parameters.get_title(loc="left") == "tau 1.00 [0.50, 1.00]"
    assert depth.get_title(loc="left") == "tau undefined"


def test_taus_side_by_side() -> None:
    (axes,) = tau_figure(PANELS).axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["mine one-shot loss", "mine one-shot top-1", "parameters", "depth"]
    assert axes.yaxis_inverted()
    ranges = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2][:4]
    np.testing.assert_allclose(ranges, [(0.5, 1), (-0.3, 0.9), (0.5, 1), (NAN, NAN)])
    assert [line.get_color() for line in axes.lines[:8:2]] == [BLUE, BLUE, ORANGE, ORANGE]
    assert [text.get_text().strip() for text in axes.texts] == ["undefined"]
    low, high = axes.get_xlim()
    assert low < -0.3 and high > 1


def test_only_what_is_undefined() -> None:
    (axes,) = tau_figure(PANELS[3:]).axes
    assert axes.get_xlim() == (-0.05, 1.05)


def test_no_text_covers_another() -> None:
    long = [panel._replace(supernet="independent strictly fair of a long name") for panel in PANELS]
    figure = scatter_figure([*long, *PANELS], TOP1)
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in shown(figure)]
    overlaps = [(i, j) for i in range(len(boxes)) for j in range(i) if boxes[i].overlaps(boxes[j])]
    assert not overlaps
