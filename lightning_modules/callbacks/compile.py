"""Compiling the layers of a search with torch.compile, where every step runs all choices."""

from __future__ import annotations

import pytorch_lightning as pl

from lightning_modules.callbacks.supernet import passes_of


class CompileLayers(pl.Callback):
    """Compile each layer's training step when it first runs; docs/performance.md says when it pays.

    Args:
        backend: of torch.compile.

    Raises:
        ValueError: in ``setup``: an unknown backend, checkpointing, a module without a supernet, or masks
            that run some choices only.
    """

    def __init__(self, backend: str = "inductor") -> None:
        self.backend = backend

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        if any(each.active is not None for each in passes_of(module, self)):
            raise ValueError(
                "CompileLayers: the masks run other choices in every step, and each selection would be "
                "compiled anew. Use dnas.search.gradient.masks.SoftGumbel for the masks of weights and of "
                "alpha, or leave CompileLayers out."
            )
        module.supernet.compile_layers(self.backend)  # type: ignore[union-attr,operator]
