"""Run by test_data_base.py in processes of their own: which images each process of two is given.

Fresh interpreters, not forks: a fork of a process that has used OpenMP can wait for its threads for ever.

    python process_shares.py group FOLDER RANK
    python process_shares.py trainer FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from lightning_modules.data import Digits


def shares(data: Digits) -> dict[str, list[int]]:
    """Numbers of the images that one epoch of this process shows, per split."""
    steps: Any = data.train_dataloader().steps
    return {
        part: [int(i) for number in range(len(stream)) for i in stream.indices(0, number)]
        for part, stream in (("weights", steps.weights), ("alpha", steps.alpha))
    }


def in_a_group(folder: Path, rank: int) -> None:
    store = f"file://{folder.resolve()}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    data = Digits(resolution=8, in_channels=1)
    data.setup()
    (folder / f"{rank}.json").write_text(json.dumps(shares(data)))
    torch.distributed.destroy_process_group()


class SharesOfTrainer(pl.LightningModule):
    """Writes what its process is given by a trainer, before the first step."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Linear(64, 10)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        return sum(self.net(images.flatten(1)).square().mean() for images, _ in batch.values())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def on_train_start(self) -> None:
        folder = Path(self.trainer.default_root_dir)
        (folder / f"{self.global_rank}.json").write_text(json.dumps(shares(self.trainer.datamodule)))


def by_a_trainer(folder: Path) -> None:
    off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        max_epochs=1,
        limit_train_batches=1,
        limit_val_batches=0,
        default_root_dir=str(folder),
        **dict.fromkeys(off, False),
    )
    trainer.fit(SharesOfTrainer(), Digits(resolution=8, in_channels=1))


if __name__ == "__main__":
    if sys.argv[1] == "group":
        in_a_group(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        by_a_trainer(Path(sys.argv[2]))
