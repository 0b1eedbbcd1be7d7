"""Real fits on the tiny space, in this process and through the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from lightning_modules.data import Digits
from lightning_modules.search import DifferentiableSearch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def fit(make_trainer: Callable[..., pl.Trainer]) -> Callable[..., pl.Trainer]:
    """Fits a search on small real images; keywords are the trainer's, ``data`` those of Digits."""

    def run(search: DifferentiableSearch, folder: Path, **options: Any) -> pl.Trainer:
        data = {"resolution": 8, "batch_size": 8} | options.pop("data", {})
        ckpt_path = options.pop("ckpt_path", None)
        trainer = make_trainer(folder, **options)
        trainer.fit(search, datamodule=Digits(**data), ckpt_path=ckpt_path)
        return trainer

    return run


@pytest.fixture(scope="session")
def tiny_flags(tiny_space_file: Path, tiny_table_file: Path) -> list[str]:
    """``fit`` of the tiny space as the shipped digits config does it, with as little work as possible."""
    return [
        "fit",
        "--config=digits/search.yaml",
        f"--model.space={tiny_space_file}",
        f"--model.table={tiny_table_file}",
        "--model.steps.warmup_epochs=1",
        "--model.recalibration_batches=1",
        "--data.resolution=8",
        "--data.batch_size=8",
        "--trainer.max_epochs=2",
        "--trainer.limit_train_batches=2",
        "--trainer.limit_val_batches=1",
        "--trainer.enable_progress_bar=false",
        "--trainer.enable_model_summary=false",
    ]


@pytest.fixture
def environment() -> dict[str, str]:
    """For a new process: this checkout's packages, one thread, no state of pytest or of a launcher."""
    leaks = ("LOCAL_RANK", "RANK", "DNAS_RUN_FOLDER", "DNAS_TRACEBACK", "PYTEST_CURRENT_TEST")
    own = {name: value for name, value in os.environ.items() if name not in leaks}
    return own | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


@pytest.fixture
def run_cli(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``python -m lightning_modules.app.cli`` to its end, in a folder."""

    def run(*arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lightning_modules.app.cli", *arguments],
            cwd=cwd,
            env=environment | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run
