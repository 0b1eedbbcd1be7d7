"""What every data module promises: early refusal, ways of serving batches, processes, the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from jsonargparse import ArgumentParser
from pytorch_lightning.cli import LightningCLI

from lightning_modules.data import CIFAR10, Digits, ImageDataModule, ImageFolder, base
from lightning_modules.data.raw import RawBatch
from lightning_modules.data.streams import PairedSteps, SharedSteps, Steps, SuccessiveSteps


def ready(**options: Any) -> Digits:
    data = Digits(resolution=8, in_channels=1, **options)
    data.setup()
    return data


def test_every_bad_argument_is_named_at_once() -> None:
    with pytest.raises(ValueError) as error:
        Digits(
            resolution=0,
            batch_size=0,
            num_workers=-1,
            seed=-3,
            alpha_fraction=1.5,
            batches="pairs",  # type: ignore[arg-type]
            prepare_on="gpu",  # type: ignore[arg-type]
        )
    for part in (
        "Digits: ",
        "resolution must be an integer >= 1, got 0",
        "batch_size must be an integer >= 1, got 0",
        "num_workers must be an integer >= 0, got -1",
        "seed must be an integer >= 0, got -3",
        "alpha_fraction must be in [0, 1), got 1.5",
        "batches must be one of ('search', 'plain'), got 'pairs'",
        "prepare_on must be one of ('auto', 'loader', 'device'), got 'gpu'",
    ):
        assert part in str(error.value)
    assert "eval_batch_size" not in str(error.value)


def test_splits_before_setup_say_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="Digits: the data is not read yet, call setup"):
        Digits().train_dataloader()


@pytest.mark.parametrize(
    ("options", "steps", "images", "length"),
    [
        ({}, PairedSteps, 1077, 1077 // 64),
        ({"alternate": "epoch"}, SuccessiveSteps, 1077, 1077 // 64 + 270 // 64),
        ({"split_alpha": False}, SharedSteps, 1347, 1347 // 64),
        ({"batches": "plain"}, Steps, 1077, 1077 // 64),
        ({"batches": "plain", "split_alpha": False}, Steps, 1347, 1347 // 64),
        ({"batches": "plain", "split_alpha": False, "alternate": "epoch"}, Steps, 1347, 1347 // 64),
    ],
    ids=str,
)
@pytest.mark.parametrize("how", ["constructor", "serve"])
def test_ways_of_serving(options: dict[str, Any], steps: type, images: int, length: int, how: str) -> None:
    data = ready(**(options if how == "constructor" else {}))
    if how == "serve":
        data.serve(**options)
    loader = data.train_dataloader()
    assert type(loader.steps) is steps
    assert loader.steps.identity()["weights"]["images"] == images
    assert len(loader) == length


def test_weights_and_alpha_batches_come_from_their_splits() -> None:
    data = ready(augment=False)
    wanted = {
        name: {image.numpy().tobytes() for image in split.source.batch(split.indices)[0]}
        for name, split in data.splits.items()
    }
    for batch in data.train_dataloader():
        for name, (images, _) in batch.items():
            assert {image.numpy().tobytes() for image in images} <= wanted[name]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alternate": "batch"}, r"alternate must be one of \('step', 'epoch'\), got 'batch'"),
        ({"batches": "both"}, "batches must be one of"),
        ({"alternate": "epoch", "split_alpha": False}, "needs an alpha split of its own"),
    ],
)
def test_serve_refuses_and_then_changes_nothing(options: dict[str, Any], message: str) -> None:
    data = Digits()
    with pytest.raises(ValueError, match=message):
        data.serve(**options)
    assert (data.batches, data.split_alpha, data.alternate) == ("search", True, "step")


def test_augmentation_is_for_training_only() -> None:
    data, plain = ready(batches="plain"), ready(batches="plain", augment=False)
    assert not torch.equal(next(iter(data.train_dataloader()))[0], next(iter(plain.train_dataloader()))[0])
    for name in ("val", "test", "recalibration"):
        loaders = [getattr(module, f"{name}_dataloader")() for module in (data, plain)]
        for (images, labels), (other, same) in zip(*loaders, strict=True):
            assert torch.equal(images, other)
            assert torch.equal(labels, same)


def test_recalibration_uses_what_weights_learn_from() -> None:
    data = ready(eval_batch_size=50)
    assert sum(len(labels) for _, labels in data.recalibration_dataloader()) == 1077 // 50 * 50
    assert [len(labels) for _, labels in data.recalibration_dataloader(batch_size=500)] == [500, 500]
    data.serve(split_alpha=False)
    assert sum(len(labels) for _, labels in data.recalibration_dataloader()) == 1347 // 50 * 50


class Idle(pl.LightningModule):
    def training_step(self, batch: Any, batch_idx: int) -> None:
        return None

    def configure_optimizers(self) -> None:
        return None


def quiet(root: Path, **options: Any) -> dict[str, Any]:
    off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    return {"accelerator": "cpu", "default_root_dir": str(root), **dict.fromkeys(off, False), **options}


class Seen(Idle):
    """Keeps what the steps of a fit are given."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Linear(1, 1)
        self.trained: list[Any] = []
        self.validated: list[Any] = []

    def training_step(self, batch: Any, batch_idx: int) -> None:
        self.trained += batch.values()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.validated.append(batch)


