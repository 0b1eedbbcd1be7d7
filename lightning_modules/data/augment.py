"""Random augmentation of whole batches, each image with its own draw.

torchvision's random transforms draw once per call, so that a whole batch would share a draw, and they draw
from the global generator. Called for each image they would also take five times as long as these.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def random_crop_flip(images: Tensor, generator: torch.Generator, padding: int = 4) -> Tensor:
    """Zero-pads, crops back to the original size at a random place, and mirrors with probability 1/2.

    Same distribution as torchvision's `RandomCrop(size, padding)` followed by `RandomHorizontalFlip()`.

    Args:
        images: (B, C, H, W), any dtype.
        generator: source of the B crops and flips.
        padding: zeros added on every side before the crop, pixels.

    Returns:
        (B, C, H, W), same dtype.
    """
    count, _, height, width = images.shape
    offsets = torch.randint(0, 2 * padding + 1, (2, count, 1), generator=generator)
    flips = torch.randint(0, 2, (count, 1), generator=generator).bool()
    rows, columns = offsets[0] + torch.arange(height), offsets[1] + torch.arange(width)
    columns = torch.where(flips, columns.flip(1), columns)
    padded = F.pad(images, [padding] * 4)
    batch = torch.arange(count)[:, None, None]
    return padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def random_affine(
    images: Tensor, generator: torch.Generator, degrees: float = 10.0, shift: float = 0.1, zoom: float = 0.1
) -> Tensor:
    """Rotates, scales and shifts every image by its own small uniform amount; bilinear, zeros outside.

    Args:
        images: (B, C, H, W) float.
        generator: source of the B draws.
        degrees: largest rotation either way.
        shift: largest shift either way, as a share of the width and height.
        zoom: largest relative change of size either way.

    Returns:
        (B, C, H, W), same dtype.
    """
    draws = (torch.rand(4, len(images), generator=generator) * 2 - 1).to(images.dtype)
    angle, scale = math.radians(degrees) * draws[0], 1 + zoom * draws[1]
    cos, sin = scale * angle.cos(), scale * angle.sin()
    across, down = 2 * shift * draws[2], 2 * shift * draws[3]  # the sampling grid spans [-1, 1]
    theta = torch.stack([cos, -sin, across, sin, cos, down], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
