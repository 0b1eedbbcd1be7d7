"""Figures appear while the search runs and when it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from lightning_modules.callbacks import SearchFigures
from lightning_modules.search import DifferentiableSearch

PNG = b"\x89PNG"


@pytest.mark.parametrize(("every", "written_after"), [(1, {0, 1, 2}), (2, {1, 2}), (9, set())])
def test_every_n_epochs_and_at_the_end(
    make_search: Callable[..., DifferentiableSearch],
    fit: Callable[..., pl.Trainer],
    tmp_path: Path,
    every: int,
    written_after: set[int],
) -> None:
    search, seen = make_search(), set()
    (figures,) = (each for each in search.own_callbacks if isinstance(each, SearchFigures))
    figures.every_n_epochs = every
    target = tmp_path / "figures"

    class Look(pl.Callback):
        def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
            if (target / "alpha.png").is_file() and (target / "curves.png").is_file():
                seen.add(trainer.current_epoch - 1)

        def on_train_end(self, trainer: Any, module: Any) -> None:
            if (target / "alpha.png").is_file():
                seen.add(trainer.max_epochs - 1)

    fit(search, tmp_path, max_epochs=3, callbacks=[Look()])
    assert seen == written_after
    for name in ("alpha.png", "curves.png"):
        assert (target / name).read_bytes().startswith(PNG)


def test_a_trial_run_writes_nothing(
    make_search: Callable[..., DifferentiableSearch], fit: Callable[..., pl.Trainer], tmp_path: Path
) -> None:
    fit(make_search(), tmp_path, fast_dev_run=1)
    assert not (tmp_path / "figures").exists()
