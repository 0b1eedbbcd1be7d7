"""Random augmentation of whole batches, each image with its own draw.

torchvision's random transforms draw once per call, so that a whole batch would share a draw, and they draw
from the global generator. Here drawing is apart from applying: what is drawn comes from an explicit generator
on the CPU and travels with the batch, and the arithmetic runs on whatever device the images have come to.
Crops, mirroring and colours are distributed as those of torchvision.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as vision

_ATTEMPTS = 10  # to find a crop that fits; the whole image after that, as torchvision does
_LOG_RATIO = math.log(4 / 3)  # crops are between 3:4 and 4:3
_BRIGHTNESS, _CONTRAST = 0, 1  # 2 is saturation


class Augmentation(ABC):
    """A random change of a batch of images, in two steps."""

    @abstractmethod
    def draw(self, count: int, generator: torch.Generator) -> Any:
        """Everything that is random, for `count` images: small CPU tensors, or tuples of them."""

    @abstractmethod
    def apply(self, images: Tensor, draws: Any) -> Tensor:
        """(B, C, H, W) images changed as drawn; nothing here is random. `draws` lie on the images' device."""

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Both steps at once, for images on the CPU."""
        return self.apply(images, self.draw(len(images), generator))


@dataclass(frozen=True)
class CropFlip(Augmentation):
    """Zero-pads, crops back to the original size at a random place, and mirrors with probability 1/2.

    Same distribution as torchvision's `RandomCrop(size, padding)` followed by `RandomHorizontalFlip()`.
    Images may have any dtype, and keep it.

    Args:
        padding: zeros added on every side before the crop, pixels.
    """

    padding: int = 4

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(3, count, 1) int64: top and left edge of the crop, whether to mirror."""
        offsets = torch.randint(0, 2 * self.padding + 1, (2, count, 1), generator=generator)
        return torch.cat([offsets, torch.randint(0, 2, (1, count, 1), generator=generator)])

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """See `Augmentation.apply`."""
        count, _, height, width = images.shape
        top, left, mirrored = draws
        across = torch.arange(width, device=images.device)
        rows = top + torch.arange(height, device=images.device)
        columns = left + torch.where(mirrored.bool(), across.flip(0), across)
        padded = F.pad(images, [self.padding] * 4)
        batch = torch.arange(count, device=images.device)[:, None, None]
        return padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Affine(Augmentation):
    """Rotates, scales and shifts every image by its own small uniform amount; bilinear, zeros outside.

    Images are float.

    Args:
        degrees: largest rotation either way.
        shift: largest shift either way, as a share of the width and height.
        zoom: largest relative change of size either way.
    """

    degrees: float = 10.0
    shift: float = 0.1
    zoom: float = 0.1

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(4, count) float32 in [-1, 1]: rotation, change of size, shift across and down, of the largest."""
        return torch.rand(4, count, generator=generator) * 2 - 1

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """See `Augmentation.apply`."""
        draws = draws.to(images.dtype)
        angle, scale = math.radians(self.degrees) * draws[0], 1 + self.zoom * draws[1]
        cos, sin = scale * angle.cos(), scale * angle.sin()
        # The sampling grid spans [-1, 1].
        across, down = 2 * self.shift * draws[2], 2 * self.shift * draws[3]
        theta = torch.stack([cos, -sin, across, sin, cos, down], dim=1).view(-1, 2, 3)
        grid = F.affine_grid(theta, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


@dataclass(frozen=True)
class Chain(Augmentation):
    """Several augmentations, one after the other."""

    members: tuple[Augmentation, ...]

    def draw(self, count: int, generator: torch.Generator) -> tuple[Any, ...]:
        """The members' draws."""
        return tuple(member.draw(count, generator) for member in self.members)

    def apply(self, images: Tensor, draws: tuple[Any, ...]) -> Tensor:
        """See `Augmentation.apply`."""
        for member, drawn in zip(self.members, draws, strict=True):
            images = member.apply(images, drawn)
        return images


