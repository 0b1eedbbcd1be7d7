"""What is not finite stops the training: at once, or one step later, and before any checkpoint is written."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lightning_modules.callbacks import Diverged, FiniteTraining
from lightning_modules.callbacks.not_finite import bad_state
from lightning_modules.data import Digits
from lightning_modules.data.sources import Split

NOT_FINITE = (math.nan, math.inf, -math.inf)


def loss(value: float) -> Tensor:
    return torch.tensor(value)


@pytest.mark.parametrize("value", NOT_FINITE)
def test_at_once_on_a_cpu(value: float) -> None:
    finite = FiniteTraining()
    finite.watch(loss(1.0))
    with pytest.raises(Diverged, match=f"became {value}.*not updated with it"):
        finite.watch(loss(value))


@pytest.mark.parametrize("value", NOT_FINITE)
def test_one_step_later_where_looking_would_take_time(value: float) -> None:
    finite = FiniteTraining(later=("cpu",))
    finite.watch(loss(value))
    with pytest.raises(Diverged, match=f"became {value}") as caught:
        finite.watch(loss(1.0))
    assert "not updated" not in str(caught.value)
    finite.watch(loss(1.0))


def test_what_is_watched_is_the_value_of_its_step() -> None:
    finite, reused = FiniteTraining(later=("cpu",)), loss(math.nan)
    finite.watch(reused)
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
        self.finite.watch(value)
        return value

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_no_checkpoint_of_a_diverged_last_step(tmp_path: Path) -> None:
    checkpoint = pl.callbacks.ModelCheckpoint(tmp_path, filename="last")
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, callbacks=[checkpoint], enable_progress_bar=False
    )
    with pytest.raises(Diverged, match="Epoch 0, batch 2: the loss became nan"):
        trainer.fit(Diverging(), torch.utils.data.DataLoader(torch.ones(3, 1)))
    assert not list(tmp_path.iterdir())


class Written(pl.Callback):
    """Writes a value that is not finite into one tensor before the last step of the first epoch."""

    def __init__(self, name: str, value: float) -> None:
        self.name, self.value = name, value

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        if trainer.is_last_batch:
            tensors = dict(module.named_parameters()) | dict(module.named_buffers())
            tensors[self.name].data[-1] = self.value


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("supernet.blocks.1.shared.dense.project.bn.running_var", "layer L2: statistic of a batch norm, "),
        ("supernet.classifier.weight", ""),
        ("relaxation.latency", ""),
    ],
)
def test_a_checkpoint_never_holds_what_is_not_finite(
    make_search: Callable[..., pl.LightningModule],
    make_trainer: Callable[..., pl.Trainer],
    tmp_path: Path,
    name: str,
    place: str,
) -> None:
    trainer = make_trainer(tmp_path, callbacks=[Written(name, math.inf)], limit_val_batches=0)
    trainer.fit(make_search(), datamodule=Digits(batch_size=8, resolution=8))
    with pytest.raises(Diverged, match=f"^Epoch 0, batch 1: {place}{name} is inf, found before a checkpoint"):
        trainer.save_checkpoint(tmp_path / "bad.ckpt")
    assert not (tmp_path / "bad.ckpt").exists()


def test_the_state_of_an_optimiser_counts() -> None:
    layer = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert bad_state(layer, [optimizer]) is None
    optimizer.state[layer.bias]["momentum_buffer"][0] = -math.inf
    assert bad_state(layer, [optimizer]) == "momentum_buffer of bias is -inf"


class Spoilt(Digits):
    """One image of the weights split is not a number, and knows its file."""

    def load_splits(self) -> dict[str, Split]:
        splits = super().load_splits()
        source = splits["weights"].source
        source.images = source.images.contiguous()
        source.images[splits["weights"].indices[5]] = math.nan
        source.name = lambda number: f"{number}.png"
        return splits


def test_what_was_lowered_once_is_not_lowered_again() -> None:
    finite = FiniteTraining("rollback")
    finite.load_state_dict({"rolled_back": True})
    with pytest.raises(Diverged, match="lowered already") as caught:
        finite.watch(loss(math.nan))
    assert not caught.value.rolls_back and not caught.value.curable


def test_images_are_named_where_they_are_the_cause(
    make_search: Callable[..., pl.LightningModule], make_trainer: Callable[..., pl.Trainer], tmp_path: Path
) -> None:
    data = Spoilt(batch_size=128, resolution=8, augment=False)
    trainer = make_trainer(tmp_path, limit_train_batches=1.0, limit_val_batches=0)
    with pytest.raises(Diverged, match="Images are the cause: 1 of 128 are not finite") as caught:
        trainer.fit(make_search(on_nan="rollback"), datamodule=data)
    assert f"({data.splits['weights'].indices[5]}.png)" in str(caught.value)
    # Lower learning rates mend no image.
    assert not caught.value.rolls_back


@pytest.mark.gpu
def test_a_gpu_is_not_waited_for() -> None:
    finite, device = FiniteTraining(), torch.device("cuda")
    good, bad = torch.tensor(1.0, device=device), torch.tensor(math.nan, device=device)
    torch.cuda.set_sync_debug_mode("error")
    try:
        finite.watch(good)
        finite.watch(bad)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    with pytest.raises(Diverged, match="became nan"):
        finite.look()
