"""Top-1, top-5 and cross-entropy of a split, accumulated over its batches and logged by Lightning."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric

from dnas.runs.evaluator import accuracies


class Accuracy(nn.ModuleDict):
    """Logs ``<split>_top1``, ``<split>_top5`` (fractions) and ``<split>_ce`` (nats) of whole epochs.

    Raises:
        ValueError: less than two classes.
    """

    def __init__(self, num_classes: int) -> None:
        if num_classes < 2:
            raise ValueError(
                f"num_classes is {num_classes}: a classifier needs at least 2 classes (in data of folders, a "
                "folder for each)."
            )
        super().__init__(dict(zip(("top1", "top5", "ce"), accuracies(num_classes), strict=True)))

    def log_batch(self, module: pl.LightningModule, logits: Tensor, labels: Tensor, split: str) -> None:
        """Take in (N, classes) logits and (N,) labels of ``val`` or ``test``; call it in every step."""
        logits = full_precision(logits)
        if logits.dtype == torch.float64:
            # Lightning's double precision passes metrics by.
            loss = self["ce"]
            assert isinstance(loss, Metric)
            loss.set_dtype(logits.dtype)
        self["top1"](logits, labels)
        self["top5"](logits, labels)
        self["ce"](F.cross_entropy(logits, labels), len(labels))
        for name, metric in self.items():
            assert isinstance(metric, Metric)
            module.log(f"{split}_{name}", metric, prog_bar=name == "top1")


def full_precision(logits: Tensor) -> Tensor:
    """Half precision as float32; float64 stays."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
