"""What all image data modules share: splits, loaders and the way in which training batches are served."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.overrides.distributed import UnrepeatedDistributedSampler
from pytorch_lightning.utilities import rank_zero_warn
from torch.utils.data import DataLoader

from dnas.runs.normalisation import Normalisation
from lightning_modules.data.loaders import ResumableLoader, evaluation_loader, recalibration_loader
from lightning_modules.data.raw import ready
from lightning_modules.data.sources import Split
from lightning_modules.data.splits import fraction_problems
from lightning_modules.data.streams import PairedSteps, SharedSteps, Steps, Stream, SuccessiveSteps
from lightning_modules.data_protocols import Alternate, Batches

BatchSize = int | Literal["auto"]
PrepareOn = Literal["auto", "loader", "device"]


class ImageDataModule(pl.LightningDataModule, ABC):
    """Splits `weights`, `alpha`, `val`, `test`, and the loaders that serve them.

    `num_classes`, `resolution` (pixels) and `in_channels` are there right after construction; `splits` after
    `setup`. The training loader is made when it is asked for, so `serve` works until then.

    Args:
        resolution: height and width of the images, pixels.
        in_channels: channels of the images.
        fractions: the split fractions, for validation.
        batch_size: images per training batch and process, in the weights and in the alpha split. "auto"
            leaves it to a search, which takes what memory allows (docs/memory.md); other training needs a
            number.
        eval_batch_size: images per batch in validation, test and recalibration.
        num_workers: processes that load; 0 loads in the training process. Batches do not depend on it. None
            takes 0 where the CPU trains or images are in memory, else one for each CPU core, at most 8.
        seed: decides splits, order and augmentation.
        split_alpha: True keeps the alpha split apart (bilevel search). False merges it into the weights
            split: for single-level search, where both learn from the same batch, and for retraining.
        alternate: "step" pairs a weights batch with an alpha batch in every step; "epoch" serves all weights
            batches first and all alpha batches after (FBNet).
        batches: "search" serves dicts {"weights": (images, labels), "alpha": (images, labels)}; "plain"
            serves (images, labels) for ordinary training.
        augment: augment training images.
        prepare_on: where a trainer's images are augmented and normalised, with equal draws: "loader" before
            they are handed out; "device" after they were moved there, as bytes; "auto" takes the device
            unless it is the CPU. Loaders that are used without a trainer always hand out ready images.

    Raises:
        ValueError: naming every argument that cannot be used.
    """

    def __init__(
        self,
        *,
        resolution: int,
        in_channels: int,
        fractions: Mapping[str, float],
        batch_size: BatchSize = 64,
        eval_batch_size: int = 256,
        num_workers: int | None = None,
        seed: int = 0,
        split_alpha: bool = True,
        alternate: Alternate = "step",
        batches: Batches = "search",
        augment: bool = True,
        prepare_on: PrepareOn = "auto",
    ) -> None:
        super().__init__()
        at_least = {"resolution": 1, "batch_size": 1, "eval_batch_size": 1, "num_workers": 0, "seed": 0}
        values = {
            "resolution": resolution,
            "batch_size": 1 if batch_size == "auto" else batch_size,
            "eval_batch_size": eval_batch_size,
            "num_workers": 0 if num_workers is None else num_workers,
            "seed": seed,
        }
        problems = [
            f"{name} must be an integer >= {least}, got {values[name]!r}"
            for name, least in at_least.items()
            if not isinstance(values[name], int) or values[name] < least
        ]
        problems += fraction_problems(fractions) + _serving_problems(batches, split_alpha, alternate)
        if prepare_on not in get_args(PrepareOn):
            problems.append(f"prepare_on must be one of {get_args(PrepareOn)}, got {prepare_on!r}")
        if problems:
            raise ValueError(f"{type(self).__name__}: {'; '.join(problems)}")
        self.resolution, self.in_channels, self.fractions = resolution, in_channels, dict(fractions)
        self.batch_size: BatchSize = batch_size
        self.eval_batch_size, self.num_workers = eval_batch_size, num_workers
        self.seed, self.augment, self.prepare_on = seed, augment, prepare_on
        self.split_alpha, self.alternate, self.batches = split_alpha, alternate, batches
        self._splits: dict[str, Split] = {}

    in_memory = True  # images need no decoding; a subclass that reads files says otherwise

    @property
    @abstractmethod
    def num_classes(self) -> int:
        """Number of classes; labels are 0..num_classes-1."""

    @property
    def normalisation(self) -> Normalisation | None:
        """What `prepare` takes off images in [0, 1], and divides them by; None where that is not known."""
        return None

    @abstractmethod
    def load_splits(self) -> dict[str, Split]:
        """Reads the data and cuts it into `weights`, `alpha`, `val` and `test`; raises DataNotFound."""

    @property
    def splits(self) -> dict[str, Split]:
        """The splits by name.

        Raises:
            RuntimeError: before `setup`.
        """
        if not self._splits:
            raise RuntimeError(f"{type(self).__name__}: the data is not read yet, call setup() first")
        return self._splits

    def setup(self, stage: str | None = None) -> None:
        """Reads the data, once; all stages need the same splits."""
        if not self._splits:
            self._splits = self.load_splits()

    def serve(
        self,
        batches: Batches | None = None,
        *,
        split_alpha: bool | None = None,
        alternate: Alternate | None = None,
    ) -> None:
        """Changes how training batches are served; None keeps what is set. Call it before the loader is made.

        Raises:
            ValueError: a value, or the combination, is unknown.
        """
        batches = self.batches if batches is None else batches
        split_alpha = self.split_alpha if split_alpha is None else split_alpha
        alternate = self.alternate if alternate is None else alternate
        if problems := _serving_problems(batches, split_alpha, alternate):
            raise ValueError(f"{type(self).__name__}: {'; '.join(problems)}")
        self.batches, self.split_alpha, self.alternate = batches, split_alpha, alternate

    def train_dataloader(self) -> ResumableLoader:
        """The training loader, sharded over processes; each epoch is one pass over the weights split.

        Raises:
            ValueError: a batch size "auto" that no search has chosen, or overfit_batches.
        """
        if getattr(self.trainer, "overfit_batches", 0) > 0:
            raise ValueError(
                "overfit_batches needs a loader that Lightning can stop from shuffling, and this one keeps"
                " its own order to be resumable: use limit_train_batches instead"
            )
        progress = None if self.trainer is None else self._progress
        return ResumableLoader(self._steps(), progress=progress, **self._loading())

    def val_dataloader(self) -> DataLoader[Any]:
        """The validation split under the evaluation transform, in a fixed order."""
        return self._evaluation("val")

    def test_dataloader(self) -> DataLoader[Any]:
        """The test split under the evaluation transform, in a fixed order."""
        return self._evaluation("test")

    def recalibration_dataloader(self, batch_size: int | None = None) -> DataLoader[Any]:
        """What weights learn from, without augmentation: fixed shuffled batches, all on every process.

        They are always ready: recalibration takes them without a trainer's help.
        """
        size = self.eval_batch_size if batch_size is None else batch_size
        return recalibration_loader(self._weights_split(), size, self.seed, **self._loading())

    def image_name(self, epoch: int, step: int, part: str, row: int) -> str:
        """What messages call an image of this process's training batch: its file, or its number.

        Args:
            part: "weights" or "alpha".
        """
        stream, number = self._steps().locate(step, part)
        return stream.split.source.name(int(stream.indices(epoch, number)[row]))

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Augments and normalises what was moved to the device raw; ready batches pass."""
        made = ready(batch)
        # The trainer converts batches to its precision before they are moved, when these were still bytes.
        return made if self.trainer is None else self.trainer.precision_plugin.convert_input(made)

    def _evaluation(self, name: str) -> DataLoader[Any]:
        split, loading = self.splits[name], self._loading()
        if not len(split.indices):
            rank_zero_warn(f"The {name} split is empty ({name}_fraction 0): no accuracy is measured on it.")
        loading["persistent_workers"] = loading["num_workers"] > 0
        rank, world_size = self._processes()
        if world_size > 1 and len(split.indices):
            if len(split.indices) < world_size:
                raise ValueError(
                    f"the {name} split of {len(split.indices)} images has none for some of {world_size} "
                    "processes: enlarge its fraction, or take fewer processes"
                )
            # Lightning's own fills up with images that count twice.
            loading["sampler"] = UnrepeatedDistributedSampler(
                range(len(split.indices)), num_replicas=world_size, rank=rank, shuffle=False
            )
        return evaluation_loader(split._replace(raw=self._on_device()), self.eval_batch_size, **loading)

    def _steps(self) -> Steps:
        weights = self._stream(self._weights_split(), part=0)
        if self.batches == "plain":
            return Steps(weights)
        if not self.split_alpha:
            return SharedSteps(weights)
        order = PairedSteps if self.alternate == "step" else SuccessiveSteps
        return order(weights, self._stream(self.splits["alpha"], part=1))

    def _stream(self, split: Split, part: int) -> Stream:
        rank, world_size = self._processes()
        split = split._replace(raw=self._on_device())
        return Stream(split, self._images_per_batch(), self.seed, part=part, rank=rank, world_size=world_size)

    def _images_per_batch(self) -> int:
        if isinstance(self.batch_size, int):
            return self.batch_size
        raise ValueError(
            f"{type(self).__name__}: only a search chooses batch_size 'auto', from the memory of its"
            " supernet: give a number (on the command line --data.init_args.batch_size)"
        )

    def _weights_split(self) -> Split:
        weights, alpha = self.splits["weights"], self.splits["alpha"]
        if self.split_alpha:
            return weights
        return Split(weights.source, np.sort(np.concatenate([weights.indices, alpha.indices])))

    def _loading(self) -> dict[str, Any]:
        workers = self._automatic_workers() if self.num_workers is None else self.num_workers
        return {"num_workers": workers, "pin_memory": self._device_type() == "cuda"}

    def _automatic_workers(self) -> int:
        """Where the CPU trains, workers would take its cores; fetching from memory needs none."""
        if self.in_memory or self.trainer is None or self._device_type() == "cpu":
            return 0
        return max(1, min(8, cores() // self.trainer.num_devices))

    def _device_type(self) -> str:
        return "cpu" if self.trainer is None else self.trainer.strategy.root_device.type

    def _on_device(self) -> bool:
        """Whether batches are handed out raw, because a trainer will have them made ready after the move."""
        wanted = self.prepare_on == "device" or (self.prepare_on == "auto" and self._device_type() != "cpu")
        return self.trainer is not None and wanted

    def _processes(self) -> tuple[int, int]:
        """(rank, world size) of this process."""
        if self.trainer is not None:
            return self.trainer.global_rank, self.trainer.world_size
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return torch.distributed.get_rank(), torch.distributed.get_world_size()
        return 0, 1

    def _progress(self) -> tuple[int, int]:
        """(epoch, batches of it that are finished)."""
        assert self.trainer is not None
        finished = self.trainer.fit_loop.epoch_loop.batch_progress.current.state_dict()["processed"]
        return self.trainer.current_epoch, finished


def _serving_problems(batches: str, split_alpha: bool, alternate: str) -> list[str]:
    problems = [
        f"{name} must be one of {get_args(allowed)}, got {value!r}"
        for name, value, allowed in (("batches", batches, Batches), ("alternate", alternate, Alternate))
        if value not in get_args(allowed)
    ]
    if batches == "search" and alternate == "epoch" and not split_alpha:
        problems.append("alternate='epoch' needs an alpha split of its own, but split_alpha is False")
    return problems


def cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
