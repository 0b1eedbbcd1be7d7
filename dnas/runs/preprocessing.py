"""What a network's images went through: resized, cut to their centre, normalised."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dnas.runs.normalisation import Normalisation

# Of the training images of ImageNet; torchvision's weights expect them too.
IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# Of Pillow's, by torchvision's names.
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")


@dataclass(frozen=True)
class Preprocessing:
    """From an image file to what a network takes.

    Args:
        resize: shorter side in pixels that images are resized to.
        crop: side in pixels of the square that is cut from the centre.
        interpolation: one of :data:`INTERPOLATIONS`.
        mean, std: of every channel, for pixels in [0, 1].

    Raises:
        ValueError: naming everything that cannot be.
    """

    resize: int
    crop: int
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if problems := self._problems():
            raise ValueError(f"Preprocessing: {'; '.join(problems)}.")

    @classmethod
    def usual(cls, crop: int, normalisation: Normalisation = IMAGENET) -> Preprocessing:
        """What is usual on ImageNet: 224 of 256 pixels, other sides in proportion, bilinear."""
        return cls(round(crop * 256 / 224), crop, "bilinear", *normalisation)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Preprocessing:
        """From plain data, as :meth:`to_dict` makes it; raises ValueError naming what is wrong."""
        try:
            mean, std = (tuple(map(float, data[part])) for part in ("mean", "std"))
            return cls(int(data["resize"]), int(data["crop"]), str(data["interpolation"]), mean, std)
        except (KeyError, TypeError) as error:
            raise ValueError(f"Preprocessing: {error} in {dict(data)!r}.") from error

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }

    @property
    def normalisation(self) -> Normalisation:
        """Mean and standard deviation."""
        return Normalisation(self.mean, self.std)

    def transform(self) -> Any:
        """Of a PIL image to (channels, crop, crop) float32: what torchvision does for its own weights."""
        import torch
        from torchvision.transforms import ConvertImageDtype, InterpolationMode, v2

        return v2.Compose(
            [
                v2.Resize([self.resize], InterpolationMode(self.interpolation)),
                v2.CenterCrop(self.crop),
                v2.PILToTensor(),
                # That of v2 differs from what the weights were evaluated with in the last bit.
                ConvertImageDtype(torch.float32),
                v2.Normalize(self.mean, self.std),
            ]
        )

    def __str__(self) -> str:
        return f"{self.crop} px of {self.resize}, {self.interpolation}, {self.normalisation}"

    def _problems(self) -> list[str]:
        sides = {"resize": self.resize, "crop": self.crop}
        problems = [f"{name} must be 1 or more, got {side}" for name, side in sides.items() if side < 1]
        if self.resize < self.crop:
            # The crop would fill the rest with black.
            problems.append(f"resize must be at least crop, {self.crop}, got {self.resize}")
        if self.interpolation not in INTERPOLATIONS:
            problems.append(
                f"interpolation must be one of {', '.join(INTERPOLATIONS)}, got {self.interpolation}"
            )
        if not all(map(math.isfinite, (*self.mean, *self.std))):
            problems.append(f"mean and std must be finite, got {self.mean}, {self.std}")
        if len(self.mean) != len(self.std) or not self.mean:
            problems.append(f"mean and std must have a number for each channel, got {self.mean}, {self.std}")
        if not all(value > 0 for value in self.std):
            problems.append(f"std must be above 0, got {self.std}")
        return problems
