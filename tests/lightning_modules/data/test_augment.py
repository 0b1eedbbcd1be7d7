"""Batch augmentation agrees with torchvision's on one image, and gives every image its own draw."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from lightning_modules.data.augment import Affine, Augmentation, Chain, ColorJitter, CropFlip, ResizedCropFlip


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


CHANGES = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation)


def photos(count: int = 16, size: int = 36) -> Tensor:
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator(9))


def test_every_crop_is_torchvisions_resized_crop_and_flip() -> None:
    crop, images = ResizedCropFlip(36, 32), photos()
    draws = crop.draw(len(images), generator())
    results = crop.apply(images, draws)
    assert results.shape == (16, 3, 32, 32)
    assert 0 < int(draws[4].sum()) < 16
    for image, result, (top, left, height, width, mirrored) in zip(
        images, results, draws.int().T.tolist(), strict=True
    ):
        whole = F.to_dtype(image, torch.float32, scale=True)
        expected = F.resized_crop(whole, top, left, height, width, [32, 32], antialias=False)
        torch.testing.assert_close(
            result, F.horizontal_flip(expected) if mirrored else expected, atol=2e-5, rtol=0
        )


@pytest.mark.parametrize("min_area", [0.08, 0.9])
def test_crops_have_torchvisions_distribution(min_area: float) -> None:
    """Quantiles of place and size over 2,000 crops; with large areas many fall back to the whole image."""
    own = ResizedCropFlip(64, 56, min_area).draw(2000, generator())[:4]
    theirs = v2.RandomResizedCrop(56, scale=(min_area, 1.0))
    blank = torch.zeros(3, 64, 64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        boxes = [theirs.make_params([blank]) for _ in range(2000)]
    others = torch.tensor([[box[k] for k in ("top", "left", "height", "width")] for box in boxes]).T.float()
    levels = torch.tensor([0.1, 0.25, 0.5, 0.75, 0.9])
    torch.testing.assert_close(own.quantile(levels, 1), others.quantile(levels, 1), atol=2.01, rtol=0)
    for one, other in ((own, others), (own[2:].prod(0), others[2:].prod(0))):
        torch.testing.assert_close(one.mean(-1), other.mean(-1), rtol=0.05, atol=0.5)


def test_crops_lie_within_the_image() -> None:
    draws = ResizedCropFlip(20, 16, 0.05).draw(5000, generator())
    top, left, height, width, mirrored = draws
    assert torch.equal(draws, draws.round())
    assert int(torch.stack([top, left]).min()) == 0
    assert int(torch.stack([height, width]).min()) >= 1
    assert int(torch.stack([top + height, left + width]).max()) == 20
    assert set(mirrored.tolist()) == {0.0, 1.0}


def test_nothing_outside_a_crop_shines_in() -> None:
    crop, images = ResizedCropFlip(16, 16), torch.ones(1, 3, 16, 16)
    images[:, :, 4:8, 5:9] = 0
    draws = torch.tensor([[4.0], [5.0], [4.0], [4.0], [0.0]])
    assert float(crop.apply(images, draws).abs().max()) < 1e-6


def test_every_jitter_is_torchvisions_changes_in_the_drawn_order() -> None:
    jitter, images = ColorJitter(0.4), photos(20) / 255
    order, factors = jitter.draw(len(images), generator())
    results = jitter.apply(images, (order, factors))
    assert len({tuple(each) for each in order.T.tolist()}) > 3
    for number, image in enumerate(images):
        expected = image
        for change, factor in zip(order[:, number].tolist(), factors[:, number].tolist(), strict=True):
            expected = CHANGES[change](expected, factor)
        torch.testing.assert_close(results[number], expected, atol=1e-5, rtol=0)


def test_jitter_factors_are_uniform_and_orders_equally_likely() -> None:
    order, factors = ColorJitter(0.2).draw(6000, generator())
    assert 0.8 <= float(factors.min()) < 0.81 and 1.19 < float(factors.max()) <= 1.2
    assert abs(float(factors.mean()) - 1) < 0.005
    seen = [tuple(each) for each in order.T.tolist()]
    counts = [seen.count(each) for each in set(seen)]
    assert len(counts) == 6
    assert min(counts) > 850 and max(counts) < 1150


@pytest.mark.parametrize(
    "augment",
    [ResizedCropFlip(36, 32), ColorJitter(0.2), Chain((ResizedCropFlip(36, 32), ColorJitter(0.2)))],
    ids=lambda augment: type(augment).__name__,
)
def test_every_image_has_its_own_draw_and_the_generator_decides(augment: Augmentation) -> None:
    images = (photos(1) / 255).expand(10, -1, -1, -1)
    state = torch.get_rng_state()
    first = augment(images, generator(1))
    assert len({image.numpy().tobytes() for image in first}) == 10
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert torch.equal(first, augment(images, generator(1)))
    assert not torch.equal(first, augment(images, generator(2)))
