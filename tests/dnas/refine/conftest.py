"""Refinements of a real one-shot supernet of the tiny space: 48 architectures, handwritten digits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from dnas.refine.settings import Settings
from dnas.space import SearchSpace
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel
from lightning_modules.data import Digits
from lightning_modules.one_shot import OneShotSupernet


@pytest.fixture(scope="session")
def make_settings(one_shot_checkpoint: Path, tiny_table_file: Path) -> Callable[..., Settings]:
    """Settings of four generations of six; keywords replace any."""

    def make(output: Path, **changes: Any) -> Settings:
        options: dict[str, Any] = {
            "checkpoint": one_shot_checkpoint,
            "table": str(tiny_table_file),
            "population": 6,
            "generations": 4,
            "recalibration_batches": 1,
        }
        return Settings(output=output, **(options | changes))

    return make


@pytest.fixture(scope="session")
def skips_settings(
    tmp_path_factory: pytest.TempPathFactory,
    skips_space_file: Path,
    skips_space: SearchSpace,
    make_one_shot: Callable[..., OneShotSupernet],
    make_trainer: Callable[..., pl.Trainer],
) -> Callable[..., Settings]:
    """Settings of six generations of nine in the space with identities; keywords replace any."""
    folder = tmp_path_factory.mktemp("skips")
    table = build_calibrated(CalibratedModel.load("adreno630_mace"), skips_space, folder / "skips.csv")
    trainer = make_trainer(folder)
    model = make_one_shot(space=str(skips_space_file), sharing="independent")
    trainer.fit(model, datamodule=Digits(batch_size=32, resolution=16))
    trainer.save_checkpoint(folder / "last.ckpt")

    def make(output: Path, **changes: Any) -> Settings:
        options: dict[str, Any] = {
            "checkpoint": folder / "last.ckpt",
            "table": str(table),
            "population": 9,
            "generations": 6,
            "recalibration_batches": 1,
        }
        return Settings(output=output, **(options | changes))

    return make
