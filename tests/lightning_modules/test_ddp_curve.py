"""One, two and three processes with the same global batch go through the same training, to rounding."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel

# Images of a step; the validation split has 181, which neither two nor three divide.
GLOBAL_BATCH, VAL_FRACTION = 12, 0.1007
KINDS = ("search", "one_shot", "train")

# Forks after everything is imported: a process costs a second instead of eight.
RUNS = """\
import json
import os
import sys
import traceback

import pytorch_lightning as pl
import torch
from torch import distributed

from lightning_modules.app.cli import main


class Dump(pl.Callback):
    def __init__(self, path: str) -> None:
        self.path, self.losses, self.validations = path, [], []

    def on_fit_start(self, trainer, module):
        watch = module.finite.watch
        module.finite.watch = lambda loss: (self.losses.append(loss.detach().clone()), watch(loss))

    def on_validation_end(self, trainer, module):
        self.validations.append({name: float(value) for name, value in trainer.callback_metrics.items()})

    def on_train_end(self, trainer, module):
        losses = torch.stack(self.losses)
        if trainer.world_size > 1:
            distributed.all_reduce(losses)
        content = {
            "losses": losses / trainer.world_size,
            "curve": [{k: v for k, v in each.items() if k.startswith("val")} for each in self.validations],
            "logged": {name: float(value) for name, value in trainer.callback_metrics.items()},
            "state": {k: v for k, v in module.state_dict().items() if not k.startswith("metrics")},
            "world": trainer.world_size,
        }
        if hasattr(module, "relaxation"):
            content["best"] = module.relaxation.best().indices
        torch.save(content, f"{self.path}.rank{trainer.global_rank}")


def forked(world, port, calls):
    children = []
    for rank in range(world):
        if child := os.fork():
            children.append(child)
            continue
        names = {"WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world, "RANK": rank, "LOCAL_RANK": rank}
        names |= {"GROUP_RANK": 0, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        names |= {"TORCHELASTIC_RUN_ID": "test"}
        os.environ.update({name: str(value) for name, value in names.items()} if world > 1 else {})
        try:
            for call in calls:
                main(call)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


if __name__ == "__main__":
    sys.exit(max(forked(*each) for each in json.loads(sys.argv[1])))
"""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def spaces(tmp_path_factory: pytest.TempPathFactory, tiny_space_file: Path) -> dict[str, Path]:
    """The tiny space, strictly fair and without dropout, which every process draws; table and network."""
    folder = tmp_path_factory.mktemp("space")
    text = tiny_space_file.read_text(encoding="utf-8")
    path = folder / "plain.yaml"
    for part in ("  - {type: dropout, rate: 0.1}\n", ", choices: [E1K3, E2K5, E3K5SE]"):
        assert part in text
        text = text.replace(part, "")
    # An eps that is not torch's own, and large enough to matter.
    text = text.replace("dnas-space/1", "dnas-space/2") + "norm: {eps: 1.0e-2}\n"
    path.write_text(text, encoding="utf-8")
    space = SearchSpace.load(path)
    table = build_calibrated(CalibratedModel.load("adreno630_mace"), space, folder / "plain.csv")
    network = folder / "network.json"
    Architecture.random(space, np.random.default_rng(0)).save(network)
    return {"space": path, "table": table, "network": network}


def _calls(world: int, spaces: dict[str, Path], folder: Path) -> list[list[str]]:
    return [_call(kind, world, spaces, folder) for kind in KINDS]


def _call(kind: str, world: int, spaces: dict[str, Path], folder: Path) -> list[str]:
    space = f"--model.space={spaces['space']}"
    options = {
        "search": [space, f"--model.table={spaces['table']}", "--model.steps.warmup_epochs=0"],
        "one_shot": [space, "--model.masks=dnas.search.gradient.masks.StrictlyFair"],
        "train": [f"--model.architecture={spaces['network']}", "--model.label_smoothing=0.1"],
    }[kind]
    strategy = "ddp" if kind == "train" else "ddp_find_unused_parameters_true"
    several = [f"--trainer.strategy={strategy}", f"--trainer.devices={world}"] if world > 1 else []
    recalibration = [] if kind == "train" else ["--model.recalibration_batches=1"]
    return [
        "fit",
        f"--config=digits/{kind}.yaml",
        f"--run_folder={folder}/{kind}{world}",
        *options,
        *recalibration,
        *several,
        "--data.augment=false",
        "--data.resolution=8",
        f"--data.batch_size={GLOBAL_BATCH // world}",
        f"--data.val_fraction={VAL_FRACTION}",
        "--data.eval_batch_size=32",
        "--trainer.precision=64-true",
        "--trainer.sync_batchnorm=true",
        "--trainer.max_epochs=2",
        "--trainer.limit_train_batches=2",
        "--trainer.num_sanity_val_steps=0",
        "--trainer.logger=false",
        "--trainer.enable_progress_bar=false",
        "--trainer.enable_model_summary=false",
        "--trainer.callbacks+=runs.Dump",
        f"--trainer.callbacks.path={folder}/{kind}{world}.pt",
    ]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, spaces: dict[str, Path]) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "runs.py").write_text(RUNS, encoding="utf-8")
    root = str(Path(__file__).resolve().parents[2])
    leaks = ("LOCAL_RANK", "RANK", "WORLD_SIZE", "DNAS_RUN_FOLDER", "PYTEST_CURRENT_TEST")
    environment = {name: value for name, value in os.environ.items() if name not in leaks}
    environment |= {"PYTHONPATH": os.pathsep.join((root, str(folder))), "OMP_NUM_THREADS": "1"}
    runs = [(world, free_port(), _calls(world, spaces, folder)) for world in (1, 2, 3)]
    done = subprocess.run(
        [sys.executable, "runs.py", json.dumps(runs)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return folder


def load(folder: Path, kind: str, world: int, rank: int = 0) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(folder / f"{kind}{world}.pt.rank{rank}", weights_only=True)
    assert content["world"] == world
    return content


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("world", [2, 3])
def test_the_curve_does_not_depend_on_the_number_of_processes(ended: Path, kind: str, world: int) -> None:
    one, several = load(ended, kind, 1), load(ended, kind, world)
    close = {"rtol": 0.0, "atol": 1e-9}
    assert len(one["losses"]) >= 4 and one["losses"].dtype == torch.float64
    torch.testing.assert_close(several["losses"], one["losses"], **close)
    assert several["state"].keys() == one["state"].keys()
    for name, value in one["state"].items():
        torch.testing.assert_close(several["state"][name], value, msg=lambda m, n=name: f"{n}: {m}", **close)
    assert several.get("best") == one.get("best")
    assert several["logged"].keys() == one["logged"].keys() >= {"train_ce", "val_top1"}
    assert several["logged"] == pytest.approx(one["logged"], rel=0, abs=1e-9)
    assert len(one["curve"]) == 2
    for epoch, expected in zip(several["curve"], one["curve"], strict=True):
        assert epoch == pytest.approx(expected, rel=0, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_all_processes_end_alike(ended: Path, kind: str) -> None:
    first, *others = (load(ended, kind, 3, rank) for rank in range(3))
    for other in others:
        assert all(torch.equal(value, other["state"][name]) for name, value in first["state"].items())
        assert other["curve"] == first["curve"] and other["logged"] == first["logged"]
