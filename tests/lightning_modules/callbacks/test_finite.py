"""A loss that is not finite stops the training: at once, or one step later and before any checkpoint."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lightning_modules.callbacks import Diverged, FiniteTraining

NOT_FINITE = (math.nan, math.inf, -math.inf)


def loss(value: float) -> Tensor:
    return torch.tensor(value)


@pytest.mark.parametrize("value", NOT_FINITE)
def test_at_once_on_a_cpu(value: float) -> None:
    finite = FiniteTraining()
    finite.watch(loss(1.0), epoch=2)
    with pytest.raises(Diverged, match=f"became {value} in epoch 3.*not updated with it"):
        finite.watch(loss(value), epoch=3)


@pytest.mark.parametrize("value", NOT_FINITE)
def test_one_step_later_where_looking_would_take_time(value: float) -> None:
    finite = FiniteTraining(later=("cpu",))
    finite.watch(loss(value), epoch=3)
    with pytest.raises(Diverged, match=f"became {value} in epoch 3") as caught:
        finite.watch(loss(1.0), epoch=4)
    assert "not updated" not in str(caught.value)
    finite.watch(loss(1.0), epoch=4)


def test_what_is_watched_is_the_value_of_its_step() -> None:
    finite, reused = FiniteTraining(later=("cpu",)), loss(math.nan)
    finite.watch(reused, epoch=0)
    reused.fill_(1.0)
    with pytest.raises(Diverged, match="became nan"):
        finite.look()
    finite.look()


class Diverging(pl.LightningModule):
    """One weight; the loss of the very last step is not a number."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.finite = nn.Linear(1, 1), FiniteTraining(later=("cpu",))

    def configure_callbacks(self) -> list[pl.Callback]:
        return [self.finite]

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        value = self.layer(batch).sum() * (math.nan if batch_idx == 2 else 1.0)
        self.finite.watch(value, self.current_epoch)
        return value

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_no_checkpoint_of_a_diverged_last_step(tmp_path: Path) -> None:
    checkpoint = pl.callbacks.ModelCheckpoint(tmp_path, filename="last")
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, callbacks=[checkpoint], enable_progress_bar=False
    )
    with pytest.raises(Diverged, match="became nan in epoch 0"):
        trainer.fit(Diverging(), torch.utils.data.DataLoader(torch.ones(3, 1)))
    assert not list(tmp_path.iterdir())


@pytest.mark.gpu
def test_a_gpu_is_not_waited_for() -> None:
    finite, device = FiniteTraining(), torch.device("cuda")
    good, bad = torch.tensor(1.0, device=device), torch.tensor(math.nan, device=device)
    torch.cuda.set_sync_debug_mode("error")
    try:
        finite.watch(good, epoch=0)
        finite.watch(bad, epoch=0)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    with pytest.raises(Diverged, match="became nan"):
        finite.look()