def seen(root: Path, trainer: dict[str, Any] | None = None, **options: Any) -> Seen:
    module, data = Seen(), Digits(resolution=8, in_channels=1, **options)
    trainer = {"max_epochs": 1, "limit_train_batches": 3, "limit_val_batches": 1, **(trainer or {})}
    pl.Trainer(num_sanity_val_steps=0, **quiet(root, **trainer)).fit(module, data)
    return module


@pytest.mark.parametrize("options", [{}, {"split_alpha": False}, {"num_workers": 1}], ids=str)
def test_steps_get_equal_batches_wherever_they_are_prepared(tmp_path: Path, options: dict[str, Any]) -> None:
    loader, device = (seen(tmp_path, prepare_on=place, **options) for place in ("loader", "device"))
    assert len(loader.trained) == 6 and len(loader.validated) == 1
    for one, other in zip(loader.trained + loader.validated, device.trained + device.validated, strict=True):
        assert all(map(torch.equal, one, other))


@pytest.mark.parametrize(("precision", "dtype"), [("64-true", torch.float64), ("bf16-true", torch.bfloat16)])
def test_prepared_batches_have_the_trainers_precision(
    tmp_path: Path, precision: str, dtype: torch.dtype
) -> None:
    expected = seen(tmp_path, prepare_on="device")
    found = seen(tmp_path, {"precision": precision}, prepare_on="device")
    for (images, _), (other, _) in zip(
        expected.trained + expected.validated, found.trained + found.validated, strict=True
    ):
        assert other.dtype == dtype
        assert torch.equal(images.to(dtype), other)


def on(device: str, devices: int = 1) -> Any:
    """Stands for a trainer on a device that the machine of the tests may not have."""
    strategy = SimpleNamespace(root_device=torch.device(device))
    return SimpleNamespace(strategy=strategy, num_devices=devices, global_rank=0, world_size=1)


@pytest.mark.parametrize(
    ("device", "prepare_on", "raw"),
    [
        ("cpu", "auto", False),
        ("cpu", "device", True),
        ("cuda", "auto", True),
        ("cuda", "loader", False),
        ("mps", "auto", True),
    ],
)
def test_batches_are_handed_out_raw_only_to_a_trainer_that_will_prepare_them(
    device: str, prepare_on: str, raw: bool
) -> None:
    data = ready(prepare_on=prepare_on)
    data.trainer = on(device)
    data._progress = lambda: (0, 0)  # type: ignore[method-assign]
    expected = RawBatch if raw else tuple
    assert data._loading()["pin_memory"] is (device == "cuda")
    assert type(data._steps()[0, 0]["alpha"]) is expected
    data._loading = lambda: {"num_workers": 0}  # type: ignore[method-assign]  # nothing can be pinned here
    for loader in (data.val_dataloader(), data.test_dataloader()):
        assert type(next(iter(loader))) is expected
    assert type(next(iter(data.recalibration_dataloader()))) is tuple
    data.trainer = None
    for loader in (data.val_dataloader(), data.test_dataloader()):
        assert type(next(iter(loader))) is tuple


