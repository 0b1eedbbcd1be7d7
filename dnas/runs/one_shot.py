"""One-shot accuracy of derived architectures, with the data module that a checkpoint remembers.

``dnas`` does not know data modules: a checkpoint names one by its class path, and it is imported when it is
needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from itertools import islice
from typing import Any

import torch

from dnas.nn.supernet import Supernet
from dnas.runs.evaluator import Evaluation, evaluate, recalibrate
from dnas.runs.kept_batches import KeptBatches
from dnas.space.architecture import Architecture

_METHODS = ("prepare_data", "setup", "recalibration_dataloader", "val_dataloader")


class DataUnavailable(ValueError):
    """The data that a checkpoint names is not at hand; the message says why."""


class OneShotEvaluator:
    """Accuracy of architectures with weights inherited from a supernet.

    Args:
        supernet: trained; it stays untouched.
        data: class path and arguments of a data module with ``recalibration_dataloader`` and
            ``val_dataloader``.
        recalibration_batches: training batches for batch-norm statistics.
        device: where networks are evaluated.

    Attributes:
        recalibration, validation: the batches that every architecture sees; the first and the second alike.

    Raises:
        DataUnavailable: no data module is named, or its data is missing.
    """

    def __init__(
        self,
        supernet: Supernet,
        data: Mapping[str, Any] | None,
        recalibration_batches: int = 8,
        device: torch.device | str = "cpu",
    ) -> None:
        self.supernet, self.device = supernet, torch.device(device)
        self.recalibration_batches = recalibration_batches
        datamodule = _load_data(data)
        self.recalibration = KeptBatches(
            lambda: islice(datamodule.recalibration_dataloader(), recalibration_batches), self.device
        )
        self.validation = KeptBatches(datamodule.val_dataloader, self.device)

    def __call__(self, architecture: Architecture) -> Evaluation:
        """Evaluate on the validation split, after batch-norm recalibration on training images."""
        network = self.supernet.extract(architecture)
        network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        recalibrate(network, self.recalibration)
        return evaluate(network, self.validation, network.classifier.out_features)


def _load_data(data: Mapping[str, Any] | None) -> Any:
    if not data:
        raise DataUnavailable("the checkpoint names no data module")
    module, _, name = data["class_path"].rpartition(".")
    try:
        kind = getattr(import_module(module), name)
        # A checkpoint may come from anywhere: it must not be able to call whatever it likes.
        if not isinstance(kind, type) or not all(hasattr(kind, method) for method in _METHODS):
            raise TypeError(f"it is no data module (a class with {', '.join(_METHODS)})")
        datamodule = kind(**data["init_args"])
        datamodule.prepare_data()
        datamodule.setup("validate")
    except (ImportError, AttributeError, FileNotFoundError, TypeError, ValueError) as error:
        raise DataUnavailable(f"{data['class_path']} could not be loaded: {error}") from error
    return datamodule
