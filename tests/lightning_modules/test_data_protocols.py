"""What trainings ask of a data module, and that a plain one does without all of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from lightning_modules.data import Digits
from lightning_modules.data_protocols import Normalises, ServesRecalibration, ServesTraining, serve

BATCH = torch.rand(4, 3, 8, 8), torch.arange(4)


class Plain(pl.LightningDataModule):
    """Two batches, of which nothing can be asked."""

    def __init__(self, train: Any) -> None:
        super().__init__()
        self.train = train

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader([self.train] * 2, batch_size=None)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader([BATCH], batch_size=None)


@pytest.mark.parametrize("protocol", [ServesTraining, ServesRecalibration, Normalises])
def test_our_data_modules_have_all_of_it(protocol: type) -> None:
    assert isinstance(Digits(resolution=8), protocol)
    assert not isinstance(Plain(BATCH), protocol)


@pytest.mark.parametrize(
    ("make", "train"), [("make_search", {"weights": BATCH, "alpha": BATCH}), ("make_one_shot", BATCH)]
)
def test_a_plain_data_module_trains_a_supernet(
    make: str,
    train: Any,
    make_trainer: Callable[..., pl.Trainer],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    trainer = make_trainer(tmp_path)
    trainer.fit(request.getfixturevalue(make)(), datamodule=Plain(train))
    assert 0.0 <= trainer.callback_metrics["val_top1"].item() <= 1.0


def test_loaders_without_a_data_module_train_a_search(
    make_search: Callable[..., pl.LightningModule], make_trainer: Callable[..., pl.Trainer], tmp_path: Path
) -> None:
    trainer = make_trainer(tmp_path)
    plain = Plain({"weights": BATCH, "alpha": BATCH})
    trainer.fit(make_search(), plain.train_dataloader(), plain.val_dataloader())
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["dnas"]["data"] is None


def test_what_is_not_asked_for_stays_as_it_is_set(
    make_trainer: Callable[..., pl.Trainer], tmp_path: Path
) -> None:
    trainer, data = make_trainer(tmp_path), Digits(resolution=8, alternate="epoch")
    trainer.datamodule = data  # type: ignore[attr-defined]
    serve(trainer, "plain", split_alpha=False)
    assert (data.batches, data.split_alpha, data.alternate) == ("plain", False, "epoch")
