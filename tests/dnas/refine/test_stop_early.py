"""``--stop-early``: evaluations that end where a network is plainly dominated."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from dnas.refine import run as run_module
from dnas.refine.run import STATE
from dnas.refine.settings import Settings
from dnas.space import SearchSpace
from latency import LatencyTable, load_table
from lightning_modules.data import Digits
from lightning_modules.one_shot import OneShotSupernet


def small_is_slow(name: str, space: SearchSpace) -> LatencyTable:
    """Where the large, better networks are fast as well, most others are plainly dominated."""
    table = load_table(name, space)
    return replace(table, ms=np.where(space.valid, table.ms.max() + table.ms.min() - table.ms, 0.0))


refine = partial(run_module.refine, load_table=small_is_slow)
MakeSettings = Callable[..., Settings]


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def settings(
    make_settings: MakeSettings,
    make_one_shot: Callable[..., OneShotSupernet],
    make_trainer: Callable[..., pl.Trainer],
    tmp_path_factory: pytest.TempPathFactory,
) -> MakeSettings:
    """Of eight generations, evaluated in many small batches."""
    folder = tmp_path_factory.mktemp("one_shot")
    trainer = make_trainer(folder, max_epochs=2, limit_train_batches=1.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        trainer.fit(make_one_shot(), datamodule=Digits(batch_size=32, eval_batch_size=8))
    trainer.save_checkpoint(folder / "last.ckpt")
    return partial(make_settings, checkpoint=folder / "last.ckpt", generations=8)


@pytest.fixture(scope="module")
def whole(settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 48 architectures of the space, evaluated on all images. Do not write to it."""
    folder = tmp_path_factory.mktemp("whole")
    refine(settings(folder))
    return folder


@pytest.fixture(scope="module")
def stopped(settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with early stops. Do not write to it."""
    folder = tmp_path_factory.mktemp("stopped")
    refine(settings(folder, stop_early=True))
    return folder


def test_what_is_stopped_is_not_on_the_front(whole: Path, stopped: Path) -> None:
    run = json.loads((stopped / "run.json").read_text())
    images = run["evaluator"]["validation_images"]
    found = {row["architecture"]: row for row in rows(stopped, "evaluated.csv")}
    early = {name for name, row in found.items() if int(row["images"]) < images}
    assert 3 <= len(early) < 40
    front = {row["architecture"] for row in rows(stopped, "front.csv")}
    assert not front & early
    assert front == {row["architecture"] for row in rows(whole, "front.csv")}
    known = {row["architecture"]: row for row in rows(whole, "evaluated.csv")}
    assert found.keys() == known.keys()
    for name, row in found.items():
        images_of_row = row.pop("images")
        if name not in early:
            assert {key: row[key] for key in ("top1", "top5", "loss")} == {
                key: known[name][key] for key in ("top1", "top5", "loss")
            }
        else:
            assert int(images_of_row) > 0
    estimates, truth = (np.array([float(table[name]["loss"]) for name in early]) for table in (found, known))
    assert np.abs(estimates - truth).max() < 0.1 * truth.mean()
    recalibrated = 48 * run["evaluator"]["recalibration_images"]
    seen = sum(int(row["images"]) for row in rows(stopped, "evaluated.csv"))
    assert run["stop_early"] is True and run["cost"]["images"] == recalibrated + seen


def test_the_first_generation_is_evaluated_whole(stopped: Path, whole: Path) -> None:
    images = json.loads((stopped / "run.json").read_text())["evaluator"]["validation_images"]
    first = [row for row in rows(stopped, "evaluated.csv") if row["generation"] == "0"]
    assert len(first) == 6 and {int(row.pop("images")) for row in first} == {images}


def test_it_goes_on_bit_for_bit(settings: MakeSettings, stopped: Path, tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def stop_later(course: Any, task: Any, done: int, of: int) -> None:
        if course.generations == 4 and done == 2:
            raise Enough

    with pytest.raises(Enough):
        refine(settings(tmp_path, stop_early=True), stop_later)
    lines = [path.read_text().splitlines() for path in tmp_path.glob("evaluations-*.jsonl")]
    refine(settings(tmp_path, stop_early=True))
    for name in ("front.json", "front.csv", "evaluated.csv", "hypervolume.csv", STATE):
        assert (tmp_path / name).read_bytes() == (stopped / name).read_bytes()
    after = [path.read_text().splitlines() for path in tmp_path.glob("evaluations-*.jsonl")]
    assert after[0][: len(lines[0])] == lines[0], "nothing is evaluated twice"
    assert len({*after[0]} - {""}) == 48


def test_a_run_with_and_one_without_are_different_ones(
    settings: MakeSettings, stopped: Path, whole: Path
) -> None:
    with pytest.raises(FileExistsError, match=r"another refinement: .*stop_early True there, None here"):
        refine(settings(stopped))
    with pytest.raises(FileExistsError, match=r"another refinement: .*stop_early None there, True here"):
        refine(settings(whole, stop_early=True))


def test_what_was_stopped_is_not_shared(make_settings: MakeSettings, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--stop-early goes without --cache"):
        make_settings(tmp_path / "run", stop_early=True, cache=tmp_path / "cache")


def test_a_split_of_few_batches_is_refused(make_settings: MakeSettings, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--stop-early: .* 9 batches .*, got 1\. Leave it out"):
        refine(make_settings(tmp_path, stop_early=True))
