"""The embedded data set: sizes, values, constants."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from lightning_modules.data import Digits
from lightning_modules.data.digits import NORMALISATION


def ready(**options: object) -> Digits:
    data = Digits(**options)
    data.setup()
    return data


def test_known_before_setup() -> None:
    data = Digits()
    assert (data.num_classes, data.resolution, data.in_channels) == (10, 16, 3)


def test_default_splits() -> None:
    data = ready()
    sizes = {name: len(split.indices) for name, split in data.splits.items()}
    assert sizes == {"weights": 1077, "alpha": 270, "val": 180, "test": 270}
    everything = np.concatenate([split.indices for split in data.splits.values()])
    assert sorted(everything.tolist()) == list(range(1797))
    for split in data.splits.values():
        shares = np.bincount(split.source.labels[split.indices]) / len(split.indices)
        assert np.abs(shares - 0.1).max() < 0.01


@pytest.mark.parametrize(("resolution", "channels"), [(8, 1), (8, 3), (16, 3), (32, 1)])
def test_shapes(resolution: int, channels: int) -> None:
    data = ready(resolution=resolution, in_channels=channels, batch_size=5)
    batch = next(iter(data.train_dataloader()))
    for images, labels in batch.values():
        assert images.shape == (5, channels, resolution, resolution)
        assert images.dtype == torch.float32
        assert labels.shape == (5,)
    assert sum(len(labels) for _, labels in data.test_dataloader()) == 270


def test_images_are_the_digits_and_normalised() -> None:
    source = ready(resolution=8).splits["weights"].source
    images, labels = source.batch(np.arange(1797))
    digits = load_digits()
    restored = (images * NORMALISATION.std[0] + NORMALISATION.mean[0]) * 16
    for channel in range(3):
        np.testing.assert_allclose(restored[:, channel], digits.images, atol=1e-4)
    assert labels.tolist() == digits.target.tolist()
    assert abs(float(images.mean())) < 1e-3
    assert abs(float(images.std()) - 1) < 1e-3


def test_other_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="in_channels must be 1 or 3, got 2"):
        Digits(in_channels=2)


def test_another_seed_is_another_split_and_order() -> None:
    one, other = ready(seed=0), ready(seed=1)
    assert not np.array_equal(one.splits["alpha"].indices, other.splits["alpha"].indices)
    first, second = (next(iter(data.train_dataloader()))["weights"][1] for data in (one, other))
    assert first.tolist() != second.tolist()
