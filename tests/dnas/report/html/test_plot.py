"""The frame of a chart: places, step curves, whiskers, direct labels."""

from __future__ import annotations

import re

import pytest

from dnas.report.html.plot import EndLabel, Frame, shortened
from dnas.report.html.scale import Scale

FRAME = Frame(Scale(0.0, 10.0), Scale(0.0, 1.0), "x (ms)", "y (%)", height=100)


def test_across_in_per_cent_down_in_pixels() -> None:
    assert FRAME.across(2.5) == "25%"
    assert FRAME.down(1.0) == 0.0
    assert FRAME.down(0.25) == 75.0


def test_steps_hold_their_value_until_the_next_corner() -> None:
    assert FRAME.steps(((1.0, 0.5), (4.0, 0.8))) == "M100 50H400V20"
    assert FRAME.steps(((1.0, 0.5),), end=10.0) == "M100 50H1000"


def test_steps_that_cannot_be_seen_are_left_out() -> None:
    curve = ((1.0, 0.5), (2.0, 0.50001), (3.0, 0.50002), (4.0, 0.8), (5.0, 0.80001))
    assert FRAME.steps(curve) == "M100 50H400V20H500V20"


def test_band_begins_where_both_curves_are_defined_and_ends_at_the_edge() -> None:
    upper, lower = ((1.0, 0.6), (5.0, 0.9)), ((2.0, 0.2),)
    expected = "M200 40L500 40L500 10L1000 10L1000 80L200 80Z"
    assert FRAME.band(upper, lower) == expected


def test_whiskers_stay_inside() -> None:
    assert FRAME.whiskers([(-1.0, 5.0, 0.5), (8.0, 11.0, 1.0)]) == "M0 50H500M800 0H1000"


def test_a_chart_has_titles_ticks_and_a_label() -> None:
    chart = FRAME.chart(label="a <chart>")
    assert "x (ms)" in chart and "y (%)" in chart
    assert 'aria-label="a &lt;chart&gt;"' in chart
    assert 'class="chart"' in chart


def test_names_at_the_end_of_lines_keep_apart_and_the_chart_leaves_room_for_them() -> None:
    chart = FRAME.chart(label="", ends=[EndLabel(0.5, "one", 0), EndLabel(0.51, "two", 1)])
    assert 'class="chart labelled"' in chart
    places = [float(y) for y in re.findall(r'<text x="19" y="([\d.]+)"', chart)]
    assert abs(places[0] - places[1]) >= 17


def test_too_many_names_are_left_to_the_legend() -> None:
    ends = [EndLabel(0.5, f"method {index}", index) for index in range(12)]
    chart = FRAME.chart(label="", ends=ends)
    assert "labelled" not in chart and "method 3" not in chart


@pytest.mark.parametrize(
    ("text", "shown"), [("short", "short"), ("x" * 26, "x" * 26), ("x" * 27, "x" * 25 + "…")]
)
def test_long_names_are_shortened(text: str, shown: str) -> None:
    assert shortened(text) == shown
