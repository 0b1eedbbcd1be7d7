"""Loaders: a training loader that resumes in the middle of an epoch, and plain ones for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from dnas.images.decoding import ImageFault
from lightning_modules.data.sources import EvaluationSet, Split, as_is
from lightning_modules.data.streams import Steps

Progress = Callable[[], tuple[int, int]]


class ResumableLoader:
    """One epoch of training steps per iteration, continued exactly where a checkpoint left off.

    Lightning saves `state_dict()` with the progress of its loops and hands it back through
    `load_state_dict()` when a fit resumes in the middle of an epoch. Nothing else needs to be stored: every
    batch is a function of (seed, epoch, step), whatever `num_workers`, so the skipped steps are never drawn.

    Args:
        steps: the batches, by (epoch, step).
        num_workers: processes that assemble batches, ahead of their use and for all epochs; 0 assembles each
            in this process when it is asked for.
        pin_memory: put batches into page-locked memory, from which copies to a CUDA device are faster.
        progress: says how far training has come, if anyone knows: the epoch, and the number of its batches
            whose training step has ended. A batch that was handed out but whose step was interrupted is then
            handed out again, as Lightning counts it.
    """

    def __init__(
        self, steps: Steps, num_workers: int = 0, pin_memory: bool = False, progress: Progress | None = None
    ) -> None:
        self.steps, self.epoch = steps, 0
        self.num_workers, self.pin_memory = num_workers, pin_memory
        self._progress = progress
        self._handed_out = 0
        self._start = 0
        # One list for good: workers that stay alive go through what it holds when an epoch begins.
        self._keys: list[tuple[int, int]] = []
        self._loader = _loader(
            steps,
            sampler=self._keys,
            batch_size=None,
            num_workers=num_workers,
            pin_memory=pin_memory,
            persistent_workers=num_workers > 0,
        )

    def __len__(self) -> int:
        """Steps of a whole epoch, also when the next one resumes in its middle: Lightning counts on it."""
        return len(self.steps)

    @property
    def sampler(self) -> ResumableLoader:
        """Itself: Lightning calls `set_epoch` on whatever it finds under this name."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch, from 0, of iterations that begin after this call; `progress` overrules it."""
        if epoch != self.epoch:
            self.epoch, self._handed_out, self._start = epoch, 0, 0

    def __iter__(self) -> Iterator[Any]:
        # A generator: nothing happens before the first batch is asked for. Lightning makes iterators before
        # it restores the state and before it sets the epoch.
        if self._progress is not None:
            # Where a fit with max_steps resumes from the end of an epoch, Lightning sets an epoch too many.
            self.set_epoch(self._progress()[0])
        start, self._start = self._start, 0
        self._keys[:] = [(self.epoch, step) for step in range(start, len(self))]
        self._handed_out = start
        for batch in self._loader:
            self._handed_out += 1
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """Plain data: the epoch, the number of its batches that are done, and what identifies the order."""
        done = self._handed_out if self._progress is None else min(self._handed_out, self._progress()[1])
        return {"epoch": self.epoch, "batch": done, "steps": len(self), "identity": self.steps.identity()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The next iteration, if it is of the saved epoch, begins after the batches that were done.

        Raises:
            ValueError: the state was saved in mid-epoch by a loader that gives other batches.
        """
        expected, own = state_dict["identity"], self.steps.identity()
        if 0 < state_dict["batch"] < state_dict["steps"] and expected != own:
            raise ValueError(
                f"the checkpoint stops in epoch {state_dict['epoch']} after batch {state_dict['batch']} of"
                f" {state_dict['steps']}, and this data would continue with other batches: it was saved with"
                f" {expected}, now there is {own}; resume with the same data arguments and processes"
            )
        self.epoch, self._handed_out = state_dict["epoch"], state_dict["batch"]
        self._start = self._handed_out


def evaluation_loader(split: Split, batch_size: int, **options: Any) -> DataLoader[Any]:
    """All images of a split in a fixed order under the evaluation transform, as (images, labels) or raw.

    `options` (num_workers, pin_memory, ...) go to torch's DataLoader.
    """
    return _loader(EvaluationSet(split), batch_size=batch_size, **options)


def recalibration_loader(split: Split, batch_size: int, seed: int, **options: Any) -> DataLoader[Any]:
    """Full batches of a split under the evaluation transform, shuffled once: all passes are the same.

    Batch norm statistics want batches of mixed classes and equal size, and repeatable scores want a fixed
    order. A split smaller than `batch_size` gives one batch. `options` go to torch's DataLoader.
    """
    shuffled = Split(split.source, np.random.default_rng(seed).permutation(split.indices))
    batch_size = min(batch_size, len(split.indices))
    return _loader(EvaluationSet(shuffled), batch_size=batch_size, drop_last=True, **options)


class FaultsAsData(Dataset[Any]):
    """A data set that gives an image fault instead of raising it.

    Torch raises an exception of a loader's process again with that process's traceback as its message.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, item: Any) -> Any:
        try:
            return self.dataset[item]
        except ImageFault as fault:
            return fault

    def __getitems__(self, items: list[int]) -> Any:
        """See `EvaluationSet.__getitems__`."""
        try:
            return self.dataset.__getitems__(items)
        except ImageFault as fault:
            return fault


class FaultRaisingLoader(DataLoader[Any]):
    """Raises the image faults among what its data set gives, in the process that iterates."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        for batch in super().__iter__():
            if isinstance(batch, ImageFault):
                try:
                    raise batch
                finally:
                    # The fault, its traceback and this frame would be a circle; collected with it, the
                    # loader's processes do not hear that they are to end, and are waited for in vain.
                    del batch
            yield batch


def _loader(dataset: Any, **options: Any) -> DataLoader[Any]:
    # Without a generator of its own, a DataLoader draws from torch's global one each time it is iterated.
    return FaultRaisingLoader(
        FaultsAsData(dataset),
        collate_fn=as_is,
        generator=torch.Generator(),
        **options,
    )
