"""The order of training: which images make up step t of epoch e, and how augmented, by the seed alone."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from lightning_modules.data.raw import Batch, RawBatch
from lightning_modules.data.sources import Split

_ORDER, _AUGMENTATION = 0, 1  # independent random streams


def _words(*key: int) -> int:
    """63 well-mixed bits from a key of integers; keys must have equal lengths to be independent."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


class Stream:
    """Endless shuffled batches of one split: reshuffled in every cycle through it, reordered in every epoch.

    All ranks shuffle alike and take every `world_size`-th image, so they are disjoint and equally long, and
    the ranks' batches together are the batch that one process would draw. What does not fill a batch is left
    out of the cycle.

    Args:
        split: the images.
        batch_size: images per batch and rank.
        seed: decides order and augmentation, together with `part`.
        part: number of the split, so that two splits under one seed are shuffled independently.
        rank: number of this process.
        world_size: number of processes.

    Raises:
        ValueError: the split has fewer images than one batch on every rank.
    """

    def __init__(
        self, split: Split, batch_size: int, seed: int, part: int = 0, rank: int = 0, world_size: int = 1
    ) -> None:
        name = "alpha" if part else "training"
        if not len(split.indices):
            raise ValueError(
                f"the {name} split is empty: enlarge its fraction, or add images "
                "(with model.steps.bilevel false a search needs no alpha split)"
            )
        if len(split.indices) < batch_size * world_size:
            raise ValueError(
                f"the {name} split of {len(split.indices)} images cannot fill a batch of {batch_size} on"
                f" {world_size} process(es): lower batch_size or enlarge the split's fraction"
            )
        self.split, self.batch_size, self.seed, self.part = split, batch_size, seed, part
        self.rank, self.world_size = rank, world_size
        self._shuffled: tuple[tuple[int, int], np.ndarray] | None = None

    def __len__(self) -> int:
        """Batches in one cycle through the split."""
        return len(self.split.indices) // self.world_size // self.batch_size

    def indices(self, epoch: int, number: int) -> np.ndarray:
        """(batch_size,) image numbers of this rank's batch `number` of an epoch; it may exceed a cycle."""
        cycle, position = divmod(number, len(self))
        own = self._order(epoch, cycle)[self.rank :: self.world_size]
        return own[position * self.batch_size : (position + 1) * self.batch_size]

    def batch(self, epoch: int, number: int) -> Batch | RawBatch:
        """Images (B, C, H, W) and labels (B,) of that batch; (seed, epoch, number, rank) decide all.

        Raw where the split is, with everything random drawn already.
        """
        key = _words(self.seed, self.part, _AUGMENTATION, epoch, number, self.rank)
        return self.split.batch(self.indices(epoch, number), torch.Generator().manual_seed(key))

    def identity(self) -> dict[str, int]:
        """What must be equal for two streams to give the same batches, rank apart."""
        checksum = zlib.crc32(np.ascontiguousarray(self.split.indices, dtype=np.int64).tobytes())
        return {
            "images": len(self.split.indices),
            "checksum": checksum,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "world_size": self.world_size,
        }

    def _order(self, epoch: int, cycle: int) -> np.ndarray:
        if self._shuffled is None or self._shuffled[0] != (epoch, cycle):
            shuffler = np.random.default_rng(_words(self.seed, self.part, _ORDER, epoch, cycle, 0))
            self._shuffled = (epoch, cycle), shuffler.permutation(self.split.indices)
        return self._shuffled[1]


class Steps(Dataset[Any]):
    """Training batches by (epoch, step): plain (images, labels), one cycle through `weights` per epoch."""

    def __init__(self, weights: Stream) -> None:
        self.weights = weights

    def __len__(self) -> int:
        """Steps per epoch."""
        return len(self.weights)

    def __getitem__(self, key: tuple[int, int]) -> Any:
        return self.weights.batch(*key)

    def locate(self, step: int, part: str) -> tuple[Stream, int]:
        """Where a step has its batch of a part ("weights", "alpha") from: stream, and number in its epoch."""
        return self.weights, step

    def identity(self) -> dict[str, Any]:
        """Plain data that must be equal for two instances to give the same steps."""
        return {"order": type(self).__name__, "weights": self.weights.identity()}


class SharedSteps(Steps):
    """Single-level search: both learn from the same batch, {"weights": batch, "alpha": batch}."""

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Batch | RawBatch]:
        batch = self.weights.batch(*key)
        return {"weights": batch, "alpha": batch}


class PairedSteps(Steps):
    """Bilevel search alternating per step: {"weights": batch, "alpha": batch}.

    One cycle through `weights` per epoch; the alpha split goes round as often as needed.
    """

    def __init__(self, weights: Stream, alpha: Stream) -> None:
        super().__init__(weights)
        self.alpha = alpha

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Batch | RawBatch]:
        return {"weights": self.weights.batch(*key), "alpha": self.alpha.batch(*key)}

    def locate(self, step: int, part: str) -> tuple[Stream, int]:
        """See `Steps.locate`."""
        return (self.alpha if part == "alpha" else self.weights), step

    def identity(self) -> dict[str, Any]:
        """See `Steps.identity`."""
        return {**super().identity(), "alpha": self.alpha.identity()}


class SuccessiveSteps(PairedSteps):
    """Bilevel search alternating per epoch: all {"weights": batch} first, then all {"alpha": batch}."""

    def __len__(self) -> int:
        """Steps per epoch, of both kinds together."""
        return len(self.weights) + len(self.alpha)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Batch | RawBatch]:
        epoch, step = key
        if step < len(self.weights):
            return {"weights": self.weights.batch(epoch, step)}
        return {"alpha": self.alpha.batch(epoch, step - len(self.weights))}

    def locate(self, step: int, part: str) -> tuple[Stream, int]:
        """See `Steps.locate`."""
        return (self.alpha, step - len(self.weights)) if part == "alpha" else (self.weights, step)
