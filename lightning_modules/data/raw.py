"""Batches as they are stored, with what was drawn for them: made ready where they are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from lightning_modules.data.augment import Augmentation

Batch = tuple[Tensor, Tensor]
Prepare = Callable[[Tensor], Tensor]


class RawBatch:
    """Images of one batch before augmentation and normalisation; `to(device)` and `ready()` make them usable.

    It is a class, not a tuple, so that Lightning does not round the draws to the trainer's precision.

    Args:
        images: (B, C, H, W), bytes where the data is stored as bytes.
        labels: (B,) int64.
        prepare: deterministic transform of a batch (scaling, normalisation) to float32; picklable.
        augment: random transform applied before `prepare`, given draws.
        draws: what `augment` drew for these images (a tensor, or nested tuples of them); None leaves it out.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        prepare: Prepare,
        augment: Augmentation | None = None,
        draws: Any = None,
    ) -> None:
        self.images, self.labels, self.draws = images, labels, draws
        self.prepare, self.augment = prepare, augment

    def ready(self) -> Batch:
        """Images (B, C, H, W) float32, normalised, and labels (B,) int64, on the device they are on."""
        images = self.images
        if self.augment is not None and self.draws is not None:
            images = self.augment.apply(images, self.draws)
        return self.prepare(images), self.labels

    def to(self, device: torch.device | str) -> RawBatch:
        """The same batch on another device."""
        return self._with(lambda tensor: tensor.to(device, non_blocking=tensor.is_pinned()))

    def pin_memory(self) -> RawBatch:
        """The same batch in page-locked memory; torch's DataLoader calls it."""
        return self._with(Tensor.pin_memory)

    def _with(self, function: Callable[[Tensor], Tensor]) -> RawBatch:
        draws = _each(self.draws, function)
        return RawBatch(function(self.images), function(self.labels), self.prepare, self.augment, draws)


def ready(batch: Any) -> Any:
    """A batch of any form (RawBatch, a dictionary of them, or ready already) with all of it made ready."""
    if isinstance(batch, RawBatch):
        return batch.ready()
    if isinstance(batch, Mapping):
        return {name: ready(part) for name, part in batch.items()}
    return batch


def _each(draws: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """`function` of every tensor in nested tuples; None stays."""
    if isinstance(draws, tuple):
        return tuple(_each(part, function) for part in draws)
    return None if draws is None else function(draws)
