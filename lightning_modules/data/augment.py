"""Random augmentation of whole batches, each image with its own draw.

torchvision's random transforms draw once per call, so that a whole batch would share a draw, and they draw
from the global generator. Here drawing is apart from applying: what is drawn comes from an explicit generator
on the CPU and travels with the batch, and the arithmetic runs on whatever device the images have come to.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


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
