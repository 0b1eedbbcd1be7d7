"""Batches of a loader that are read once and kept, where memory allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

Batch = tuple[Tensor, Tensor]
# What all images of a loader may take to be kept; more are read anew each time.
KEEP_BYTES = 1 << 30


class KeptBatches:
    """(images, labels) on a device, images in the channels-last layout, as often as they are iterated.

    Evaluating hundreds of networks on the same images otherwise loads and arranges them hundreds of times.

    Args:
        load: makes an iterable of batches, the same each time.
    """

    def __init__(
        self, load: Callable[[], Iterable[Batch]], device: torch.device, keep_bytes: int = KEEP_BYTES
    ) -> None:
        self._load, self._device, self._keep_bytes = load, device, keep_bytes
        self._kept: list[Batch] | None = None

    def __iter__(self) -> Iterator[Batch]:
        yield from self._read() if self._kept is None else self._kept

    def _read(self) -> Iterator[Batch]:
        kept: list[Batch] = []
        size = 0
        for images, labels in self._load():
            images = images.to(self._device, memory_format=torch.channels_last)
            batch = images, labels.to(self._device)
            size += images.nbytes
            if size <= self._keep_bytes:
                kept.append(batch)
            else:
                kept.clear()
            yield batch
        self._kept = kept if size <= self._keep_bytes else None
