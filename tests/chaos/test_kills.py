"""Killed at random moments with SIGKILL, every stage goes on and ends as if nothing had happened."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnas.space import SearchSpace
from dnas.space.architecture import Architecture

pytestmark = pytest.mark.slow

Survives = Callable[..., None]
# Files that say the same after any interruption.
REFINED = ("front.json", "front.csv", "evaluated.csv", "hypervolume.csv", "state.json")


def as_plain(value: Any) -> Any:
    """Tensors as bytes: equality is that of bits."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.contiguous().view(-1).numpy().tobytes()
    if isinstance(value, dict):
        return {key: as_plain(each) for key, each in value.items()}
    return [as_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def trained(folder: Path) -> dict[str, Any]:
    """State of a training, and its curve, without means over an epoch: they begin anew with a process."""
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    with (folder / "metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = ("epoch", "step", "tau", "val_top1", "val_loss", "entropy")
    curve = [{name: row[name] for name in names if name in row} for row in rows]
    assert {row["epoch"] for row in curve} == {"0", "1", "2"}
    state = {key: content[key] for key in ("state_dict", "optimizer_states", "random_state", "global_step")}
    return {"state": as_plain(state), "curve": curve}


def fit(folder: Path, config: str, *options: str) -> list[str]:
    return [
        "fit",
        f"--config=digits/{config}.yaml",
        *options,
        "--data.resolution=8",
        "--data.batch_size=8",
        "--trainer.max_epochs=3",
        "--trainer.limit_train_batches=4",
        "--trainer.limit_val_batches=1",
        "--trainer.enable_progress_bar=false",
        "--trainer.enable_model_summary=false",
        "--checkpoint_minutes=1e-6",
        f"--run_folder={folder}",
    ]


def test_search(survives: Survives, tiny_space_file: Path, tiny_table_file: Path) -> None:
    own = (f"--model.space={tiny_space_file}", f"--model.table={tiny_table_file}")
    own += ("--model.steps.warmup_epochs=1", "--model.recalibration_batches=1")
    survives(lambda folder: fit(folder, "search", *own), trained)


def test_one_shot(survives: Survives, tiny_space_file: Path) -> None:
    own = (f"--model.space={tiny_space_file}", "--model.recalibration_batches=1")
    survives(lambda folder: fit(folder, "one_shot", *own), trained)


def test_retraining(survives: Survives, tiny_space: SearchSpace, tmp_path: Path) -> None:
    file = Architecture.random(tiny_space, np.random.default_rng(0)).save(tmp_path / "network.json")
    survives(lambda folder: fit(folder, "train", f"--model.architecture={file}"), trained)


def test_refine(survives: Survives, one_shot_checkpoint: Path, tiny_table_file: Path) -> None:
    options = [f"--checkpoint={one_shot_checkpoint}", f"--table={tiny_table_file}"]
    options += ["--population=6", "--generations=5", "--recalibration-batches=1"]

    def refined(folder: Path) -> dict[str, bytes]:
        (store,) = folder.glob("evaluations-*.jsonl")
        genomes = [tuple(json.loads(line)["genome"]) for line in store.read_text().splitlines() if line]
        assert len(genomes) == len({*genomes}) == 30, "nothing is evaluated twice"
        return {name: (folder / name).read_bytes() for name in REFINED}

    survives(lambda folder: ["refine", *options, f"--output={folder}"], refined)


def test_fidelity(survives: Survives, one_shot_checkpoint: Path) -> None:
    options = [f"--checkpoint={one_shot_checkpoint}", "--recalibration-batches=1", "--architectures=3"]
    options += ["--train-config=digits/train.yaml", "--epochs=1", "--set", "data.resolution=8"]
    options += ["trainer.limit_train_batches=4", "trainer.limit_val_batches=1", "checkpoint_minutes=1e-6"]

    def audited(folder: Path) -> Any:
        content = json.loads((folder / "fidelity.json").read_text())
        content.pop("date")
        with (folder / "architectures.csv").open(newline="") as stream:
            rows = [{**row, "seconds": ""} for row in csv.DictReader(stream)]
        return without_seconds(content), rows

    survives(lambda folder: ["fidelity", *options, f"--output={folder}"], audited)


def without_seconds(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: without_seconds(value) for key, value in content.items() if "seconds" not in key}
    return [without_seconds(each) for each in content] if isinstance(content, list) else content


def test_measure(survives: Survives, tiny_space_file: Path) -> None:
    """Times differ from run to run: what must not is what was timed, once in every round."""
    options = [f"--space={tiny_space_file}", "--backend=torch-cpu", "--networks=2", "--rounds=3", "--runs=1"]
    options += ["--warmup=1", "--visit-ms=1", "--repeats=0"]

    def measured(folder: Path) -> Any:
        lines = (folder / "table.csv.measuring" / "visits.jsonl").read_text().splitlines()
        visits = [(visit["round"], visit["job"]) for visit in map(json.loads, filter(None, lines))]
        rows = (folder / "table.csv").read_text().splitlines()
        named = [row.split(",")[:2] for row in rows if not row.startswith("#")]
        return [visit for visit in visits if visit[0] is not None], named

    survives(
        lambda folder: ["latency", "measure", *options, f"--output={folder / 'table.csv'}"],
        measured,
        lambda folder: folder / "table.csv.measuring",
    )
