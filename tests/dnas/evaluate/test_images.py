"""Folders of images: both layouts, the order of classes, and what is no such folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dnas.evaluate.images import Images
from dnas.runs.normalisation import Normalisation
from dnas.runs.preprocessing import IMAGENET, Preprocessing

COLOUR = Preprocessing.usual(8)
GREY = Preprocessing.usual(8, Normalisation((0.5,), (0.5,)))


def fill(folder: Path) -> None:
    """Classes of one, no and two images."""
    for name, number in {"b": 2, "a": 1, "aa": 0}.items():
        (folder / name).mkdir(parents=True)
        for index in range(number):
            Image.new("RGB", (20, 10), (255, 0, 0)).save(folder / name / f"{index}.jpg", quality=100)


@pytest.mark.parametrize("below", ["", "val"])
def test_classes_are_numbered_by_name(below: str, tmp_path: Path) -> None:
    fill(tmp_path / below)
    images = Images(tmp_path, COLOUR, 3)
    assert images.folder == tmp_path / below and len(images) == 3
    assert [images[index].label for index in range(3)] == [0, 2, 2]


def test_images_have_the_networks_channels(tmp_path: Path) -> None:
    fill(tmp_path)
    red = torch.tensor([1.0, 0.0, 0.0])
    expected = (red - torch.tensor(IMAGENET.mean)) / torch.tensor(IMAGENET.std)
    found = Images(tmp_path, COLOUR, 3)[0].image
    torch.testing.assert_close(found, expected[:, None, None].expand(3, 8, 8), atol=0.03, rtol=0)
    assert Images(tmp_path, GREY, 3)[0].image.shape == (1, 8, 8)


def flat(folder: Path) -> None:
    Image.new("RGB", (9, 9)).save(folder / "0.jpg")


def empty(folder: Path) -> None:
    for name in "abc":
        (folder / name).mkdir()


def of_other_types(folder: Path) -> None:
    empty(folder)
    (folder / "a" / "0.heic").touch()


@pytest.mark.parametrize(
    ("make", "classes", "message"),
    [
        (fill, 1000, r"has 3 folders of classes, the network has 1000 classes\. Expected FOLDER/val/CLASS"),
        (flat, 3, r"^No folders of classes in .*\. Expected FOLDER/val/CLASS/\*\.jpg"),
        (empty, 3, r"^No images in [^,]*\. Expected"),
        (of_other_types, 3, r", left out: 1 file\(s\) of other types \(0\.heic\)\. Expected"),
        (lambda folder: folder.rmdir(), 3, "^No folder "),
    ],
)
def test_what_is_no_such_folder(
    make: Callable[[Path], None], classes: int, message: str, tmp_path: Path
) -> None:
    make(tmp_path)
    with pytest.raises(ValueError, match=message):
        Images(tmp_path, COLOUR, classes)


def test_hidden_folders_are_left_out_and_deep_images_turned(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / ".ipynb_checkpoints").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    ramp = np.repeat(np.linspace(0, 65535, 8).astype(np.uint16)[None], 8, 0)
    Image.fromarray(ramp).save(tmp_path / "aa" / "0.png", exif=exif)
    images, as_stored = (Images(tmp_path, GREY, 3, exif_orientation=turned) for turned in (True, False))
    assert images.left_out.counts == {"hidden folder(s)": 1}
    assert [label for _, label in images.files] == [0, 1, 2, 2]
    assert images[1].fault == "" and (images[1].image[0].diff(dim=0) > 0).all()
    assert torch.equal(images[1].image, as_stored[1].image.mT)
