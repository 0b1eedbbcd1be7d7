"""Where batches of images come from: tensors in memory, or files decoded on demand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.datasets.folder import default_loader

Batch = tuple[Tensor, Tensor]


class ImageSource(ABC):
    """Labelled images by number; `labels` is (N,) int64."""

    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def batch(self, indices: Sequence[int] | np.ndarray, generator: torch.Generator | None = None) -> Batch:
        """Images (B, C, H, W) float32, normalised, and labels (B,) int64.

        Args:
            indices: numbers of the B images.
            generator: decides the random augmentation, wholly; None gives the evaluation transform.
        """


class ArraySource(ImageSource):
    """Images held in memory; augmented and prepared a batch at a time.

    Args:
        images: (N, C, H, W) tensor.
        labels: (N,) classes.
        prepare: deterministic transform of a batch (scaling, normalisation), used always.
        augment: random transform of a batch given a generator, applied before `prepare` in training only.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Sequence[int] | np.ndarray,
        prepare: Callable[[Tensor], Tensor],
        augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    ) -> None:
        self.images, self.labels = images, torch.as_tensor(np.asarray(labels), dtype=torch.int64)
        self.prepare, self.augment = prepare, augment

    def batch(self, indices: Sequence[int] | np.ndarray, generator: torch.Generator | None = None) -> Batch:
        """See `ImageSource.batch`."""
        rows = torch.as_tensor(np.asarray(indices))
        images = self.images[rows]
        if generator is not None and self.augment is not None:
            images = self.augment(images, generator)
        return self.prepare(images), self.labels[rows]


class FileSource(ImageSource):
    """Image files, decoded and transformed one by one.

    Args:
        files: N paths.
        labels: (N,) classes.
        train: torchvision transform of a PIL image to (C, H, W) for training; it may be random.
        evaluate: the same for evaluation; deterministic.
    """

    def __init__(
        self,
        files: Sequence[str],
        labels: Sequence[int],
        train: Callable[..., Tensor],
        evaluate: Callable[..., Tensor],
    ) -> None:
        self.files, self.labels = files, torch.as_tensor(np.asarray(labels), dtype=torch.int64)
        self.train, self.evaluate = train, evaluate

    def batch(self, indices: Sequence[int] | np.ndarray, generator: torch.Generator | None = None) -> Batch:
        """See `ImageSource.batch`."""
        transform = self.evaluate if generator is None else self.train
        # torchvision draws from torch's global CPU generator: lend it our seed, and put its own state back
        # after.
        with torch.random.fork_rng(devices=[], enabled=generator is not None):
            if generator is not None:
                torch.default_generator.manual_seed(int(torch.randint(2**62, (), generator=generator)))
            images = torch.stack([transform(default_loader(self.files[index])) for index in indices])
        return images, self.labels[torch.as_tensor(np.asarray(indices))]


class Split(NamedTuple):
    """Some images of a source, by number."""

    source: ImageSource
    indices: np.ndarray


class EvaluationSet(Dataset[Batch]):
    """A split under the evaluation transform, as a map-style data set for `torch.utils.data.DataLoader`."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split.indices)

    def __getitem__(self, item: int) -> Batch:
        images, labels = self.__getitems__([item])
        return images[0], labels[0]

    def __getitems__(self, items: list[int]) -> Batch:
        """A whole batch at once: torch's loader asks for it where it exists; collate with `as_is`."""
        return self.split.source.batch(self.split.indices[items])


def as_is(batch: Any) -> Any:
    """Collation for batches that are whole already (a named function, so that workers can be spawned)."""
    return batch
