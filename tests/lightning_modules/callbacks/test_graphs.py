"""Replayed layers learn as plain ones; without a dense step or a GPU they are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from dnas.search.gradient.masks import SoftGumbel
from lightning_modules.callbacks import CudaGraphs
from lightning_modules.search import DifferentiableSearch

MakeSearch = Callable[..., DifferentiableSearch]
Fit = Callable[..., pl.Trainer]


@pytest.mark.parametrize("dense", [("weights", "alpha"), ("alpha",)], ids=str)
@pytest.mark.parametrize("bilevel", [True, False])
@pytest.mark.gpu
def test_replayed_layers_learn_as_plain_ones(
    make_search: MakeSearch, fit: Fit, tmp_path: Path, dense: tuple[str, ...], bilevel: bool
) -> None:
    masks = {name: {"masks": SoftGumbel()} for name in dense}
    plain, replayed = (make_search(**masks, steps={"bilevel": bilevel}) for _ in range(2))
    replayed.load_state_dict(plain.state_dict())
    for search, callbacks in ((plain, []), (replayed, [CudaGraphs()])):
        pl.seed_everything(0)
        fit(search, tmp_path, max_epochs=2, limit_train_batches=3, accelerator="gpu", callbacks=callbacks)
    assert plain.supernet.graphs is None and replayed.supernet.graphs is not None
    torch.testing.assert_close(dict(replayed.state_dict()), dict(plain.state_dict()), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("bilevel", [True, False])
def test_emulated_graphs_learn_as_plain_layers(
    make_search: MakeSearch,
    fit: Fit,
    tmp_path: Path,
    bilevel: bool,
    captures: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lightning_modules.callbacks.graphs.check_gpu", lambda trainer: None)
    options: dict[str, Any] = {name: {"masks": SoftGumbel()} for name in ("weights", "alpha")}
    options["steps"] = {"accumulate": 2, "bilevel": bilevel}
    plain, replayed = (make_search(**options) for _ in range(2))
    replayed.load_state_dict(plain.state_dict())
    for search, callbacks in ((plain, []), (replayed, [CudaGraphs()])):
        pl.seed_everything(0)
        fit(search, tmp_path, max_epochs=2, limit_train_batches=3, callbacks=callbacks)
    assert len(captures) == (2 if bilevel else 1)
    torch.testing.assert_close(dict(replayed.state_dict()), dict(plain.state_dict()))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_graphs_without_a_gpu_are_refused(make_search: MakeSearch, fit: Fit, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"CudaGraphs needs one CUDA device, .* runs on 1 of cpu"):
        fit(make_search(alpha={"masks": SoftGumbel()}), tmp_path, callbacks=[CudaGraphs()])


def test_masks_that_never_run_all_choices_are_refused(
    make_search: MakeSearch, fit: Fit, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"CudaGraphs: no step runs all choices.*SoftGumbel"):
        fit(make_search(), tmp_path, callbacks=[CudaGraphs()])


def test_a_module_without_a_supernet_is_refused(
    make_trainer: Callable[..., pl.Trainer], tmp_path: Path
) -> None:
    trainer = make_trainer(tmp_path)
    CudaGraphs().setup(trainer, pl.LightningModule(), "validate")
    with pytest.raises(ValueError, match="CudaGraphs is for a search: LightningModule trains no supernet"):
        CudaGraphs().setup(trainer, pl.LightningModule(), "fit")
