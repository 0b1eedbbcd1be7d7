"""Images in a folder for each class, as ImageNet's validation images are usually kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.datasets import ImageFolder

from dnas.runs.preprocessing import Preprocessing

# Channels of a network -> what Pillow calls such an image.
MODES = {1: "L", 3: "RGB"}
EXPECTED = "Expected FOLDER/val/CLASS/*.jpg (or .png, ...), or FOLDER/CLASS/*.jpg"


class Example(NamedTuple):
    """(channels, crop, crop) image, its class, and its index if the file is damaged, else -1."""

    image: Tensor
    label: int
    damaged: int


class Images(Dataset[Example]):
    """Preprocessed images of ``folder/val/CLASS``, or of ``folder/CLASS`` where there is no ``val``.

    Classes are numbered in the order of their names, as torchvision's ``ImageFolder`` does; an empty folder
    is a class too.

    Args:
        folder: with ``val``, or with the classes.
        preprocessing: from a file to what the network takes.
        num_classes: of the network.

    Attributes:
        folder: of the classes.

    Raises:
        ValueError: no folders of classes, another number of them than the network's, no images.
    """

    def __init__(self, folder: str | Path, preprocessing: Preprocessing, num_classes: int) -> None:
        self.folder = _with_classes(Path(folder))
        try:
            found = ImageFolder(str(self.folder), allow_empty=True)
        except FileNotFoundError as error:  # it has no sub-folders
            raise ValueError(f"No folders of classes in {self.folder}. {EXPECTED}.") from error
        if len(found.classes) != num_classes:
            raise ValueError(
                f"{self.folder} has {len(found.classes)} folders of classes, the network has {num_classes} "
                f"classes. {EXPECTED}, with a folder for every class, in the order of the network's."
            )
        if not found.samples:
            raise ValueError(f"No images in {self.folder}. {EXPECTED}.")
        self.files: list[tuple[str, int]] = found.samples
        self._transform: Callable[[Image.Image], Tensor] = preprocessing.transform()
        channels, side = len(preprocessing.mean), preprocessing.crop
        self._mode, self._shape = MODES[channels], (channels, side, side)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Example:
        file, label = self.files[index]
        try:
            with Image.open(file) as image:
                return Example(self._transform(image.convert(self._mode)), label, -1)
        except Exception:  # whatever a damaged file makes its decoder stumble over
            # Not raised here: from a worker it would come with that process's traceback.
            return Example(torch.zeros(self._shape), label, index)


def _with_classes(folder: Path) -> Path:
    if not folder.is_dir():
        raise ValueError(f"No folder {folder}. {EXPECTED}.")
    return folder / "val" if (folder / "val").is_dir() else folder
