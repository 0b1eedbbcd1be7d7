"""Raw batches carry what was drawn for them, unrounded, and become the batches that a source makes ready."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning.plugins.precision import DoublePrecision, HalfPrecision
from pytorch_lightning.utilities import move_data_to_device
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from lightning_modules.data.augment import Chain, ColorJitter, CropFlip, ResizedCropFlip
from lightning_modules.data.raw import RawBatch, ready
from lightning_modules.data.sources import ArraySource, EvaluationSet, Split, as_is

AUGMENT = Chain((CropFlip(), ResizedCropFlip(40, 32), ColorJitter(0.2)))


def source() -> ArraySource:
    images = torch.randint(
        0, 256, (6, 3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    prepare = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize((0.5,) * 3, (0.2,) * 3)])
    return ArraySource(images, [5, 4, 3, 2, 1, 0], prepare, AUGMENT)


def raw(augmented: bool = True) -> RawBatch:
    return source().raw([1, 3, 3], torch.Generator().manual_seed(4) if augmented else None)


def assert_equal(one: Any, other: Any) -> None:
    for first, second in zip(one, other, strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("augmented", [True, False])
def test_it_becomes_what_the_source_makes_ready(augmented: bool) -> None:
    batch = raw(augmented)
    assert batch.images.dtype == torch.uint8
    assert torch.equal(batch.images, source().images[[1, 3, 3]])
    assert (batch.draws is None) is not augmented
    generator = torch.Generator().manual_seed(4) if augmented else None
    images, labels = batch.ready()
    assert images.dtype == torch.float32
    assert labels.tolist() == [4, 2, 2]
    assert_equal((images, labels), source().batch([1, 3, 3], generator))


def test_making_it_ready_draws_nothing() -> None:
    batch, state = raw(), torch.get_rng_state()
    first = batch.ready()
    torch.rand(5)
    assert_equal(first, batch.ready())
    torch.set_rng_state(state)
    batch.ready()
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("precision", [HalfPrecision("bf16-true"), DoublePrecision()])
def test_a_trainers_precision_and_move_leave_the_draws_exact(precision: Any) -> None:
    moved = move_data_to_device(precision.convert_input({"weights": raw()}), torch.device("cpu"))
    assert_equal(ready(moved)["weights"], raw().ready())


def test_moving_takes_everything_along() -> None:
    moved = raw().to("meta")
    images, labels = moved.ready()
    assert images.device.type == labels.device.type == "meta"
    assert images.shape == (3, 3, 32, 32)


def test_it_travels_between_processes() -> None:
    assert_equal(pickle.loads(pickle.dumps(raw())).ready(), raw().ready())
    split = Split(source(), np.arange(6), raw=True)
    loader = DataLoader(EvaluationSet(split), batch_size=3, collate_fn=as_is, num_workers=1)
    images = torch.cat([batch.ready()[0] for batch in loader])
    assert torch.equal(images, source().batch(np.arange(6))[0])


def test_pinning_reaches_every_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's DataLoader calls the method of this name; without a GPU memory cannot really be pinned."""
    pinned: list[Tensor] = []
    monkeypatch.setattr(Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor)
    assert_equal(raw().pin_memory().ready(), raw().ready())
    assert len(pinned) == 2 + 4  # images and labels; draws of two crops, and two of the jitter


def test_ready_passes_what_is_ready_and_goes_into_dictionaries() -> None:
    made = raw().ready()
    assert ready(made) is made
    assert_equal(ready({"weights": raw(), "alpha": made})["weights"], made)
