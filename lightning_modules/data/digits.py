"""Handwritten digits that come with scikit-learn: 1,797 images, 8 x 8 pixels (Alpaydin & Kaynak, 1998)."""

from __future__ import annotations

from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torchvision.transforms import v2

from dnas.runs.normalisation import Normalisation
from lightning_modules.data.augment import Affine
from lightning_modules.data.base import ImageDataModule
from lightning_modules.data.sources import ArraySource, Split
from lightning_modules.data.splits import stratified_splits

# Over all pixels of the 1,797 images, divided by 16, repeated to three channels.
NORMALISATION = Normalisation(mean=(0.3053,) * 3, std=(0.3760,) * 3)


class Digits(ImageDataModule):
    """Real images without a download: enough to run everything, in minutes, on a CPU.

    By default 1,077 images train weights, 270 alpha, 180 validate and 270 test. Images are repeated to three
    channels, so that the network is the one that is deployed, and enlarged bilinearly, once.

    Args:
        resolution: height and width, pixels.
        in_channels: 3, or 1 for a network with a single input channel.
        alpha_fraction: share of the images that trains alpha.
        val_fraction: share of the images held out for validation.
        test_fraction: share of the images held out for the test.
        common: see `ImageDataModule`.
    """

    def __init__(
        self,
        resolution: int = 16,
        in_channels: int = 3,
        alpha_fraction: float = 0.15,
        val_fraction: float = 0.10,
        test_fraction: float = 0.15,
        **common: Any,
    ) -> None:
        fractions = {"test": test_fraction, "val": val_fraction, "alpha": alpha_fraction}
        super().__init__(resolution=resolution, in_channels=in_channels, fractions=fractions, **common)
        if in_channels not in (1, 3):
            raise ValueError(f"Digits: in_channels must be 1 or 3, got {in_channels!r}")
        # Not logged: Lightning refuses loggers when a module has a hyperparameter of the same name.
        self.save_hyperparameters(logger=False)

    @property
    def num_classes(self) -> int:
        """10."""
        return 10

    @property
    def normalisation(self) -> Normalisation:
        """That of all images."""
        return Normalisation(NORMALISATION.mean[: self.in_channels], NORMALISATION.std[: self.in_channels])

    def load_splits(self) -> dict[str, Split]:
        """See `ImageDataModule.load_splits`."""
        digits = load_digits()
        source = ArraySource(
            self._enlarge(torch.from_numpy(digits.images)),
            digits.target,
            prepare=v2.Normalize(*self.normalisation),
            augment=Affine() if self.augment else None,
        )
        indices = stratified_splits(digits.target, self.fractions, self.seed)
        return {name: Split(source, chosen) for name, chosen in indices.items()}

    def _enlarge(self, images: Tensor) -> Tensor:
        """(N, 8, 8) in [0, 16] to (N, C, R, R) float32 in [0, 1]."""
        scaled = (images / 16).float()[:, None]
        resized = v2.functional.resize(scaled, [self.resolution] * 2, antialias=True)
        return resized.expand(-1, self.in_channels, -1, -1)
