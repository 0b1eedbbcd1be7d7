"""How well an architecture does with weights inherited from a supernet: the one-shot evaluator.

Statistics gathered while the supernet ran *other* architectures do not fit the one at hand; they are
recomputed (reset, cumulative average over some training batches) before every evaluation, as SPOS (arXiv
1904.00420) does. ``dnas`` does not know data modules: a checkpoint names one by its class path, and it is
imported when it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from dnas.nn.network import Network
from dnas.nn.supernet import Supernet
from dnas.runs.datamodules import LOADING, load_datamodule
from dnas.space.architecture import Architecture

Batch = tuple[Tensor, Tensor]
Batches = Iterable[Batch]
# What all images of a loader may take to be kept; more are read anew each time.
KEEP_BYTES = 1 << 30


class Evaluation(NamedTuple):
    """Accuracies in [0, 1] and mean cross-entropy in nats over ``images`` images."""

    top1: float
    top5: float
    loss: float
    images: int


def recalibrate(network: nn.Module, batches: Batches, limit: int | None = None) -> nn.Module:
    """Recompute all batch-norm statistics of ``network`` in place, from at most ``limit`` batches.

    Raises:
        ValueError: there is no batch to compute statistics from.
    """
    device = next(network.parameters()).device
    # The layout in which our networks compute fastest; others take it too.
    layout = torch.channels_last
    images = (images.contiguous(memory_format=layout) for images, _ in islice(batches, limit))
    first = next(images, None)
    if first is None:
        raise ValueError(
            "No images to recalibrate batch norms with: give at least one batch of training images."
        )
    # Dropout would draw random numbers for nothing: it comes after every batch norm.
    dropouts = [(module, module.p) for module in network.modules() if isinstance(module, nn.Dropout)]
    for module, _ in dropouts:
        module.p = 0.0
    update_bn(chain([first], images), network, device=device)
    for module, rate in dropouts:
        module.p = rate
    return network


@torch.no_grad()
def evaluate(network: nn.Module, batches: Batches, num_classes: int) -> Evaluation:
    """Top-1, top-5 (of fewer classes: top-all) and cross-entropy of ``network`` in eval mode.

    Of several processes each evaluates its own network, on all batches that it is given.
    """
    device, was_training = next(network.parameters()).device, network.training
    network.eval()
    moved = ((images.to(device), labels.to(device)) for images, labels in batches)
    found = score(((network(images), labels) for images, labels in moved), num_classes, device)
    network.train(was_training)
    return found


def score(outputs: Batches, num_classes: int, device: torch.device | None = None) -> Evaluation:
    """What batches of logits, (n, num_classes), and labels on a device come to.

    Raises:
        ValueError: there are none.
    """
    top1, top5, loss = accuracies(num_classes, device, shared=False)
    images = 0
    for logits, labels in outputs:
        top1.update(logits, labels)
        top5.update(logits, labels)
        loss.update(F.cross_entropy(logits, labels), len(labels))
        images += len(labels)
    if not images:
        raise ValueError("No images to evaluate on: the split is empty.")
    return Evaluation(top1.compute().item(), top5.compute().item(), loss.compute().item(), images)


def accuracies(
    num_classes: int, device: torch.device | None = None, shared: bool = True
) -> tuple[MulticlassAccuracy, MulticlassAccuracy, MeanMetric]:
    """Fresh metrics: top-1, top-5 (never more than there are classes), mean loss.

    Shared ones are computed over the batches of all processes together.
    """
    top1, top5 = (
        MulticlassAccuracy(num_classes, top_k=min(k, num_classes), average="micro", sync_on_compute=shared)
        for k in (1, 5)
    )
    loss = MeanMetric(sync_on_compute=shared)
    return top1.to(device), top5.to(device), loss.to(device)


class OneShotEvaluator:
    """Accuracy of architectures with weights inherited from a supernet.

    Architectures that build the same network inherit other weights of the supernet; all are evaluated with
    those of their canonical form, so that a network has one accuracy.

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
        datamodule = load_datamodule(data, (*LOADING, "recalibration_dataloader"))
        self.recalibration = KeptBatches(
            lambda: islice(datamodule.recalibration_dataloader(), recalibration_batches), self.device
        )
        self.validation = KeptBatches(datamodule.val_dataloader, self.device)

    def __call__(self, architecture: Architecture) -> Evaluation:
        """Evaluate on the validation split, after batch-norm recalibration on training images."""
        network = self.extract(architecture)
        recalibrate(network, self.recalibration)
        return evaluate(network, self.validation, network.classifier.out_features)

    def extract(self, architecture: Architecture) -> Network:
        """The network of an architecture's canonical form, as it is evaluated."""
        network = self.supernet.extract(architecture.canonical())
        return network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]


class KeptBatches:
    """(images, labels) on a device, images in the channels-last layout, as often as they are iterated.

    Evaluating hundreds of networks on the same images otherwise loads and arranges them hundreds of times.

    Args:
        load: makes an iterable of batches, the same each time.
    """

    def __init__(
        self, load: Callable[[], Batches], device: torch.device, keep_bytes: int = KEEP_BYTES
    ) -> None:
        self._load, self._device, self._keep_bytes = load, device, keep_bytes
        self._kept: list[Batch] | None = None

    @property
    def kept(self) -> Sequence[Batch] | None:
        """All batches, once they were read and found small enough to be kept."""
        return self._kept

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