@pytest.mark.parametrize(
    ("kind", "device", "devices", "given", "expected"),
    [
        (ImageFolder, None, 1, None, 0),
        (ImageFolder, "cpu", 1, None, 0),
        (ImageFolder, "cuda", 1, None, 8),
        (ImageFolder, "cuda", 4, None, 3),
        (ImageFolder, "cuda", 64, None, 1),
        (ImageFolder, "cuda", 1, 0, 0),
        (Digits, "cuda", 1, None, 0),
        (Digits, "cpu", 1, 3, 3),
    ],
)
def test_workers(
    monkeypatch: pytest.MonkeyPatch,
    kind: type[ImageDataModule],
    device: str | None,
    devices: int,
    given: int | None,
    expected: int,
) -> None:
    monkeypatch.setattr(base, "cores", lambda: 12)
    data = kind(num_workers=given)
    data.trainer = None if device is None else on(device, devices)
    assert data._loading()["num_workers"] == expected


def processes(*arguments: str) -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("process_shares.py")
    return subprocess.Popen([sys.executable, str(script), *arguments])


@pytest.mark.slow
def test_processes_of_a_group_get_disjoint_equal_shares(tmp_path: Path) -> None:
    group = [processes("group", str(tmp_path), rank) for rank in "01"]
    assert [process.wait(timeout=300) for process in group] == [0, 0]
    assert_disjoint_equal_shares(tmp_path)


@pytest.mark.slow
def test_processes_of_a_trainer_get_disjoint_equal_shares(tmp_path: Path) -> None:
    assert processes("trainer", str(tmp_path)).wait(timeout=300) == 0
    assert_disjoint_equal_shares(tmp_path)


def assert_disjoint_equal_shares(folder: Path) -> None:
    one, other = (json.loads((folder / f"{rank}.json").read_text()) for rank in range(2))
    for part, images in (("weights", 1077), ("alpha", 270)):
        assert len(one[part]) == len(other[part]) == images // 2 // 64 * 64
        assert not set(one[part]) & set(other[part])


def test_overfit_batches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="use limit_train_batches instead"):
        pl.Trainer(max_epochs=1, overfit_batches=2, **quiet(tmp_path)).fit(Idle(), Digits())


@pytest.mark.parametrize("kind", [Digits, CIFAR10, ImageFolder])
def test_all_arguments_are_on_the_command_line_and_documented(kind: type[ImageDataModule]) -> None:
    parser = ArgumentParser()
    parser.add_class_arguments(kind, "data")
    arguments = {action.dest: action.help for action in parser._actions}
    for name in ("batch_size", "split_alpha", "alternate", "batches", "seed", "resolution", "alpha_fraction"):
        assert arguments[f"data.{name}"], name
    assert "data.fractions" not in arguments
    values = parser.parse_args(["--data.alternate=epoch", "--data.batch_size=3"]).data
    assert kind(**values.as_dict()).batch_size == 3


def test_lightning_cli_builds_it_and_the_checkpoint_can_rebuild_it(tmp_path: Path) -> None:
    trainer = quiet(tmp_path, max_epochs=1, limit_train_batches=1)
    config = {
        "data": {"class_path": "lightning_modules.data.Digits", "init_args": {"resolution": 8, "seed": 5}},
        "trainer": {**trainer, "limit_val_batches": 0},
    }
    cli = LightningCLI(
        Idle,
        args={"fit": config, "subcommand": "fit"},
        save_config_callback=None,
        auto_configure_optimizers=False,
    )
    path = tmp_path / "end.ckpt"
    cli.trainer.save_checkpoint(path)
    saved = torch.load(path, weights_only=False)
    assert saved["datamodule_hyper_parameters"]["seed"] == 5
    rebuilt = Digits.load_from_checkpoint(path)
    rebuilt.setup()
    for name, split in rebuilt.splits.items():
        assert np.array_equal(split.indices, cli.datamodule.splits[name].indices)


def test_a_model_may_have_a_hyperparameter_of_the_same_name(tmp_path: Path) -> None:
    class Seeded(Idle):
        def __init__(self, seed: int) -> None:
            super().__init__()
            self.save_hyperparameters()

    trainer = pl.Trainer(max_epochs=1, limit_train_batches=1, **quiet(tmp_path, logger=True))
    trainer.fit(Seeded(seed=7), Digits(seed=3))
    assert trainer.datamodule.hparams["seed"] == 3
