"""Image files in one folder per class, as ImageNet lies, with FBNet's class subset (arXiv 1812.03443)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS, find_classes, make_dataset
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as vision

from dnas.runs.normalisation import Normalisation
from lightning_modules.data.augment import Chain, ColorJitter, ResizedCropFlip
from lightning_modules.data.base import ImageDataModule, cores
from lightning_modules.data.cache import ImageCache
from lightning_modules.data.locate import DataNotFound, describe_root, resolve_root
from lightning_modules.data.sources import ArraySource, FileSource, ImageSource, Split
from lightning_modules.data.splits import stratified_splits

_PLACE = ("imagenet", "data/imagenet")  # folder below DNAS_DATA, and default without it
# The customary ImageNet constants, as used by all torchvision classification weights.
IMAGENET = Normalisation(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


class ImageFolder(ImageDataModule):
    """`<root>/train/<class>/*` gives `weights` and `alpha`; `<root>/val/<class>/*` gives `val` and `test`.

    Training: random resized crop, mirroring, colour jitter. Evaluation: the shorter side resized to 256/224
    of the resolution, then the centre.

    With `cache`, images are decoded once, into bytes on disk: the centre square of what evaluation resizes
    to. Evaluation is the same bit for bit; training crops are cut from that square, see docs/data.md.

    Args:
        root: folder with `train` and `val`; default `$DNAS_DATA/imagenet` if that variable is set, else
            `data/imagenet`.
        resolution: height and width, pixels.
        class_subset: a number takes that many classes, chosen by `seed` (FBNet searched on 100 of ImageNet's
            1,000); names take just those; None takes all. Labels are 0..n-1 in the order of sorted names.
        alpha_fraction: share of the training images that trains alpha.
        val_fraction: share of the training images held out for validation; 0 validates on the `val` folder.
        min_crop_area: smallest share of the image's area that a training crop covers.
        color_jitter: strength of random brightness, contrast and saturation in training; 0 for none.
        cache: folder for decoded images, 3 bytes per pixel; None decodes files every time.
        cache_limit_gb: largest cache of the training or of the validation folder, 10^9 bytes.
        common: see `ImageDataModule`.
    """

    in_memory = False

    def __init__(
        self,
        root: str | None = None,
        resolution: int = 224,
        class_subset: int | list[str] | None = None,
        alpha_fraction: float = 0.2,
        val_fraction: float = 0.0,
        min_crop_area: float = 0.08,
        color_jitter: float = 0.2,
        cache: str | None = None,
        cache_limit_gb: float = 32.0,
        **common: Any,
    ) -> None:
        fractions = {"val": val_fraction, "alpha": alpha_fraction}
        super().__init__(resolution=resolution, in_channels=3, fractions=fractions, **common)
        if problems := _argument_problems(class_subset, min_crop_area, color_jitter, cache_limit_gb):
            raise ValueError(f"ImageFolder: {'; '.join(problems)}")
        self.root, self.class_subset = root, class_subset
        self.min_crop_area, self.color_jitter = min_crop_area, color_jitter
        self.cache, self.cache_limit_gb = cache, cache_limit_gb
        self._classes: list[str] | None = None
        self.save_hyperparameters(logger=False)  # see Digits

    @property
    def num_classes(self) -> int:
        """Number of classes in use; `class_subset` tells it without the data, else folders are counted."""
        if self.class_subset is None:
            return len(self.classes)
        return self.class_subset if isinstance(self.class_subset, int) else len(self.class_subset)

    @property
    def normalisation(self) -> Normalisation:
        """ImageNet's, whatever the images are."""
        return IMAGENET

    @property
    def classes(self) -> list[str]:
        """Sorted names of the classes in use; position = label.

        Raises:
            DataNotFound: the folders are absent.
            ValueError: `class_subset` asks for classes that are not there.
        """
        if self._classes is None:
            self._classes = self._choose_classes()
        return self._classes

    def prepare_data(self) -> None:
        """Decodes the images into the cache, if there is to be one; on one process per machine."""
        if self.cache is not None:
            self._scan()

    def load_splits(self) -> dict[str, Split]:
        """See `ImageDataModule.load_splits`."""
        train, official = self._scan()
        indices = stratified_splits(train.labels.numpy(), self.fractions, self.seed)
        splits = {name: Split(train, chosen) for name, chosen in indices.items()}
        test = Split(official, np.arange(len(official)))
        return {**splits, "test": test, "val": splits["val"] if self.fractions["val"] else test}

    def _folder(self, part: str) -> Path:
        return resolve_root(self.root, *_PLACE) / part

    def _choose_classes(self) -> list[str]:
        available = self._available_classes()
        subset = available if self.class_subset is None else self.class_subset
        if isinstance(subset, int):
            if subset > len(available):
                raise ValueError(
                    f"ImageFolder: class_subset={subset} is more than the {len(available)} classes in"
                    f" {self._folder('train')}"
                )
            generator = np.random.default_rng(self.seed)
            subset = generator.choice(available, subset, replace=False).tolist()
        if unknown := sorted(set(subset) - set(available)):
            raise ValueError(
                f"ImageFolder: {len(unknown)} name(s) in class_subset have no folder in"
                f" {self._folder('train')}: {', '.join(map(repr, unknown))};"
                f" it has {len(available)} classes, for instance {available[:5]}"
            )
        return sorted(subset)

    def _available_classes(self) -> list[str]:
        """Sorted names of the class folders in `train`."""
        names = {part: _class_names(self._folder(part)) for part in ("train", "val")}
        if absent := [part for part, found in names.items() if not found]:
            raise self._not_found([f"no folder {part} with one folder per class" for part in absent])
        return names["train"]

    def _scan(self) -> tuple[ImageSource, ImageSource]:
        """The training and the official validation images of the chosen classes."""
        labels = {name: label for label, name in enumerate(self.classes)}
        found, problems = [], []
        for part in ("train", "val"):
            images = make_dataset(self._folder(part), labels, extensions=IMG_EXTENSIONS, allow_empty=True)
            empty = sorted(set(labels) - {self.classes[label] for _, label in images})
            if empty:
                problems.append(f"no images in {part} for {len(empty)} class(es): {', '.join(empty)}")
            found.append(images)
        if problems:
            raise self._not_found(problems)
        return self._source("train", found[0]), self._source("val", found[1])

    def _source(self, part: str, images: list[tuple[str, int]]) -> ImageSource:
        files, labels = [file for file, _ in images], [label for _, label in images]
        # The crop leaves images alone that are of this size already.
        prepare = v2.Compose(
            [
                v2.CenterCrop(self.resolution),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(*self.normalisation),
            ]
        )
        if self.cache is None:
            return FileSource(files, labels, *self._transforms(), prepare)
        return ArraySource(self._cache(part, files).images(), labels, prepare, self._augmentation())

    def _transforms(self) -> tuple[v2.Transform, v2.Transform]:
        """(training, evaluation) transforms of a PIL image to (3, R, R) bytes."""
        evaluate = [v2.Resize(self._side), v2.CenterCrop(self.resolution)]
        random: list[Any] = [
            v2.RandomResizedCrop(self.resolution, scale=(self.min_crop_area, 1.0)),
            v2.RandomHorizontalFlip(),
        ]
        if self.color_jitter:
            random.append(v2.ColorJitter(self.color_jitter, self.color_jitter, self.color_jitter))
        train = random if self.augment else evaluate
        return v2.Compose([*train, v2.PILToTensor()]), v2.Compose([*evaluate, v2.PILToTensor()])

    def _augmentation(self) -> Chain | None:
        """The same random changes, of images from the cache."""
        if not self.augment:
            return None
        crop = ResizedCropFlip(self._side, self.resolution, self.min_crop_area)
        return Chain((crop, ColorJitter(self.color_jitter)) if self.color_jitter else (crop,))

    def _cache(self, part: str, files: list[str]) -> ImageCache:
        assert self.cache is not None
        return ImageCache(
            folder=Path(self.cache).expanduser(),
            name=f"{part}-{self.resolution}px",
            root=self._folder(part),
            files=files,
            decode=partial(_centre_square, side=self._side, resolution=self.resolution),
            facts={"resolution": self.resolution},
            side=self._side,
            limit_gb=self.cache_limit_gb,
            num_workers=min(8, cores()) if self.num_workers is None else self.num_workers,
        )

    @property
    def _side(self) -> int:
        """Shorter side of images for evaluation before the centre is cut out, pixels."""
        return round(self.resolution * 256 / 224)

    def _not_found(self, problems: list[str]) -> DataNotFound:
        return DataNotFound(
            f"ImageFolder cannot be read: {describe_root(self.root, *_PLACE)}; {'; '.join(problems)};"
            " expected <root>/train/<class>/*.jpg and <root>/val/<class>/*.jpg (or .png, ...): set root (on"
            " the command line --data.init_args.root) or DNAS_DATA. ImageNet is had by registering at"
            " https://image-net.org/download.php"
        )


