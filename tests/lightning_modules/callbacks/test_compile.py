"""Compiled layers learn as plain ones; where they cannot, they are refused before the first step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from dnas.search.gradient.masks import SoftGumbel
from lightning_modules.callbacks import CompileLayers
from lightning_modules.search import DifferentiableSearch

MakeSearch = Callable[..., DifferentiableSearch]
Fit = Callable[..., pl.Trainer]
DENSE = {"weights": {"masks": SoftGumbel()}, "alpha": {"masks": SoftGumbel()}}


@pytest.mark.slow
def test_compiled_layers_learn_as_plain_ones(make_search: MakeSearch, fit: Fit, tmp_path: Path) -> None:
    plain, compiled = (make_search(**DENSE) for _ in range(2))
    compiled.load_state_dict(plain.state_dict())
    before = plain.relaxation.alpha.detach().clone()
    for search, callbacks in ((plain, []), (compiled, [CompileLayers("aot_eager")])):
        pl.seed_everything(0)
        fit(search, tmp_path, max_epochs=1, limit_train_batches=2, callbacks=callbacks)
    assert not torch.equal(plain.relaxation.alpha, before)
    torch.testing.assert_close(dict(compiled.state_dict()), dict(plain.state_dict()), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "backend", "message"),
    [
        ({}, "inductor", r"CompileLayers: .* each selection would be compiled anew\. Use .*SoftGumbel"),
        ({"alpha": {"masks": SoftGumbel()}}, "inductor", "each selection would be compiled anew"),
        (DENSE, "inducktor", "Unknown backend of torch.compile 'inducktor'"),
        (DENSE | {"checkpointing": "choice"}, "inductor", "checkpointing must be 'none'"),
    ],
    ids=["sampled", "one_sampled", "backend", "checkpointing"],
)
def test_what_cannot_be_compiled_is_refused(
    make_search: MakeSearch, fit: Fit, tmp_path: Path, options: dict[str, Any], backend: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fit(make_search(**options), tmp_path, callbacks=[CompileLayers(backend)])


def test_evaluation_compiles_nothing(make_trainer: Callable[..., pl.Trainer], tmp_path: Path) -> None:
    CompileLayers("inducktor").setup(make_trainer(tmp_path), pl.LightningModule(), "validate")


def test_a_module_without_a_supernet_is_refused(
    make_trainer: Callable[..., pl.Trainer], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="CompileLayers is for a search: LightningModule trains no supernet"):
        CompileLayers().setup(make_trainer(tmp_path), pl.LightningModule(), "fit")
