"""Accuracy against latency: points in their units, the front, names, and what cannot be drawn told."""

from __future__ import annotations

import numpy as np
import pytest

from dnas.report.tradeoff import Point, accuracy_latency, front_indices

NAN = float("nan")
POINTS = [
    Point("fast", 8.0, 0.95, 4.9e6),
    Point("beaten", 9.5, 0.96, 5.5e6),
    Point("good", 9.0, 0.97, 5.16e6),
]


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts if text.get_text().strip()]


def test_points_front_names_and_axes():
    axes = accuracy_latency(POINTS, latency_kind="calibrated", top1_kind="one-shot top-1").axes[0]
    np.testing.assert_allclose(axes.collections[0].get_offsets(), [(8, 95), (9.5, 96), (9, 97)])
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [(8, 95), (9, 97)])
    assert axes.get_xlabel() == "calibrated latency (ms)" and axes.get_ylabel() == "one-shot top-1 (%)"
    assert sorted(texts(axes.figure)) == [
        "beaten\n5.50 M params",
        "fast\n4.90 M params",
        "good\n5.16 M params",
    ]


@pytest.mark.parametrize(
    ("latency", "top1", "front"),
    [
        ([1.0], [0.5], [0]),
        ([2, 1, 3], [0.6, 0.5, 0.7], [1, 0, 2]),
        ([1, 2, 3], [0.7, 0.6, 0.7], [0]),
        ([1, 1], [0.5, 0.6], [1]),
        ([1, 1], [0.5, 0.5], [0]),
        ([2, 1], [0.5, 0.5], [1]),
    ],
)
def test_front_by_hand(latency, top1, front):
    assert front_indices(np.array(latency), np.array(top1)).tolist() == front


def test_front_against_the_definition():
    rng = np.random.default_rng(0)
    for _ in range(50):
        latency, top1 = rng.integers(1, 6, 8).astype(float), rng.integers(0, 6, 8) / 10
        beaten = (latency <= latency[:, None]) & (top1 >= top1[:, None])
        beaten &= (latency < latency[:, None]) | (top1 > top1[:, None])
        best = {(latency[i], top1[i]) for i in range(8) if not beaten[i].any()}
        found = front_indices(latency, top1)
        assert {(latency[i], top1[i]) for i in found} == best and len(found) == len(best)


def test_unknown_values():
    points = [
        *POINTS,
        ("no accuracy", 7.0, NAN, 1e6),
        ("no latency", NAN, 0.9, 1e6),
        ("no count", 12.0, 0.9, NAN),
    ]
    figure = accuracy_latency(points, latency_kind="measured")
    assert len(figure.axes[0].collections[0].get_offsets()) == 4
    assert "no count" in texts(figure)
    notes = "not shown (no latency or accuracy): no accuracy\nnot shown (no latency or accuracy): no latency"
    assert notes in texts(figure)


def test_nothing_that_can_be_shown():
    figure = accuracy_latency([("a", NAN, NAN, NAN)], latency_kind="measured")
    assert texts(figure) == ["not shown (no latency or accuracy): a"]
    assert not figure.axes[0].collections


def test_single_point_and_perfect_accuracy_stay_inside():
    axes = accuracy_latency([("a", 8.0, 1.0, 5e6)], latency_kind="measured").axes[0]
    assert axes.get_xlim()[0] < 8 < axes.get_xlim()[1]
    assert axes.get_ylim()[0] < 100 < axes.get_ylim()[1] < 101


def test_names_without_room_are_counted():
    crowd = [(f"a network with a long name {i}", 9.0, 0.9, 5e6) for i in range(60)]
    figure = accuracy_latency([*crowd, ("away", 19.0, 0.1, 5e6)], latency_kind="measured")
    named = [text for text in texts(figure) if "params" in text]
    assert f"no room for the names of {61 - len(named)} network(s)" in texts(figure)
    assert 0 < len(named) < 61


def test_everything_impossible_is_in_one_message():
    points = [("a", 8.0, 98.1, 5e6), ("b", 0.0, 0.9, 5e6), ("c", 8.0, 0.9, -1.0)]
    with pytest.raises(ValueError, match=r"a: top-1 98.1 .*; b: latency 0.0 ms; c: -1.0 parameters"):
        accuracy_latency(points, latency_kind="measured")
    with pytest.raises(ValueError, match="No networks"):
        accuracy_latency([], latency_kind="measured")
