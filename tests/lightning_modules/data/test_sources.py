"""Sources give the right image under the right number, and only the generator decides augmentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from lightning_modules.data.augment import Augmentation
from lightning_modules.data.sources import ArraySource, EvaluationSet, FileSource, ImageSource, Split, as_is


class Shift(Augmentation):
    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=generator)

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        return images + draws


def arrays() -> ArraySource:
    images = torch.arange(5.0).view(5, 1, 1, 1).expand(-1, 1, 4, 4)
    return ArraySource(images, [4, 3, 2, 1, 0], prepare=lambda batch: batch * 10, augment=Shift())


@pytest.fixture
def files(tmp_path: Path) -> FileSource:
    """Five grey images of value 0, 50, ..., 200; training adds noise from torch's global generator."""
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for number, path in enumerate(paths):
        Image.new("RGB", (4, 4), (50 * number,) * 3).save(path)
    plain = v2.Compose([v2.PILToTensor(), v2.ToDtype(torch.float32)])
    noisy = v2.Compose([plain, v2.Lambda(lambda image: image + torch.rand(1))])
    return FileSource([str(path) for path in paths], [4, 3, 2, 1, 0], noisy, plain)


@pytest.fixture(params=["arrays", "files"])
def source(request: pytest.FixtureRequest) -> ImageSource:
    return arrays() if request.param == "arrays" else request.getfixturevalue("files")


def test_evaluation_batch(source: ImageSource) -> None:
    images, labels = source.batch(np.array([3, 0]))
    per_number = 10.0 if isinstance(source, ArraySource) else 50.0
    assert images[:, 0, 0, 0].tolist() == [3 * per_number, 0.0]
    assert labels.tolist() == [1, 4]
    assert labels.dtype == torch.int64
    assert len(source) == 5


def test_training_batch_depends_on_the_generator_alone(source: ImageSource) -> None:
    def draw(seed: int) -> Tensor:
        return source.batch([1, 1, 2], torch.Generator().manual_seed(seed))[0]

    first = draw(1)
    torch.rand(7)
    assert torch.equal(first, draw(1))
    assert not torch.equal(first, draw(2))
    assert not torch.equal(first[0], first[1])


def test_the_global_generator_is_left_as_it_was(source: ImageSource) -> None:
    before = torch.get_rng_state()
    source.batch([0, 1], torch.Generator().manual_seed(3))
    assert torch.equal(torch.get_rng_state(), before)


def test_array_source_without_augmentation_ignores_the_generator() -> None:
    source = arrays()
    source.augment = None
    assert torch.equal(source.batch([2], torch.Generator())[0], source.batch([2])[0])


def test_evaluation_set_is_the_split_item_by_item_and_batch_by_batch(source: ImageSource) -> None:
    dataset = EvaluationSet(Split(source, np.array([4, 0, 2])))
    assert [int(label) for _, label in (dataset[item] for item in range(len(dataset)))] == [0, 4, 2]
    (images, labels), (rest, _) = DataLoader(dataset, batch_size=2, collate_fn=as_is)
    assert labels.tolist() == [0, 4]
    assert torch.equal(rest[0], dataset[2][0])
    assert images.shape[0] == 2
