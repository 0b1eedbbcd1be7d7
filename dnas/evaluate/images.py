"""Images in a folder for each class, as ImageNet's validation images are usually kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from PIL.Image import Image
from torch import Tensor
from torch.utils.data import Dataset

from dnas.images.decoding import ImageFault, decode
from dnas.images.folders import LeftOut, class_names, image_files
from dnas.runs.preprocessing import Preprocessing

# Channels of a network -> what Pillow calls such an image.
MODES = {1: "L", 3: "RGB"}
EXPECTED = "Expected FOLDER/val/CLASS/*.jpg (or .png, ...), or FOLDER/CLASS/*.jpg"


class Example(NamedTuple):
    """(channels, crop, crop) image, its class, and what is wrong with its file, "" for nothing."""

    image: Tensor
    label: int
    fault: str


class Images(Dataset[Example]):
    """Preprocessed images of ``folder/val/CLASS``, or of ``folder/CLASS`` where there is no ``val``.

    Classes are numbered in the order of their names, as torchvision's ``ImageFolder`` does; an empty folder
    is a class too, a hidden one is not.

    Args:
        folder: with ``val``, or with the classes.
        preprocessing: from a file to what the network takes.
        num_classes: of the network.
        exif_orientation: turn images as their orientation tags say.

    Attributes:
        folder: of the classes.
        left_out: what is no class and no image.

    Raises:
        ValueError: no folders of classes, another number of them than the network's, no images.
    """

    def __init__(
        self,
        folder: str | Path,
        preprocessing: Preprocessing,
        num_classes: int,
        exif_orientation: bool = True,
    ) -> None:
        self.folder, self.left_out = _with_classes(Path(folder)), LeftOut()
        classes = class_names(self.folder, self.left_out)
        if not classes:
            raise ValueError(f"No folders of classes in {self.folder}. {EXPECTED}.")
        if len(classes) != num_classes:
            raise ValueError(
                f"{self.folder} has {len(classes)} folders of classes, the network has {num_classes} "
                f"classes. {EXPECTED}, with a folder for every class, in the order of the network's."
            )
        files = image_files(self.folder, classes, self.left_out)
        self.files = [(file, label) for label, name in enumerate(classes) for file in files[name]]
        if not self.files:
            left_out = self.left_out.sentence()
            raise ValueError(
                f"No images in {self.folder}{f', left out: {left_out}' if left_out else ''}. {EXPECTED}."
            )
        self._transform: Callable[[Image], Tensor] = preprocessing.transform()
        self._orientation = exif_orientation
        channels, side = len(preprocessing.mean), preprocessing.crop
        self._mode, self._shape = MODES[channels], (channels, side, side)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Example:
        file, label = self.files[index]
        try:
            image = decode(file, self._mode, self._orientation)
        except ImageFault as fault:
            # Not raised here: from a worker it would come with that process's traceback.
            return Example(torch.zeros(self._shape), label, str(fault))
        return Example(self._transform(image), label, "")


def _with_classes(folder: Path) -> Path:
    if not folder.is_dir():
        raise ValueError(f"No folder {folder}. {EXPECTED}.")
    return folder / "val" if (folder / "val").is_dir() else folder
