"""Replaying the layers of a search as CUDA graphs, so that the GPU does not wait for the host."""

from __future__ import annotations

import pytorch_lightning as pl

from lightning_modules.callbacks.supernet import passes_of


class CudaGraphs(pl.Callback):
    """Replay the layers' steps where masks run all choices; see docs/performance.md.

    Every kind of pass (weights learn, alpha learns, both) keeps the memory of one.

    Raises:
        ValueError: in ``setup``: a module without a supernet, no step that runs all choices, or another
            device than one GPU.
    """

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        if all(each.active is not None for each in passes_of(module, self)):
            raise ValueError(
                "CudaGraphs: no step runs all choices, and graphs are of such steps only. Use "
                "dnas.search.gradient.masks.SoftGumbel for the masks of weights or alpha, or leave "
                "CudaGraphs out."
            )
        check_gpu(trainer)
        module.supernet.capture_layers()  # type: ignore[union-attr,operator]


def check_gpu(trainer: pl.Trainer) -> None:
    """Refuse graphs without one GPU to replay them on.

    Raises:
        ValueError: the trainer's device is another, or one of several.
    """
    device, number = trainer.strategy.root_device.type, trainer.world_size
    if device != "cuda" or number > 1:
        raise ValueError(
            f"CudaGraphs needs one CUDA device, and this training runs on {number} of {device}: use "
            "trainer.accelerator: gpu with trainer.devices: 1, or leave CudaGraphs out."
        )
