"""What trainings ask of a data module. All of it may be missing: then its loaders are taken as they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol, runtime_checkable

import pytorch_lightning as pl
from torch import Tensor

from dnas.runs.normalisation import Normalisation

Batch = tuple[Tensor, Tensor]
Batches = Literal["search", "plain"]
Alternate = Literal["step", "epoch"]


@runtime_checkable
class ServesTraining(Protocol):
    """Serves training batches as a training needs them; without it they must be so already."""

    def serve(
        self,
        batches: Batches | None = None,
        *,
        split_alpha: bool | None = None,
        alternate: Alternate | None = None,
    ) -> None:
        """Called in ``setup``, before the training loader is made; None keeps what is set.

        Args:
            batches: "search": dicts {"weights": (images, labels), "alpha": (images, labels)}, either of which
                may be absent. "plain": (images, labels).
            split_alpha: alpha learns from images of its own, else they belong to the weights'.
            alternate: both parts in every step, or in an epoch all of the weights' before all of alpha's.
        """


@runtime_checkable
class ServesRecalibration(Protocol):
    """Has images for batch-norm statistics; without them candidates keep those of the supernet."""

    def recalibration_dataloader(self) -> Iterable[Batch]:
        """Training images without augmentation, (N, in_channels, H, W), the same in every call."""


@runtime_checkable
class Normalises(Protocol):
    """Says how its images are normalised, for checkpoints; without it they do not say."""

    @property
    def normalisation(self) -> Normalisation | None:
        """Mean and deviation of every channel, for pixels in [0, 1]."""


def datamodule_of(trainer: pl.Trainer) -> pl.LightningDataModule | None:
    """The data module of a trainer; None where it was given loaders."""
    return trainer.datamodule  # type: ignore[attr-defined]


def serve(
    trainer: pl.Trainer, batches: Batches, *, split_alpha: bool, alternate: Alternate | None = None
) -> None:
    """Have the trainer's data served as a training needs it, where the data module can do so."""
    data = datamodule_of(trainer)
    if isinstance(data, ServesTraining):
        data.serve(batches, split_alpha=split_alpha, alternate=alternate)
