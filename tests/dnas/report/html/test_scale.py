"""Scales, their ticks, and labels that keep their distance."""

from __future__ import annotations

import pytest

from dnas.report.html.scale import Scale, spread


def test_scale_has_a_margin_on_both_sides() -> None:
    scale = Scale.around([10.0, 20.0, float("nan")], margin=0.1)
    assert (scale.low, scale.high) == (9.0, 21.0)
    assert scale.share(15.0) == 0.5


def test_equal_values_stand_in_the_middle_of_a_scale() -> None:
    scale = Scale.around([5.0, 5.0])
    assert scale.share(5.0) == pytest.approx(0.5)
    assert scale.high - scale.low == pytest.approx(0.1)


def test_nearly_equal_values_look_nearly_equal() -> None:
    scale = Scale.around([0.7, 0.7001])
    assert scale.share(0.7001) - scale.share(0.7) < 0.01


def test_zeros_give_a_scale() -> None:
    assert Scale.around([0.0]).share(0.0) == 0.5


def test_no_finite_values_still_give_a_scale() -> None:
    scale = Scale.around([float("inf")], margin=0.0)
    assert (scale.low, scale.high) == (0.0, 1.0)


def test_ticks_are_round_inside_and_written_alike() -> None:
    ticks = Scale(0.64, 0.721).ticks(5)
    assert [text for _, text in ticks] == ["0.64", "0.66", "0.68", "0.70", "0.72"]
    assert [value for value, _ in ticks] == pytest.approx([0.64, 0.66, 0.68, 0.7, 0.72])
    assert [text for _, text in Scale(0.0, 2600.0).ticks(6)] == [
        "0",
        "500",
        "1,000",
        "1,500",
        "2,000",
        "2,500",
    ]
    assert [text for _, text in Scale(-0.1, 0.6).ticks(3)] == ["0.0", "0.5"]


@pytest.mark.parametrize("low", [0.0, 8.37, -3.2, 1e6])
@pytest.mark.parametrize("span", [1e-3, 0.07, 3.0, 4e5])
def test_every_scale_has_a_tick_inside(low: float, span: float) -> None:
    ticks = Scale(low, low + span).ticks(5)
    assert 1 <= len(ticks) <= 6
    assert all(low - 1e-9 * span <= value <= low + span * (1 + 1e-9) for value, _ in ticks)
    assert len({text for _, text in ticks}) == len(ticks)


def test_labels_keep_their_distance_and_their_order() -> None:
    assert spread([50.0, 52.0, 10.0], 10.0, 0.0, 100.0) == [50.0, 60.0, 10.0]


def test_labels_at_the_lower_end_are_pushed_back() -> None:
    assert spread([99.0, 98.0, 97.0], 10.0, 0.0, 100.0) == [100.0, 90.0, 80.0]


def test_labels_without_room_are_none() -> None:
    assert spread([1.0, 2.0, 3.0], 10.0, 0.0, 15.0) is None
    assert spread([], 10.0, 0.0, 15.0) == []
