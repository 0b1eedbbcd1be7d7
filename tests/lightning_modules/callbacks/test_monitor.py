"""One record per epoch, in checkpoint, CSV and TensorBoard."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from dnas.costs import count
from dnas.report.history import History
from dnas.runs.checkpoint_file import read
from dnas.search.gradient.schedules import Linear
from lightning_modules.search import DifferentiableSearch

MakeSearch = Callable[..., DifferentiableSearch]
Fit = Callable[..., pl.Trainer]
NAMES = {
    "expected_latency_ms",
    "argmax_latency_ms",
    "expected_params",
    "argmax_params",
    "expected_madds",
    "entropy",
    "val_top1",
    "val_top5",
    "val_ce",
    "train_ce",
    "alpha_ce",
    "alpha_loss",
    "tau",
    "latency_scale",
    "weight_lr",
    "alpha_lr",
}


@pytest.fixture
def fitted(make_search: MakeSearch, fit: Fit, tmp_path: Path) -> pl.Trainer:
    trainer = fit(make_search(steps={"tau": Linear(4.0, 1.0)}), tmp_path, max_epochs=3)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    return trainer


def test_the_checkpoint_has_one_full_record_per_epoch(fitted: pl.Trainer, tmp_path: Path) -> None:
    records = read(tmp_path / "last.ckpt").history
    assert [record["epoch"] for record in records] == [0.0, 1.0, 2.0]
    assert all(record.keys() >= NAMES for record in records)
    assert [record["tau"] for record in records] == pytest.approx([3.5, 2.5, 1.5])
    assert History.from_records(records)["entropy"].shape == (3,)


def test_the_record_is_of_the_present_alpha(fitted: pl.Trainer) -> None:
    search = fitted.lightning_module
    assert isinstance(search, DifferentiableSearch)
    table, best = search.table, search.relaxation.best()
    masked = search.relaxation.alpha.detach().masked_fill(~torch.from_numpy(search.space.valid), -torch.inf)
    share = masked.softmax(dim=1).double().numpy()
    logged = search.monitor.history[-1]
    assert logged["expected_latency_ms"] == pytest.approx((share * table.ms).sum() + table.fixed_ms, rel=1e-5)
    assert logged["argmax_latency_ms"] == pytest.approx(table.latency_ms(best), rel=1e-5)
    assert logged["argmax_params"] == count(search.space).params_of(best)


def test_entropy_of_untouched_alpha_is_that_of_equal_choices(
    make_search: MakeSearch, fit: Fit, tmp_path: Path
) -> None:
    search = make_search(steps={"warmup_epochs": 1})
    fit(search, tmp_path)
    expected = (2 * torch.tensor(4.0).log() + torch.tensor(3.0).log()) / 3
    assert search.monitor.history[0]["entropy"] == pytest.approx(expected.item())


@pytest.mark.parametrize(("epochs", "warns"), [(2, True), (1, False)])
def test_an_early_collapse_is_told_once(
    make_search: MakeSearch, fit: Fit, tmp_path: Path, epochs: int, warns: bool
) -> None:
    search = make_search()
    search.relaxation.alpha.data[1, 2] = 50.0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(search, tmp_path, max_epochs=epochs)
    told = [str(each.message) for each in caught if "all but decided" in str(each.message)]
    assert len(told) == warns
    assert all("decided L2 in" in text for text in told)
