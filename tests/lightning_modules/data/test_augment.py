"""Batch augmentation agrees with torchvision's on one image, and gives every image its own draw."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from lightning_modules.data.augment import Affine, Augmentation, CropFlip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 64, size: int = 8) -> Tensor:
    return torch.randint(1, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator(9))


def crops(image: Tensor, padding: int) -> set[bytes]:
    """Every outcome of torchvision's pad, crop and flip."""
    size = image.shape[-1]
    padded = F.pad(image, [padding] * 4)
    shifts = range(2 * padding + 1)
    cut = [F.crop(padded, top, left, size, size) for top in shifts for left in shifts]
    return {view.contiguous().numpy().tobytes() for crop in cut for view in (crop, F.horizontal_flip(crop))}


def test_crop_flip_gives_each_of_torchvisions_outcomes() -> None:
    image = pictures(1, size=5)
    augmented = CropFlip(padding=1)(image.expand(1000, -1, -1, -1), generator())
    outcomes = {view.contiguous().numpy().tobytes() for view in augmented}
    assert outcomes == crops(image[0], padding=1)
    assert len(outcomes) == 3 * 3 * 2


def test_crop_flip_keeps_images_apart() -> None:
    images = pictures()
    augmented = CropFlip(padding=2)(images, generator())
    assert augmented.dtype == torch.uint8
    for image, result in zip(images, augmented, strict=True):
        assert result.contiguous().numpy().tobytes() in crops(image, padding=2)


def test_flip_and_crop_without_padding_is_a_flip() -> None:
    images = pictures()
    augmented = CropFlip(padding=0)(images, generator())
    flipped = (augmented != images).flatten(1).any(1)
    assert torch.equal(augmented[flipped], images[flipped].flip(-1))
    assert 16 < int(flipped.sum()) < 48


def test_affine_without_range_is_the_identity() -> None:
    images = pictures() / 255
    result = Affine(degrees=0, shift=0, zoom=0)(images, generator())
    torch.testing.assert_close(result, images, atol=1e-5, rtol=0)


def test_affine_shifts_by_at_most_the_given_share() -> None:
    images = torch.zeros(200, 1, 20, 20)
    images[:, :, 9:11, 9:11] = 1
    result = Affine(degrees=0, shift=0.1, zoom=0)(images, generator())
    centre = (result.sum(2).squeeze(1) * torch.arange(20)).sum(1) / result.sum((1, 2, 3)) - 9.5
    assert 1.7 < float(centre.abs().max()) <= 2.01
    assert abs(float(centre.mean())) < 0.3


@pytest.mark.parametrize(("option", "value"), [("degrees", 20.0), ("shift", 0.2), ("zoom", 0.3)])
def test_every_option_moves_every_image_differently(option: str, value: float) -> None:
    options = {"degrees": 0.0, "shift": 0.0, "zoom": 0.0, option: value}
    images = (pictures(1) / 255).expand(8, -1, -1, -1)
    result = Affine(**options)(images, generator())
    assert len({view.numpy().tobytes() for view in result}) == 8


@pytest.mark.parametrize("augment", [CropFlip(), Affine()])
def test_the_generator_decides_and_the_global_one_does_not(augment: Augmentation) -> None:
    images = pictures() / 255
    state = torch.get_rng_state()
    first = augment(images, generator(1))
    torch.rand(3)
    assert torch.equal(first, augment(images, generator(1)))
    assert not torch.equal(first, augment(images, generator(2)))
    torch.set_rng_state(state)
    augment(images, generator(1))
    assert torch.equal(torch.get_rng_state(), state)
