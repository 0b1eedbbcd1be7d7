"""Mixup and CutMix: images and labels in equal shares, drawn from the generator that checkpoints keep."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lightning_modules.mixing import Mixing, mixing_problems

LABELS = torch.tensor([0, 1, 2, 0, 1, 3])


def mixed(mixing: Mixing, seed: int) -> tuple[Tensor, Tensor]:
    """Of images that hold their own number in every pixel."""
    images = torch.arange(6.0)[:, None, None, None].expand(6, 1, 8, 8).contiguous()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return mixing(images, LABELS)


def shares(targets: Tensor) -> tuple[Tensor, Tensor]:
    """What an image's own label has, and that of the image before it."""
    rows = torch.arange(6)
    return targets[rows, LABELS], targets[rows, LABELS.roll(1)]


def test_never_is_the_same_batch() -> None:
    images = torch.randn(2, 3, 4, 4)
    labels = torch.tensor([0, 1])
    assert all(a is b for a, b in zip(Mixing(0.0, 0.0, 2)(images, labels), (images, labels), strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_mixup_adds_images_as_it_adds_labels(seed: int) -> None:
    images, targets = mixed(Mixing(1.0, 0.0, 4), seed)
    own, other = shares(targets)
    torch.testing.assert_close(own + other, torch.ones(6))
    expected = own * torch.arange(6.0) + other * torch.arange(6.0).roll(1)
    torch.testing.assert_close(images, expected[:, None, None, None].expand_as(images))


@pytest.mark.parametrize("seed", range(5))
def test_cutmix_pastes_the_share_that_the_label_has(seed: int) -> None:
    images, targets = mixed(Mixing(0.0, 1.0, 4), seed)
    own, other = shares(targets)
    numbers = torch.arange(6.0)[:, None, None, None]
    torch.testing.assert_close((images == numbers).float().mean((1, 2, 3)), own)
    torch.testing.assert_close((images == numbers.roll(1, 0)).float().mean((1, 2, 3)), other)


def test_both_take_turns() -> None:
    mixing = Mixing(1.0, 1.0, 4)
    fractional = [
        not torch.equal(images, images.round()) for images, _ in (mixed(mixing, s) for s in range(40))
    ]
    assert 8 <= sum(fractional) <= 32


def test_a_seed_decides() -> None:
    mixing = Mixing(0.5, 0.5, 4)
    for one, other in zip(mixed(mixing, 3), mixed(mixing, 3), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(mixed(mixing, 3)[0], mixed(mixing, 4)[0])


def test_problems() -> None:
    assert mixing_problems(mixup=0.0, cutmix=1.0) == []
    told = mixing_problems(mixup=-0.1, cutmix=math.nan)
    assert told == [
        "mixup must be 0 or a finite number above 0, got -0.1",
        "cutmix must be 0 or a finite number above 0, got nan",
    ]
    assert mixing_problems(mixup=math.inf)
