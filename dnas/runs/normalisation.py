"""Normalising images by the mean and standard deviation of their channels."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Normalisation(NamedTuple):
    """Per-channel mean and standard deviation of pixel values in [0, 1]."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __str__(self) -> str:
        mean, std = (", ".join(f"{value:g}" for value in part) for part in self)
        return f"mean {mean}, std {std}"


class Normalise(nn.Module):
    """(N, C, H, W) pixels in [0, 1] to what a network was trained on, as a layer of an exported file."""

    mean: Tensor
    std: Tensor

    def __init__(self, normalisation: Normalisation) -> None:
        super().__init__()
        for name, values in normalisation._asdict().items():
            self.register_buffer(name, torch.tensor(values)[:, None, None])

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std
