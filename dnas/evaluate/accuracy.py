"""Accuracy of a network on images in folders, and how well so many images determine it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from dnas.evaluate.images import Images
from dnas.runs.evaluator import Evaluation, evaluate

# Standard deviations of a normal distribution between which 95 % of it lie.
Z = 1.959964


def accuracy(
    network: nn.Module,
    images: Images,
    num_classes: int,
    *,
    batch: int = 64,
    workers: int = 0,
    advance: Callable[[int], object] = lambda images: None,
) -> Evaluation:
    """Top-1, top-5 and cross-entropy of a network on all images, where its parameters are.

    Args:
        workers: processes that read images; 0 for none but this.
        advance: called with the number of images after every batch.

    Raises:
        ValueError: naming the damaged images of a batch.
    """
    loader = DataLoader(images, batch, num_workers=workers)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for pixels, labels, faults in loader:
            _refuse([fault for fault in faults if fault])
            yield pixels.contiguous(memory_format=torch.channels_last), labels
            advance(len(labels))

    return evaluate(network, batches(), num_classes)


def _refuse(faults: list[str]) -> None:
    if faults:
        raise ValueError(f"{'; '.join(faults)}. Replace or delete such files ('dnas data check' finds all).")


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """The 95 % score interval of a probability of which ``n`` draws had this share (Wilson 1927)."""
    spread = Z * Z / n
    middle = share + spread / 2
    half = Z * math.sqrt((share * (1 - share) + spread / 4) / n)
    # Rounding must not carry it out of [0, 1].
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))
