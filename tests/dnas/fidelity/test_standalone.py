"""Trainings through LightningCLI: as ``dnas fit`` and ``dnas test`` do, once each, failures recorded.

Their results on disk: exact, apart by recipe and space, whole after torn lines.
"""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import LightningDataModule

from dnas.fidelity.source import StandAlone
from dnas.fidelity.standalone import Training, TrainingStore
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from lightning_modules.app.lightning_command import run_lightning
from lightning_modules.app.stand_alone import StandAloneTrainer

QUICK = ["data.resolution=8", "trainer.limit_train_batches=3", "trainer.limit_val_batches=1"]
Make = Callable[..., Training]
RECIPE = {"config": "abc", "overrides": ["a=1"]}
GOOD = StandAlone(1 / 3, "", 270, 1.5, {"class_path": "x"})


@pytest.fixture
def make(alone: Path, tiny_space: SearchSpace) -> Make:
    def training(*overrides: str) -> Training:
        options = [*QUICK, "trainer.max_epochs=1", *overrides]
        return Training("digits/train.yaml", options, alone / "out", tiny_space, StandAloneTrainer())

    return training


def quiet(what: str, done: int, of: int) -> None:
    """Nobody to tell."""


def test_it_is_what_the_commands_find_and_found_once(
    make: Make,
    tiny_space: SearchSpace,
    alone: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    architecture = Architecture(tiny_space, (3, 1, 2))
    training, told = make(), []
    (result,) = training.accuracies([architecture], lambda *each: told.append(each))
    assert told == [("Stand-alone training", 0, 1)]
    assert result.reason == "" and result.images == 270 and result.seconds > 0
    assert result.data is not None and result.data["init_args"]["resolution"] == 8
    assert {path.name for path in (alone / "out").iterdir()} == {training.store.path.name}
    assert capfd.readouterr() == ("", "") and not caplog.records
    file = architecture.save(alone / "architecture.json")
    flags = ["--config=digits/train.yaml", f"--model.architecture={file}"]
    flags += [f"--{each}" for each in (*QUICK, "trainer.max_epochs=1")]
    run_lightning(["fit", *flags, "--run_folder=fitted"])
    cli = run_lightning(["test", *flags, "--run_folder=tested", "--ckpt_path=fitted/checkpoints/last.ckpt"])
    assert result.top1 == cli.trainer.callback_metrics["test_top1"].item()
    # Seconds of a second training would be others.
    assert make().accuracies([architecture], quiet) == [result]


@pytest.mark.slow
def test_trainings_do_not_gather_in_memory(make: Make, tiny_space: SearchSpace) -> None:
    def alive() -> int:
        return sum(issubclass(type(each), LightningDataModule) for each in gc.get_objects())

    gc.collect()
    before = alive()
    gc.disable()
    try:
        make().accuracies([Architecture(tiny_space, (i, i, i)) for i in range(3)], quiet)
        # Lightning's command remembers its last run.
        assert alive() - before <= 1
    finally:
        gc.enable()


def test_what_decides_a_training_keeps_results_apart(
    make: Make, alone: Path, tiny_space: SearchSpace
) -> None:
    paths = {make().store.path, make("data.seed=1").store.path}
    mine = alone / "mine.yaml"
    mine.write_text("trainer: {max_epochs: 1}\n")
    paths.add(Training(str(mine), [], alone / "out", tiny_space, StandAloneTrainer()).store.path)
    mine.write_text("trainer: {max_epochs: 2}\n")
    paths.add(Training(str(mine), [], alone / "out", tiny_space, StandAloneTrainer()).store.path)
    assert len(paths) == 4
    assert make().describe()["overrides"][-1] == "trainer.max_epochs=1"


def test_a_diverged_training_is_recorded_with_its_reason(make: Make, tiny_space: SearchSpace) -> None:
    training = make("model.optimizer.init_args.lr=1e20")
    architecture = Architecture(tiny_space, (0, 0, 0))
    (result,) = training.accuracies([architecture], quiet)
    assert math.isnan(result.top1) and "the loss became nan" in result.reason
    (again,) = make("model.optimizer.init_args.lr=1e20").accuracies([architecture], quiet)
    assert again.seconds == result.seconds and again.reason == result.reason


def test_a_lack_of_memory_is_a_failure_and_a_bug_is_not(
    make: Make, tiny_space: SearchSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture = Architecture(tiny_space, (0, 0, 0))

    def raising(error: Exception) -> Callable[..., Any]:
        def train(*arguments: Any, **options: Any) -> None:
            raise error

        return train

    monkeypatch.setattr(
        "lightning_modules.app.lightning_command.run_lightning", raising(RuntimeError("a bug"))
    )
    with pytest.raises(RuntimeError, match="a bug"):
        make().accuracies([architecture], quiet)
    assert make().store.get(architecture) is None
    error = torch.OutOfMemoryError("CUDA out of memory")
    monkeypatch.setattr("lightning_modules.app.lightning_command.run_lightning", raising(error))
    (result,) = make().accuracies([architecture], quiet)
    assert math.isnan(result.top1) and result.reason == "CUDA out of memory"


def test_a_mistake_in_the_config_is_no_failed_training(make: Make, tiny_space: SearchSpace) -> None:
    training = make("trainer.nosuch=1")
    with pytest.raises(ValueError, match="nosuch"):
        training.accuracies([Architecture(tiny_space, (0, 0, 0))], quiet)
    assert not training.store.path.exists()
    with pytest.raises(FileNotFoundError, match=r"no config 'none\.yaml'"):
        Training("none.yaml", [], training.store.path.parent, tiny_space, StandAloneTrainer())


@pytest.fixture
def a(tiny_space: SearchSpace) -> Architecture:
    return Architecture(tiny_space, (0, 1, 2))


@pytest.fixture
def b(tiny_space: SearchSpace) -> Architecture:
    return Architecture(tiny_space, (3, 2, 1))


def read(folder: Path, space: SearchSpace, **changes: object) -> TrainingStore:
    store = TrainingStore(folder, RECIPE | changes, space)
    store.take(store.read())
    return store


def test_what_is_written_is_read_exactly(tmp_path: Path, a: Architecture, b: Architecture) -> None:
    writing = TrainingStore(tmp_path / "new", RECIPE, a.space)
    writing.write(a, GOOD)
    writing.write(b, StandAlone(math.nan, 'The loss became nan.\n"Lower" it'))
    reading = read(tmp_path / "new", a.space)
    assert reading.get(a) == GOOD == writing.get(a)
    failed = reading.get(b)
    assert failed is not None and math.isnan(failed.top1)
    assert failed.reason == 'The loss became nan.\n"Lower" it'
    assert reading.get(Architecture(a.space, (0, 0, 0))) is None


def test_recipes_and_spaces_are_kept_apart(tmp_path: Path, a: Architecture, tiny_space: SearchSpace) -> None:
    TrainingStore(tmp_path, RECIPE, tiny_space).write(a, GOOD)
    assert read(tmp_path, tiny_space, config="abd").get(a) is None
    wider = tiny_space.adapt(stem_stride=1)
    assert read(tmp_path, wider).get(Architecture(wider, a.indices)) is None


@pytest.mark.parametrize("kept", range(1, 60, 7))
def test_a_torn_line_is_not_there_and_harms_no_other(
    tmp_path: Path, a: Architecture, b: Architecture, kept: int
) -> None:
    TrainingStore(tmp_path, RECIPE, a.space).write(a, GOOD)
    (path,) = tmp_path.iterdir()
    line = path.read_bytes()
    path.write_bytes(line.replace(str(a).encode(), str(b).encode())[:kept])
    assert read(tmp_path, a.space).get(b) is None
    TrainingStore(tmp_path, RECIPE, a.space).write(a, GOOD)
    assert read(tmp_path, a.space).get(a) == GOOD


@pytest.mark.filterwarnings("ignore:.* 1 of 2 lines are damaged")
@pytest.mark.parametrize("line", ["[]", "null", '{"architecture": 3}', "\x00", "[" * 5000, '{"top1": 1}'])
def test_what_is_no_result_is_passed_over(tmp_path: Path, a: Architecture, line: str) -> None:
    TrainingStore(tmp_path, RECIPE, a.space).write(a, GOOD)
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text() + line + "\n")
    assert read(tmp_path, a.space).get(a) == GOOD


@pytest.mark.parametrize("change", [{"top1": -1}, {"top1": 50.0}, {"data": "x"}, {"data": []}])
def test_a_result_changed_to_what_none_is_counts_as_not_there(
    tmp_path: Path, a: Architecture, change: dict[str, Any]
) -> None:
    TrainingStore(tmp_path, RECIPE, a.space).write(a, GOOD)
    (path,) = tmp_path.iterdir()
    line = json.loads(path.read_text())
    del line["checksum"]
    path.write_text(json.dumps(line))
    assert read(tmp_path, a.space).get(a) == GOOD
    path.write_text(json.dumps(line | change))
    assert read(tmp_path, a.space).get(a) is None


def test_files_of_several_processes_and_of_earlier_versions_are_read(
    tmp_path: Path, a: Architecture, b: Architecture
) -> None:
    first = TrainingStore(tmp_path, RECIPE, a.space)
    first.write(a, GOOD)
    first.path.rename(tmp_path / f"trainings-{first.key}.jsonl")
    TrainingStore(tmp_path, RECIPE, a.space, process=2).write(b, GOOD)
    TrainingStore(tmp_path, RECIPE | {"config": "abd"}, a.space, process=1).write(b, GOOD)
    assert first.read() == {a: GOOD, b: GOOD}