def _centre_square(image: Image, side: int, resolution: int) -> Tensor:
    """A PIL image with its shorter side resized to `side`, cut to a square: (3, side, side) bytes.

    The cut is made such that the centre of the square is, to the pixel, the centre of the whole image.
    """
    resized = vision.resize(image, [side])
    left, top = (round((length - resolution) / 2) - round((side - resolution) / 2) for length in resized.size)
    return vision.pil_to_tensor(vision.crop(resized, top, left, side, side))


def _class_names(folder: Path) -> list[str]:
    """Sorted names of the sub-folders; [] where there are none."""
    try:
        return find_classes(folder)[0]
    except FileNotFoundError:
        return []


def _argument_problems(
    subset: int | list[str] | None, min_crop_area: float, color_jitter: float, cache_limit_gb: float
) -> list[str]:
    problems = []
    if isinstance(subset, int) and subset < 1:
        problems.append(f"class_subset must be at least 1, got {subset!r}")
    if isinstance(subset, list) and not subset:
        problems.append("class_subset names no class; leave it out to use all")
    if isinstance(subset, list) and len(set(subset)) < len(subset):
        repeated = sorted({name for name in subset if subset.count(name) > 1})
        problems.append(f"class_subset names classes twice: {', '.join(repeated)}")
    if not 0.0 < min_crop_area <= 1.0:
        problems.append(f"min_crop_area must be in (0, 1], got {min_crop_area!r}")
    if not 0.0 <= color_jitter <= 1.0:
        problems.append(f"color_jitter must be in [0, 1], got {color_jitter!r}")
    if not cache_limit_gb > 0.0:
        problems.append(f"cache_limit_gb must be above 0, got {cache_limit_gb!r}")
    return problems
