"""The curves of a search: what is in the history is drawn in its unit, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from dnas.report.curves import SEARCH_PANELS, Curve, Panel, search_curves
from dnas.report.history import History

NAN = float("nan")


def history(**columns):
    return History(np.arange(len(next(iter(columns.values())))), columns)


def drawn(figure):
    """{y label: {legend entry: (epochs, values)}}."""
    return {
        axes.get_ylabel(): {
            line.get_label(): (np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist())
            for line in axes.lines
        }
        for axes in figure.axes
    }


def test_panels_of_what_is_there_in_their_units():
    data = history(
        expected_latency_ms=[9.0, 8.0], val_top1=[0.5, 0.75], expected_params=[5e6, 6e6], other=[1.0, 2.0]
    )
    assert drawn(search_curves(data)) == {
        "latency (ms)": {"expected": ([0, 1], [9.0, 8.0])},
        "one-shot top-1 accuracy (%)": {"argmax network": ([0, 1], [50.0, 75.0])},
        "parameters (millions)": {"expected": ([0, 1], [5.0, 6.0])},
    }


def test_epochs_without_a_value_have_no_point():
    curves = drawn(search_curves(history(entropy=[2.0, NAN, np.inf, 1.0])))
    assert curves["mean entropy of alpha (nats)"]["per layer"] == ([0, 3], [2.0, 1.0])


def test_metric_without_any_finite_value_is_named():
    figure = search_curves(history(val_top1=[NAN, NAN], entropy=[1.0, 1.0]))
    assert drawn(figure)["one-shot top-1 accuracy (%)"] == {"argmax network (no finite value)": ([], [])}
    assert not len(figure.axes[0].get_yticks()), "numbers beside nothing would mean nothing"


def test_target_and_kind_belong_to_the_latency_only():
    curves = drawn(
        search_curves(
            history(argmax_latency_ms=[9.0], entropy=[1.0]), target_ms=8.5, latency_kind="calibrated"
        )
    )
    assert set(curves) == {"calibrated latency (ms)", "mean entropy of alpha (nats)"}
    assert curves["calibrated latency (ms)"]["target 8.5 ms"][1] == [8.5, 8.5]
    assert set(curves["mean entropy of alpha (nats)"]) == {"per layer"}


def test_single_epoch_is_visible_and_labelled_by_whole_numbers():
    axes = search_curves(history(entropy=[1.0])).axes[0]
    low, high = axes.get_xlim()
    assert low < 0 < high
    assert axes.lines[0].get_marker() not in {"", "None", None}
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [0]


@pytest.mark.parametrize("count", range(1, len(SEARCH_PANELS) + 1))
def test_any_number_of_panels(count):
    data = history(**{panel.curves[0].column: [0.5, 0.5] for panel in SEARCH_PANELS[:count]})
    figure = search_curves(data)
    assert [axes.get_ylabel() for axes in figure.axes] == [panel.quantity for panel in SEARCH_PANELS[:count]]
    assert all(axes.get_xlabel() == "epoch" for axes in figure.axes)


def test_panels_are_data():
    panel = Panel("learning rate", (Curve("lr", "weights", "black", scale=10),))
    assert drawn(search_curves(history(lr=[0.1, 0.2]), panels=[panel])) == {
        "learning rate": {"weights": ([0, 1], [1.0, 2.0])}
    }


def test_per_cent_are_refused():
    with pytest.raises(ValueError, match=r"fractions.*val_top1 \(55 to 75\), train_top1 \(-0.1 to 0.5\)"):
        search_curves(history(val_top1=[55.0, 75.0], train_top1=[-0.1, 0.5], sample_top1=[0.0, 1.0]))


def test_nothing_to_draw():
    with pytest.raises(ValueError, match=r"has \['lr'\].*expected_latency_ms"):
        search_curves(history(lr=[0.1]))
