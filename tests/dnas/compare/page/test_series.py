"""Markers and colours of methods on the page."""

from __future__ import annotations

import re

import pytest

from dnas.compare.looks import COLOURS, MARKERS, PUBLISHED_MARKER, Look
from dnas.compare.page.series import ON_DARK, colours, legend, marker_path, symbols
from dnas.report.style import INK


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_square_is_a_square_of_the_size_of_markers() -> None:
    assert marker_path("s") == "M-4.5 4.5L4.5 4.5L4.5 -4.5L-4.5 -4.5Z"


def test_a_triangle_points_up_as_in_matplotlib() -> None:
    (_, top), *others = [
        tuple(map(float, pair)) for pair in re.findall(r"(-?[\d.]+) (-?[\d.]+)", marker_path("^"))
    ]
    assert top < 0
    assert all(y > 0 for _, y in others)


@pytest.mark.parametrize("name", [*MARKERS, PUBLISHED_MARKER])
def test_every_marker_is_closed_and_small(name: str) -> None:
    path = marker_path(name)
    assert re.fullmatch(r"M[-\d. MLQCZ]+Z", path)
    assert max(abs(float(number)) for number in re.findall(r"-?[\d.]+", path)) < 9


def test_markers_differ() -> None:
    paths = {marker_path(name) for name in (*MARKERS, PUBLISHED_MARKER)}
    assert len(paths) == len(MARKERS) + 1


@pytest.mark.parametrize("colour", [*COLOURS, INK])
def test_on_a_dark_page_every_colour_stands_out(colour: str) -> None:
    paper = luminance("#15181c")
    assert (luminance(ON_DARK[colour]) + 0.05) / (paper + 0.05) > 4.5
    assert len(set(ON_DARK.values())) == len(ON_DARK)


def test_series_have_their_symbols_and_colours() -> None:
    looks = [Look(COLOURS[0], "o"), Look(INK, PUBLISHED_MARKER)]
    assert re.findall(r'id="(m\d)"', symbols(looks)) == ["m0", "m1"]
    assert colours(looks, dark=False) == f".s0{{--c:{COLOURS[0]}}}.s1{{--c:{INK}}}"
    assert f".s1{{--c:{ON_DARK[INK]}}}" in colours(looks, dark=True)


def test_a_legend_names_what_it_shows() -> None:
    made = legend([(2, "a < b")])
    assert "a &lt; b" in made and 'href="#m2"' in made and 'class="legend"' in made
    assert 'class="legend narrow"' in legend([], narrow=True)
