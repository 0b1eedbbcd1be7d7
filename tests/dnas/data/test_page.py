"""The page has a row for every class, or for some spread over all, and names as they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dnas.data.page import GAP, MOST_CLASSES, SIDE, draw, write_page
from dnas.data.survey import survey


def titles(folder: Path) -> list[str]:
    return [title for axes in draw(survey(folder, 0)).axes if (title := axes.get_title(loc="left"))]


def test_classes_and_their_images(folder: Path) -> None:
    (folder / "train" / "dog" / "x.jpg").write_bytes(b"damaged")
    figure = draw(survey(folder, 0))
    assert titles(folder) == ["cat (3)", "dog (3)"]
    strips = [axes.images[0].get_array() for axes in figure.axes]
    for strip in strips:
        assert strip is not None
        assert (strip[:, 2 * (SIDE + GAP) : 3 * (SIDE + GAP) - GAP] < 255).any()
        assert (strip[:, 3 * (SIDE + GAP) :] == 255).all()  # the damaged one has no place


def test_many_classes_and_odd_names(folder: Path, recwarn: pytest.WarningsRecorder) -> None:
    for number in range(30):
        name = f"{number:02d} $a_b$ 漢字\n" + 40 * "x"
        (folder / "many" / name).mkdir(parents=True)
        shutil.copy(folder / "train" / "cat" / "0.jpg", folder / "many" / name)
    found = titles(folder / "many")
    assert len(found) == MOST_CLASSES
    assert found[0].startswith("'00 $a_b$ \\u") and found[-1].startswith("'29 ")
    assert write_page(survey(folder / "many", 0), folder / "page.svg").stat().st_size
    assert not recwarn.list


def test_nothing_to_show(folder: Path) -> None:
    for path in (folder / "train").rglob("*.jpg"):
        path.write_bytes(b"")
    assert titles(folder) == []
