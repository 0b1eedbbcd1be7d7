"""Every kind of fault is found where it is, and nothing where nothing is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnas.data.findings import findings
from dnas.data.survey import survey


def copy(folder: Path, source: str, target: str) -> None:
    (folder / target).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / source, folder / target)


def many(folder: Path) -> None:
    random = np.random.default_rng(1)
    for number in range(3, 31):
        pixels = random.integers(0, 256, (4, 4), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "train" / "dog" / f"{number}.png")


def blank(folder: Path) -> None:
    for number in range(2):
        Image.new("L", (4, 4), number).save(folder / "val" / "cat" / f"{number}.jpg")


def turned(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    with Image.open(folder / "val" / "cat" / "0.jpg") as image:
        image.save(folder / "val" / "cat" / "2.jpg", exif=exif)


def several(folder: Path) -> None:
    frames = [Image.linear_gradient("L"), Image.radial_gradient("L")]
    frames[0].save(folder / "val" / "dog" / "2.webp", save_all=True, append_images=frames[1:])


KINDS: dict[str, tuple[Callable[[Path], object], bool, str, tuple[str, ...]]] = {
    "damaged": (
        lambda folder: (folder / "val" / "dog" / "1.jpg").write_bytes(b"no"),
        True,
        "1 image file(s) cannot be decoded:",
        ("val/dog/1.jpg (no image format that is known, it begins with 'no')",),
    ),
    "two classes": (
        lambda folder: copy(folder, "train/cat/0.jpg", "train/dog/x.jpg"),
        True,
        "1 image(s) have more than one class, in equal files:",
        ("train/cat/0.jpg = train/dog/x.jpg",),
    ),
    "two splits": (
        lambda folder: copy(folder, "train/cat/0.jpg", "val/cat/x.jpg"),
        True,
        "1 image(s) are in train and in val, in equal files:",
        ("train/cat/0.jpg = val/cat/x.jpg",),
    ),
    "twice": (
        lambda folder: copy(folder, "train/cat/0.jpg", "train/cat/x.jpg"),
        False,
        "1 image(s) are there more than once in their class, in equal files; a validation split cut from"
        " train may share them:",
        ("train/cat/0.jpg = train/cat/x.jpg",),
    ),
    "no val": (
        lambda folder: shutil.rmtree(folder / "val"),
        True,
        "There is no folder val: 'dnas fit' needs train and val.",
        (),
    ),
    "empty": (
        lambda folder: [path.unlink() for path in (folder / "val" / "cat").iterdir()],
        True,
        "1 class(es) have no image in val:",
        ("cat",),
    ),
    "alone": (
        lambda folder: shutil.rmtree(folder / "val" / "cat"),
        True,
        "1 class(es) are in train and not in val:",
        ("cat",),
    ),
    "one class": (
        lambda folder: [shutil.rmtree(folder / part / "dog") for part in ("train", "val")],
        True,
        "There is one class, where a classifier needs two, in a folder each:",
        ("cat",),
    ),
    "blank": (blank, True, "All images of 1 class(es) are of one colour all over:", ("val/cat",)),
    "unequal": (
        many,
        False,
        "Classes are of very different size in train: cat has 3 images, dog 31.",
        (),
    ),
    "turned": (turned, False, "1 image(s) are turned as their orientation tag says.", ()),
    "several": (several, False, "1 image(s) have several frames, of which the first is used.", ()),
    "hidden": (
        lambda folder: (folder / "train" / ".cache").mkdir(),
        False,
        "Left out: 1 hidden folder(s) (.cache).",
        (),
    ),
}


def test_nothing_is_found_in_a_sound_folder(folder: Path) -> None:
    assert findings(survey(folder, 0)) == []
    assert findings(survey(folder / "val", 0)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_one_fault_is_one_finding(kind: str, folder: Path) -> None:
    make, is_problem, text, names = KINDS[kind]
    make(folder)
    first, *more = findings(survey(folder, 0))
    assert (first.text, first.names, first.is_problem) == (text, names, is_problem)
    assert len(more) == (1 if kind == "blank" else 0)  # the images, beside their class
