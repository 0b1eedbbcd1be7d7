"""How well a network with inherited weights does: batch-norm recalibration, then accuracy and loss.

Statistics gathered while the supernet ran *other* architectures do not fit the one at hand; they are
recomputed (reset, cumulative average over some training batches) before every evaluation, as SPOS (arXiv
1904.00420) does.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

Batches = Iterable[tuple[Tensor, Tensor]]


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
    top1, top5, loss = accuracies(num_classes, device, shared=False)
    network.eval()
    images_seen = 0
    for images, labels in batches:
        images, labels = images.to(device), labels.to(device)
        logits = network(images)
        top1.update(logits, labels)
        top5.update(logits, labels)
        loss.update(F.cross_entropy(logits, labels), len(labels))
        images_seen += len(labels)
    network.train(was_training)
    if not images_seen:
        raise ValueError("No images to evaluate on: the split is empty.")
    return Evaluation(top1.compute().item(), top5.compute().item(), loss.compute().item(), images_seen)


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
