"""Audits of a real one-shot supernet of the tiny space: 48 architectures, handwritten digits of 8 pixels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnas.fidelity import audit as audit_module
from dnas.fidelity.audit import Audit
from dnas.fidelity.settings import Settings
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import load_table

audit = partial(audit_module.audit, load_table=load_table)
QUICK = ("data.resolution=8", "trainer.limit_train_batches=3", "trainer.limit_val_batches=1")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A folder to work in; trainings seed the global generator and name their folder in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("DNAS_RUN_FOLDER", "PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.setenv(name, "")
    monkeypatch.delenv("DNAS_TRACEBACK", raising=False)
    with torch.random.fork_rng(devices=[]):
        yield tmp_path


@pytest.fixture(scope="session")
def make_settings(one_shot_checkpoint: Path) -> Callable[..., Settings]:
    """Settings that train three architectures for three steps; keywords replace any."""

    def make(output: Path, **changes: Any) -> Settings:
        options: dict[str, Any] = {
            "checkpoints": [str(one_shot_checkpoint)],
            "architectures": 3,
            "recalibration_batches": 1,
        }
        if "accuracies" not in changes:
            options |= {"train_config": "digits/train.yaml", "epochs": 1, "overrides": QUICK}
        return Settings(output=output, **(options | changes))

    return make


@pytest.fixture(scope="session")
def known_file(tmp_path_factory: pytest.TempPathFactory, tiny_space: SearchSpace) -> Path:
    """Accuracies of 20 architectures, two seeds each, that grow with the blocks' indices."""
    generator = np.random.default_rng(0)
    lines = ["architecture,top1,seed"]
    for index in range(20):
        architecture = Architecture(tiny_space, (index % 4, index // 4 % 3, index // 12))
        top1 = 0.8 + 0.01 * sum(architecture.indices)
        lines += [f"{architecture},{top1 + generator.normal(0, 0.002):.4f},{seed}" for seed in range(2)]
    path = tmp_path_factory.mktemp("known") / "known.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def known_audit(
    make_settings: Callable[..., Settings],
    known_file: Path,
    tiny_table_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Audit:
    """An audit of all of them, with a latency table."""
    options = {"accuracies": known_file, "architectures": None, "table": str(tiny_table_file)}
    return audit(make_settings(tmp_path_factory.mktemp("audit"), **options))
