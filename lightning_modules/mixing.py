"""Mixing the images of a batch, and their labels: mixup (arXiv 1710.09412) and CutMix (arXiv 1905.04899)."""

from __future__ import annotations

import math

from torch import Tensor
from torchvision.transforms import v2


class Mixing:
    """Mix every image of a batch with another one; with both ways, a coin decides in every step.

    Draws are from torch's global generator of the CPU, so no step waits for a GPU.

    Args:
        mixup: images are added, with weights from Beta(mixup, mixup); 0 for never.
        cutmix: a rectangle of another image is pasted, its share of the area from Beta(cutmix, cutmix); 0 for
            never.
        num_classes: of the labels.
    """

    def __init__(self, mixup: float, cutmix: float, num_classes: int) -> None:
        kinds = ((v2.MixUp, mixup), (v2.CutMix, cutmix))
        ways = [kind(alpha=alpha, num_classes=num_classes) for kind, alpha in kinds if alpha]
        self.mix = v2.RandomChoice(ways) if ways else None

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) images and (N,) labels to images and (N, classes) shares, or as they are if never."""
        if self.mix is None:
            return images, labels
        mixed: tuple[Tensor, Tensor] = self.mix(images, labels)
        return mixed


def mixing_problems(**parameters: float) -> list[str]:
    """What is wrong with parameters of Beta distributions, 0 for never."""
    return [
        f"{name} must be 0 or a finite number above 0, got {value}"
        for name, value in parameters.items()
        if not 0.0 <= value < math.inf
    ]
