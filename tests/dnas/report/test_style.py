"""Saving figures: formats, sizes, and files that are whole and always the same."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from matplotlib.image import imread

from dnas.report.style import figure_of, new_figure, save_figure


@pytest.fixture
def figure():
    made = new_figure(2.0, 4.0)
    made.add_subplot().plot([0, 1], [1, 0])
    return made


@pytest.mark.parametrize("name", ["curve", "curve.png", "curve.svg"])
def test_formats_replace_the_suffix(figure, tmp_path, name):
    files = save_figure(figure, tmp_path / "deep" / name, ("png", "svg"))
    assert [file.name for file in files] == ["curve.png", "curve.svg"]
    assert sorted(files) == sorted((tmp_path / "deep").iterdir()), "nothing else is left behind"


def test_dots_in_names_are_kept(figure, tmp_path):
    assert save_figure(figure, tmp_path / "below_8.5")[0].name == "below_8.5.png"


def test_png_has_150_dots_per_inch(figure, tmp_path):
    (file,) = save_figure(figure, tmp_path / "a")
    assert imread(file).shape[:2] == (300, 600)


def test_svg_is_the_same_every_time(figure, tmp_path):
    first, second = (save_figure(figure, tmp_path / name, ["svg"])[0] for name in "ab")
    assert ET.parse(first).getroot().tag.endswith("svg")
    assert first.read_bytes() == second.read_bytes()


def test_pdf_is_the_same_every_time(figure, tmp_path):
    first, second = (save_figure(figure, tmp_path / f"{name}.pdf", ["pdf"])[0] for name in "ab")
    assert first.name == "a.pdf" and first.read_bytes().startswith(b"%PDF")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("formats", [(), ("eps",), ("png", "gif")])
def test_other_formats_are_refused(figure, tmp_path, formats):
    with pytest.raises(ValueError, match="'png', 'svg' or 'pdf'"):
        save_figure(figure, tmp_path / "a", formats)
    assert not list(tmp_path.iterdir())


def test_failed_save_leaves_the_old_file_and_nothing_else(figure, tmp_path):
    (file,) = save_figure(figure, tmp_path / "a")
    before = file.read_bytes()
    figure.axes[0].set_title("$\\undefined{$")
    with pytest.raises(ValueError):
        save_figure(figure, tmp_path / "a")
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]


def test_figure_of_looks_through_parts():
    whole = new_figure(2.0)
    part = whole.subfigures(1, 2)[0]
    assert figure_of(part.add_subplot()) is whole
    assert figure_of(new_figure(2.0).add_subplot()) is not whole
