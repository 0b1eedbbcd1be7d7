"""Where batches of images come from: tensors in memory, or files decoded on demand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor
from torch.utils.data import Dataset

from dnas.images.decoding import decode
from lightning_modules.data.augment import Augmentation
from lightning_modules.data.damaged import StandIns
from lightning_modules.data.raw import Batch, Prepare, RawBatch

Indices = Sequence[int] | np.ndarray


class Images(Protocol):
    """What `ArraySource` needs of its images: a tensor has it, and so have images on disk."""

    def __getitem__(self, rows: Tensor, /) -> Tensor: ...


class ImageSource(ABC):
    """Labelled images by number; `labels` is (N,) int64."""

    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def raw(self, indices: Indices, generator: torch.Generator | None = None) -> RawBatch:
        """The B images as they are stored, and all that is random about them, on the CPU.

        Args:
            indices: numbers of the B images.
            generator: decides the random augmentation, wholly; None gives the evaluation transform.
        """

    def name(self, number: int) -> str:
        """What messages call an image."""
        return f"image {number}"

    def batch(self, indices: Indices, generator: torch.Generator | None = None) -> Batch:
        """The same batch, ready: images (B, C, H, W) float32, normalised, and labels (B,) int64."""
        return self.raw(indices, generator).ready()


class ArraySource(ImageSource):
    """Images held in memory, or mapped from a file; augmented and prepared a batch at a time.

    Args:
        images: (N, C, H, W) tensor, or anything that gives such a tensor for a tensor of numbers.
        labels: (N,) classes.
        prepare: deterministic transform of a batch (scaling, normalisation), used always.
        augment: random transform of a batch, applied before `prepare` in training only.
        stand_ins: knows which images are damaged, and takes others for them; None: none is.
    """

    def __init__(
        self,
        images: Images,
        labels: Sequence[int] | np.ndarray,
        prepare: Prepare,
        augment: Augmentation | None = None,
        stand_ins: StandIns | None = None,
    ) -> None:
        self.images, self.labels = images, torch.as_tensor(np.asarray(labels), dtype=torch.int64)
        self.prepare, self.augment, self.stand_ins = prepare, augment, stand_ins

    def raw(self, indices: Indices, generator: torch.Generator | None = None) -> RawBatch:
        """See `ImageSource.raw`."""
        rows = torch.as_tensor(np.asarray(indices))
        if self.stand_ins is not None:
            rows = self.stand_ins.replace(rows)
        draws = None
        if generator is not None and self.augment is not None:
            draws = self.augment.draw(len(rows), generator)
        return RawBatch(self.images[rows], self.labels[rows], self.prepare, self.augment, draws)


class FileSource(ImageSource):
    """Image files, decoded and transformed one by one.

    Args:
        files: N paths.
        labels: (N,) classes.
        train: torchvision transform of a PIL image to a (C, H, W) tensor for training; it may be random.
        evaluate: the same for evaluation; deterministic.
        prepare: deterministic transform of a batch of such tensors (scaling, normalisation), used always.
        decode: a path to a PIL image.
        stand_ins: takes other images for those that cannot be decoded; None: they are an error.
    """

    def __init__(
        self,
        files: Sequence[str],
        labels: Sequence[int],
        train: Callable[..., Tensor],
        evaluate: Callable[..., Tensor],
        prepare: Prepare | None = None,
        decode: Callable[[str], Image] = decode,
        stand_ins: StandIns | None = None,
    ) -> None:
        self.files, self.labels = files, torch.as_tensor(np.asarray(labels), dtype=torch.int64)
        self.train, self.evaluate = train, evaluate
        self.prepare: Prepare = torch.nn.Identity() if prepare is None else prepare
        self.decode, self.stand_ins = decode, stand_ins

    def raw(self, indices: Indices, generator: torch.Generator | None = None) -> RawBatch:
        """See `ImageSource.raw`; raises ImageFault, naming a file that cannot be decoded."""
        transform = self.evaluate if generator is None else self.train
        # torchvision draws from torch's global CPU generator: lend it our seed, and put its own state back
        # after.
        with torch.random.fork_rng(devices=[], enabled=generator is not None):
            if generator is not None:
                torch.default_generator.manual_seed(int(torch.randint(2**62, (), generator=generator)))
            images = torch.stack([transform(self._image(int(index))) for index in indices])
        return RawBatch(images, self.labels[torch.as_tensor(np.asarray(indices))], self.prepare)

    def name(self, number: int) -> str:
        """Its file."""
        return self.files[number]

    def _image(self, number: int) -> Image:
        if self.stand_ins is None:
            return self.decode(self.files[number])
        return self.stand_ins.first(number, self.decode)


class Split(NamedTuple):
    """Some images of a source, by number, and whether their batches are handed out raw or ready."""

    source: ImageSource
    indices: np.ndarray
    raw: bool = False

    def batch(self, indices: Indices, generator: torch.Generator | None = None) -> Batch | RawBatch:
        """Images of the source, by their numbers there; see `ImageSource`."""
        fetch = self.source.raw if self.raw else self.source.batch
        return fetch(indices, generator)


class EvaluationSet(Dataset[Any]):
    """A split under the evaluation transform, as a map-style data set for `torch.utils.data.DataLoader`."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split.indices)

    def __getitem__(self, item: int) -> Batch:
        images, labels = self.split.source.batch(self.split.indices[[item]])
        return images[0], labels[0]

    def __getitems__(self, items: list[int]) -> Batch | RawBatch:
        """A whole batch at once: torch's loader asks for it where it exists; collate with `as_is`."""
        return self.split.batch(self.split.indices[items])


def as_is(batch: Any) -> Any:
    """Collation for batches that are whole already (a named function, so that workers can be spawned)."""
    return batch
