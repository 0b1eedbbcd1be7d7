"""``trainer.sync_batchnorm`` for networks and supernets of ours, which torch's own layer does not suit."""

from __future__ import annotations

import pytorch_lightning as pl
from pytorch_lightning.plugins import LayerSync
from torch import nn

from dnas.layers.synchronised import SynchronisedBatchNorm2d


class SynchronisedNorms(LayerSync):
    """Batch norms become, in place and for as long as a fit lasts, those over all processes."""

    def apply(self, model: nn.Module) -> nn.Module:
        return _exchanged(model, nn.BatchNorm2d, SynchronisedBatchNorm2d)

    def revert(self, model: nn.Module) -> nn.Module:
        return _exchanged(model, SynchronisedBatchNorm2d, nn.BatchNorm2d)


def synchronise_norms(trainer: pl.Trainer) -> None:
    """Where the trainer is asked to synchronise batch norms, have it done by ours; call it before a fit."""
    # Lightning lets a plugin do it, too, but only on the command line could we add one for the user.
    if getattr(trainer.strategy, "_layer_sync", None) is not None:
        trainer.strategy._layer_sync = SynchronisedNorms()  # type: ignore[attr-defined]


def _exchanged(model: nn.Module, old: type[nn.Module], new: type[nn.Module]) -> nn.Module:
    for norm in model.modules():
        if type(norm) is old:
            norm.__class__ = new
    return model
