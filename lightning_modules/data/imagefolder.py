"""Image files in one folder per class, as ImageNet lies, with FBNet's class subset (arXiv 1812.03443)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as vision

from dnas.images.decoding import decode, shown
from dnas.images.folders import LeftOut, class_names, image_files
from dnas.runs.normalisation import Normalisation
from dnas.support.processes import gather
from lightning_modules.data.augment import Chain, ColorJitter, ResizedCropFlip
from lightning_modules.data.base import ImageDataModule, cores
from lightning_modules.data.cache import ImageCache
from lightning_modules.data.damaged import SHOWN, StandIns, check_some
from lightning_modules.data.locate import DataNotFound, describe_root, resolve_root
from lightning_modules.data.sources import ArraySource, FileSource, Split
from lightning_modules.data.splits import stratified_splits

_PLACE = ("imagenet", "data/imagenet")  # folder below DNAS_DATA, and default without it
_LOOKED_AT = 256  # files of a folder whose headers are read before training
OnDamaged = Literal["error", "skip"]
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
        exif_orientation: turn and mirror images as their orientation tags say, as viewers show them.
        on_damaged: what a file that cannot be decoded does: "error" ends the run in one sentence that names
            it; "skip" takes the next image of the same class and split for it, and counts (docs/data.md).
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
        exif_orientation: bool = True,
        on_damaged: OnDamaged = "error",
        **common: Any,
    ) -> None:
        fractions = {"val": val_fraction, "alpha": alpha_fraction}
        super().__init__(resolution=resolution, in_channels=3, fractions=fractions, **common)
        problems = _argument_problems(class_subset, min_crop_area, color_jitter, cache_limit_gb)
        if on_damaged not in get_args(OnDamaged):
            problems.append(f"on_damaged must be one of {get_args(OnDamaged)}, got {on_damaged!r}")
        if problems:
            raise ValueError(f"ImageFolder: {'; '.join(problems)}")
        self.root, self.class_subset = root, class_subset
        self.min_crop_area, self.color_jitter = min_crop_area, color_jitter
        self.cache, self.cache_limit_gb = cache, cache_limit_gb
        self.exif_orientation, self.on_damaged = exif_orientation, on_damaged
        self._classes: list[str] | None = None
        self._files: dict[str, dict[str, list[str]]] | None = None
        self._stand_ins: list[StandIns] = []
        self.save_hyperparameters(logger=False)  # see Digits

    @property
    def num_classes(self) -> int:
        """Number of classes in use; `class_subset` gives it without the data, else folders are counted."""
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
        """Decodes the images into the cache, or looks at the headers of some; on one process per machine.

        Raises:
            Undecodable: image files are damaged, and `on_damaged` is "error".
            UnreadableImage: the system does not give the bytes of a file.
        """
        if self.cache is not None:
            self._scan()
        elif self.on_damaged == "error":
            for part in ("train", "val"):
                check_some([file for files in self._found()[part].values() for file in files], _LOOKED_AT)

    def load_splits(self) -> dict[str, Split]:
        """See `ImageDataModule.load_splits`."""
        train, official = self._scan()
        indices = stratified_splits(train.labels.numpy(), self.fractions, self.seed)
        splits = {name: Split(train, chosen) for name, chosen in indices.items()}
        if train.stand_ins is not None:
            train.stand_ins.keep_apart([*indices.values()])
        test = Split(official, np.arange(len(official)))
        return {**splits, "test": test, "val": splits["val"] if self.fractions["val"] else test}

    def teardown(self, stage: str) -> None:
        """Says how many damaged images were skipped."""
        if self.on_damaged == "skip":
            self._say_skipped([file for each in gather(self._skipped()) for file in each])

    def on_exception(self, exception: BaseException) -> None:
        """Says what this process has skipped."""
        self._say_skipped(self._skipped())

    def _skipped(self) -> list[str]:
        return [file for stand_ins in self._stand_ins for file in stand_ins.damaged]

    def _say_skipped(self, files: list[str]) -> None:
        if damaged := sorted(set(files)):
            some = ", ".join(map(shown, damaged[:SHOWN])) + (", ..." if len(damaged) > SHOWN else "")
            rank_zero_info(
                f"on_damaged is skip: {len(damaged)} image file(s) cannot be decoded, others of their class"
                f" stood in for them: {some}"
            )

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
        left_out = LeftOut()  # counted by `_found`
        names = {part: class_names(self._folder(part), left_out) for part in ("train", "val")}
        if absent := [part for part, found in names.items() if not found]:
            raise self._not_found([f"no folder {part} with one folder per class" for part in absent])
        return names["train"]

    def _scan(self) -> tuple[ArraySource | FileSource, ArraySource | FileSource]:
        """The training and the official validation images of the chosen classes."""
        found = self._found()
        return self._source("train", found["train"]), self._source("val", found["val"])

    def _found(self) -> dict[str, dict[str, list[str]]]:
        """Image files by part and class; looked up once, and what is left out said."""
        if self._files is not None:
            return self._files
        classes, left_out, found, problems = self.classes, LeftOut(), {}, []
        names = {part: class_names(self._folder(part), left_out) for part in ("train", "val")}
        for name in sorted({*names["val"]} - {*names["train"]}):
            left_out.add("class(es) of val that train has not", name)
        for part in names:
            found[part] = image_files(self._folder(part), classes, left_out)
            if empty := [name for name, files in found[part].items() if not files]:
                some = ", ".join(map(shown, empty))
                problems.append(f"no images in {part} for {len(empty)} class(es): {some}")
        sentence = left_out.sentence()
        if problems:
            raise self._not_found([*problems, *([f"left out: {sentence}"] if sentence else [])])
        if sentence:
            rank_zero_info(f"Left out of {self._folder('')}: {sentence}")
        self._files = found
        return found

    def _source(self, part: str, images: dict[str, list[str]]) -> ArraySource | FileSource:
        files = [file for each in images.values() for file in each]
        labels = [label for label, each in enumerate(images.values()) for _ in each]
        # The crop leaves images alone that are of this size already.
        prepare = v2.Compose(
            [
                v2.CenterCrop(self.resolution),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(*self.normalisation),
            ]
        )
        if self.cache is None:
            decoded = partial(decode, exif_orientation=self.exif_orientation)
            return FileSource(
                files, labels, *self._transforms(), prepare, decoded, self._stand_in(files, labels)
            )
        cache = self._cache(part, files)
        images_of, stand_ins = cache.images(), self._stand_in(files, labels, cache.damaged)
        return ArraySource(images_of, labels, prepare, self._augmentation(), stand_ins)

    def _stand_in(self, files: list[str], labels: list[int], damaged: Sequence[int] = ()) -> StandIns | None:
        if self.on_damaged == "error":
            return None
        self._stand_ins.append(StandIns(files, labels, damaged))
        return self._stand_ins[-1]

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
            decode=partial(
                _centre_square,
                side=self._side,
                resolution=self.resolution,
                exif_orientation=self.exif_orientation,
            ),
            facts={"resolution": self.resolution, "exif_orientation": self.exif_orientation},
            side=self._side,
            limit_gb=self.cache_limit_gb,
            num_workers=min(8, cores()) if self.num_workers is None else self.num_workers,
            skip=self.on_damaged == "skip",
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


def _centre_square(file: str, side: int, resolution: int, exif_orientation: bool) -> Tensor:
    """An image file with its shorter side resized to `side`, cut to a square: (3, side, side) bytes.

    The cut is made such that the centre of the square is, to the pixel, the centre of the whole image.
    """
    resized = vision.resize(decode(file, exif_orientation=exif_orientation), [side])
    left, top = (round((length - resolution) / 2) - round((side - resolution) / 2) for length in resized.size)
    return vision.pil_to_tensor(vision.crop(resized, top, left, side, side))


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
