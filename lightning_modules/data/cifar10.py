"""CIFAR-10: 60,000 photographs of 32 x 32 pixels, 10 classes (Krizhevsky, 2009)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchvision import datasets
from torchvision.datasets.utils import check_integrity
from torchvision.transforms import v2

from dnas.runs.normalisation import Normalisation
from lightning_modules.data.augment import CropFlip
from lightning_modules.data.base import ImageDataModule
from lightning_modules.data.locate import DataNotFound, describe_root, resolve_root
from lightning_modules.data.sources import ArraySource, Split
from lightning_modules.data.splits import stratified_splits

_PLACE = ("cifar10", "data")  # folder below DNAS_DATA, and default without it
# Over all pixels of the 50,000 training images; the tests compute them anew.
NORMALISATION = Normalisation(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))


class CIFAR10(ImageDataModule):
    """`weights`, `alpha` and `val` share the 50,000 training images; `test` is the official test set.

    Training images are padded by 4 pixels, cropped at random and mirrored. Images stay in memory as bytes.

    Args:
        root: folder that holds `cifar-10-batches-py`; default `$DNAS_DATA/cifar10` if that variable is set,
            else `data`.
        download: fetch the data set into `root` if it is not there (170 MB).
        resolution: height and width, pixels; other than 32, images are resized after augmentation.
        alpha_fraction: share of the training images that trains alpha.
        val_fraction: share of the training images held out for validation.
        common: see `ImageDataModule`.
    """

    def __init__(
        self,
        root: str | None = None,
        download: bool = False,
        resolution: int = 32,
        alpha_fraction: float = 0.2,
        val_fraction: float = 0.1,
        **common: Any,
    ) -> None:
        fractions = {"val": val_fraction, "alpha": alpha_fraction}
        super().__init__(resolution=resolution, in_channels=3, fractions=fractions, **common)
        self.root, self.download = root, download
        self.save_hyperparameters(logger=False)  # see Digits

    @property
    def num_classes(self) -> int:
        """10."""
        return 10

    @property
    def normalisation(self) -> Normalisation:
        """That of the training images."""
        return NORMALISATION

    def prepare_data(self) -> None:
        """Downloads the data set if that was asked for; on one process per machine."""
        if self.download:
            datasets.CIFAR10(str(resolve_root(self.root, *_PLACE)), download=True)

    def load_splits(self) -> dict[str, Split]:
        """See `ImageDataModule.load_splits`."""
        train, test = self._read(train=True), self._read(train=False)
        indices = stratified_splits(train.labels.numpy(), self.fractions, self.seed)
        splits = {name: Split(train, chosen) for name, chosen in indices.items()}
        return {**splits, "test": Split(test, torch.arange(len(test)).numpy())}

    def _read(self, train: bool) -> ArraySource:
        try:
            stored = datasets.CIFAR10(str(resolve_root(self.root, *_PLACE)), train=train)
        except RuntimeError as error:  # torchvision's word for absent or failing its checksums
            raise DataNotFound(self._what_is_wrong()) from error
        images = torch.from_numpy(stored.data).permute(0, 3, 1, 2).contiguous()
        return self._source(images, stored.targets)

    def _source(self, images: Tensor, labels: Sequence[int]) -> ArraySource:
        """Bytes (N, 3, 32, 32) and their classes, as they are served."""
        return ArraySource(images, labels, self._prepare(), CropFlip() if self.augment else None)

    def _prepare(self) -> v2.Transform:
        resize = [] if self.resolution == 32 else [v2.Resize([self.resolution] * 2, antialias=True)]
        return v2.Compose([v2.ToDtype(torch.float32, scale=True), *resize, v2.Normalize(*self.normalisation)])

    def _what_is_wrong(self) -> str:
        kind = datasets.CIFAR10
        folder = resolve_root(self.root, *_PLACE) / kind.base_folder
        files = [(folder / name, md5) for name, md5 in [*kind.train_list, *kind.test_list]]
        files.append((folder / kind.meta["filename"], kind.meta["md5"]))
        absent = [path.name for path, _ in files if not path.is_file()]
        damaged = [path.name for path, md5 in files if path.is_file() and not check_integrity(str(path), md5)]
        found = f"{folder.name} is not there" if len(absent) == len(files) else ""
        found = found or "; ".join(
            f"{what} in {folder.name}: {', '.join(names)}"
            for what, names in (("missing", absent), ("damaged (wrong MD5)", damaged))
            if names
        )
        return (
            f"CIFAR-10 cannot be read: {describe_root(self.root, *_PLACE)}; {found}. Get it with"
            " download=True (on the command line --data.init_args.download=true), or set root"
            " (--data.init_args.root) or DNAS_DATA to where it lies; delete damaged files first"
        )
