"""CIFAR-10: the real files where they are at hand, and what is said where they are not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_modules.data import CIFAR10, DataNotFound
from lightning_modules.data.cifar10 import NORMALISATION

BASE = os.environ.get("DNAS_DATA")
FOLDER = "cifar-10-batches-py"
needs_data = pytest.mark.skipif(
    not BASE or not Path(BASE, "cifar10", FOLDER).is_dir(),
    reason="CIFAR-10 is not at $DNAS_DATA/cifar10 (set DNAS_DATA to run this)",
)


@pytest.fixture(scope="module")
def data() -> CIFAR10:
    module = CIFAR10()
    module.prepare_data()
    module.setup()
    return module


def test_known_before_setup() -> None:
    module = CIFAR10()
    assert (module.num_classes, module.resolution, module.in_channels) == (10, 32, 3)


@needs_data
def test_splits(data: CIFAR10) -> None:
    sizes = {name: len(split.indices) for name, split in data.splits.items()}
    assert sizes == {"weights": 35_000, "alpha": 10_000, "val": 5_000, "test": 10_000}
    training = np.concatenate([data.splits[name].indices for name in ("weights", "alpha", "val")])
    assert sorted(training.tolist()) == list(range(50_000))
    for split in data.splits.values():
        counts = np.bincount(split.source.labels[split.indices])
        assert counts.tolist() == [len(split.indices) // 10] * 10
    assert data.splits["test"].source is not data.splits["val"].source


@needs_data
def test_constants_are_those_of_the_training_images(data: CIFAR10) -> None:
    images = data.splits["weights"].source.images / 255
    np.testing.assert_allclose(images.mean((0, 2, 3)), NORMALISATION.mean, atol=1e-4)
    np.testing.assert_allclose(images.std((0, 2, 3)), NORMALISATION.std, atol=1e-4)


@needs_data
def test_batches(data: CIFAR10) -> None:
    batch = next(iter(data.train_dataloader()))
    for images, labels in batch.values():
        assert images.shape == (64, 3, 32, 32)
        assert images.dtype == torch.float32
        assert labels.shape == (64,)
    images, _ = next(iter(data.val_dataloader()))
    assert abs(float(images.mean())) < 0.1
    assert abs(float(images.std()) - 1) < 0.1


@needs_data
def test_other_resolution() -> None:
    module = CIFAR10(resolution=48, batch_size=2)
    module.setup()
    assert next(iter(module.train_dataloader()))["alpha"][0].shape == (2, 3, 48, 48)


def test_absent_data_says_where_and_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DNAS_DATA", str(tmp_path))
    with pytest.raises(DataNotFound) as error:
        CIFAR10().setup()
    for part in (
        str(tmp_path / "cifar10"),
        "environment variable DNAS_DATA",
        f"{FOLDER} is not there",
        "--data.init_args.download=true",
        "--data.init_args.root",
    ):
        assert part in str(error.value)


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir()
    for name in ("data_batch_1", "data_batch_2", "test_batch", "batches.meta"):
        (folder / name).write_bytes(b"not what it should be")
    with pytest.raises(DataNotFound) as error:
        CIFAR10(root=str(tmp_path)).setup()
    message = str(error.value)
    assert "missing in cifar-10-batches-py: data_batch_3, data_batch_4, data_batch_5;" in message
    assert (
        "damaged (wrong MD5) in cifar-10-batches-py: data_batch_1, data_batch_2, test_batch, batches.meta"
        in (message)
    )


def test_nothing_is_downloaded_unasked(tmp_path: Path) -> None:
    CIFAR10(root=str(tmp_path)).prepare_data()
    assert not list(tmp_path.iterdir())
