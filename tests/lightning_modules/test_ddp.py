"""Two processes hold the same alpha, bit for bit, and derive the same architecture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

DUMP = """\
import pytorch_lightning as pl
import torch

class Dump(pl.Callback):
    def __init__(self, folder: str) -> None:
        self.folder = folder

    def on_train_end(self, trainer, module):
        content = {
            "alpha": module.relaxation.alpha.detach(),
            "best": module.relaxation.best().indices,
            "weights": dict(module.supernet.named_parameters()),
            "draws": module.draws,
            "world": trainer.world_size,
            "run_folder": trainer.default_root_dir,
        }
        torch.save(content, f"{self.folder}/rank{trainer.global_rank}.pt")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ["--trainer.strategy=ddp_find_unused_parameters_true"],
        [
            "--trainer.strategy=ddp_spawn_find_unused_parameters_true",
            "--model.steps.accumulate=2",
            "--model.steps.bilevel=false",
        ],
    ],
    ids=["bilevel", "single-level, spawned"],
)
def test_both_ranks_end_alike(
    flags: list[str], tiny_flags: list[str], environment: dict[str, str], run_cli: Any, tmp_path: Path
) -> None:
    (tmp_path / "dump.py").write_text(DUMP, encoding="utf-8")
    done = run_cli(
        *tiny_flags,
        *flags,
        "--trainer.devices=2",
        "--model.steps.warmup_epochs=0",
        "--trainer.max_epochs=1",
        "--trainer.limit_train_batches=3",
        "--trainer.callbacks+=dump.Dump",
        f"--trainer.callbacks.folder={tmp_path}",
        cwd=tmp_path,
        PYTHONPATH=os.pathsep.join((environment["PYTHONPATH"], str(tmp_path))),
    )
    assert done.returncode == 0, done.stderr
    zero, one = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert zero["world"] == 2 and zero["draws"] == one["draws"] > 0
    assert zero["alpha"].abs().max() > 0
    assert torch.equal(zero["alpha"], one["alpha"])
    assert zero["best"] == one["best"]
    assert all(torch.equal(weight, one["weights"][name]) for name, weight in zero["weights"].items())
    (folder,) = (tmp_path / "runs").glob("*/*")
    assert {(tmp_path / each["run_folder"]).resolve() for each in (zero, one)} == {folder}
    assert done.stdout.count("Latency:") == 1