@dataclass(frozen=True)
class ResizedCropFlip(Augmentation):
    """Crops of random area and aspect ratio, resized to a square, mirrored with probability 1/2.

    Crops are drawn as torchvision's `RandomResizedCrop` draws them. Resizing is bilinear without
    antialiasing, which is meant for stored images that are hardly larger than `resolution`.

    Args:
        side: height and width of the images, pixels.
        resolution: height and width of the result, pixels.
        min_area: smallest share of the image's area that a crop covers.
    """

    side: int
    resolution: int
    min_area: float = 0.08

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(5, count) float32, whole numbers: top, left, height, width in pixels, whether to mirror."""
        uniform = torch.rand(2, count, _ATTEMPTS, generator=generator, dtype=torch.float64)
        area = self.side**2 * (self.min_area + (1 - self.min_area) * uniform[0])
        ratio = (_LOG_RATIO * (2 * uniform[1] - 1)).exp()
        sizes = torch.stack([(area / ratio).sqrt(), (area * ratio).sqrt()]).round()
        size = self._first_that_fits(sizes)
        place = torch.rand(2, count, generator=generator, dtype=torch.float64)
        corner = (place * (self.side - size + 1)).floor()
        mirrored = torch.randint(0, 2, (1, count), generator=generator)
        return torch.cat([corner, size, mirrored]).float()

    def _first_that_fits(self, sizes: Tensor) -> Tensor:
        """(2, count, attempts) heights and widths to (2, count), the whole image where none fits."""
        fits = ((sizes >= 1) & (sizes <= self.side)).all(0)
        first = fits.int().argmax(1).expand(2, -1)[:, :, None]
        return torch.where(fits.any(1), sizes.gather(2, first)[:, :, 0], float(self.side))

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """(B, C, side, side) uint8 or float to (B, C, resolution, resolution) float in [0, 1]."""
        images = vision.to_dtype(images, torch.float32, scale=True)
        top, left, height, width, mirrored = draws[:, :, None]
        down, across = self._places(top, height), self._places(left, width)
        across = torch.where(mirrored.bool(), across.flip(1), across)
        shape = (-1, self.resolution, self.resolution)
        grid = torch.stack([across[:, None, :].expand(shape), down[:, :, None].expand(shape)], dim=3)
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)

    def _places(self, start: Tensor, length: Tensor) -> Tensor:
        """Where to sample along an axis, within the crop: (B, resolution) in grid_sample's [-1, 1]."""
        steps = torch.arange(self.resolution, device=start.device, dtype=start.dtype) + 0.5
        pixels = (steps * length / self.resolution - 0.5).clamp(min=0)
        return (2 * (start + torch.minimum(pixels, length - 1)) + 1) / self.side - 1


@dataclass(frozen=True)
class ColorJitter(Augmentation):
    """Random brightness, contrast and saturation, in random order.

    Args:
        strength: factors are uniform in [1 - strength, 1 + strength].
    """

    strength: float

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(3, count) int64, the order of the three changes, and (3, count) float32, factors in that order."""
        order = torch.rand(3, count, generator=generator).argsort(0)
        return order, 1 + self.strength * (2 * torch.rand(3, count, generator=generator) - 1)

    def apply(self, images: Tensor, draws: tuple[Tensor, Tensor]) -> Tensor:
        """(B, 3, H, W) float in [0, 1] to the same."""
        # What a CPU makes of a few images stays in its cache: three times faster than all at once.
        at_once = 8 if images.device.type == "cpu" else len(images)
        parts = zip(images.split(at_once), *(drawn.split(at_once, 1) for drawn in draws), strict=True)
        return torch.cat([_jittered(*part) for part in parts])


def _jittered(images: Tensor, order: Tensor, factors: Tensor) -> Tensor:
    for change, factor in zip(order, factors, strict=True):
        images = _changed(images, change.view(-1, 1, 1, 1), factor.view(-1, 1, 1, 1))
    return images


def _changed(images: Tensor, change: Tensor, factor: Tensor) -> Tensor:
    """Each image blended with what its change makes of no factor at all: black, its mean grey, its greys."""
    grey = vision.rgb_to_grayscale(images)
    dull = torch.where(change == _CONTRAST, grey.mean((1, 2, 3), keepdim=True), grey)
    dull = torch.where(change == _BRIGHTNESS, 0.0, dull)
    return torch.lerp(dull, images, factor).clamp(0, 1)
