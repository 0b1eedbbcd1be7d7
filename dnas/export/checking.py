"""An exported file beside PyTorch: the largest difference of a logit, and how often both choose one class."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from dnas.export.formats.base import Run

# Of the largest logit: float32 sums in another order stay below, another network does not.
TOLERANCE = 1e-4


class Comparison(NamedTuple):
    """What a runtime's logits are beside PyTorch's.

    difference: the largest one, relative to the largest logit.
    agreeing: images for which the largest logit is of the same class.
    images: that were compared.
    """

    difference: float
    agreeing: int
    images: int


def random_images(count: int, channels: int, resolution: int) -> Tensor:
    """(count, channels, resolution, resolution) images of noise, the same in every call."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, channels, resolution, resolution, generator=generator)


@torch.no_grad()
def compare(module: nn.Module, run: Run, images: Tensor, batch: int, runtime: str) -> Comparison:
    """Compare what ``run`` and ``module`` compute, ``batch`` images at a time.

    Args:
        images: at least one. The last batch is filled up with the first images, which count once.
        runtime: its name in messages.

    Raises:
        ArithmeticError: they compute something else.
    """
    count = len(images)
    filled = images[torch.arange(-(-count // batch) * batch) % count]
    expected, found = (
        torch.cat([compute(each) for each in filled.split(batch)])[:count] for compute in (module, run)
    )
    difference = float((found - expected).abs().max() / expected.abs().max())
    if not difference <= TOLERANCE:
        raise ArithmeticError(
            f"{runtime}'s logits differ from PyTorch's by up to {difference:.1e} of the largest, more "
            f"than {TOLERANCE:g}: nothing was written. Weights that are not finite do that; so would a fault "
            "in the exporter of this PyTorch, which another version may not have."
        )
    agreeing = int((found.argmax(1) == expected.argmax(1)).sum())
    return Comparison(difference, agreeing, count)
