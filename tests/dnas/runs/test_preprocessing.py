"""Preprocessing is torchvision's for its own weights, bit for bit, and refuses what cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms._presets import ImageClassification
from torchvision.transforms.functional import InterpolationMode

from dnas.runs.normalisation import Normalisation
from dnas.runs.preprocessing import IMAGENET, Preprocessing


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(90, 61), (33, 70), (40, 40)])
def test_it_is_that_of_torchvisions_weights(interpolation: str, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    theirs = ImageClassification(crop_size=32, resize_size=37, interpolation=InterpolationMode(interpolation))
    ours = Preprocessing(37, 32, interpolation, *IMAGENET).transform()
    image = Image.fromarray(pixels)
    assert torch.equal(ours(image), theirs(image))


def test_plain_data_there_and_back() -> None:
    usual = Preprocessing.usual(192, Normalisation((0.5,), (0.25,)))
    data = usual.to_dict()
    assert data == {"resize": 219, "crop": 192, "interpolation": "bilinear", "mean": [0.5], "std": [0.25]}
    assert Preprocessing.from_dict(data) == usual and usual.normalisation == Normalisation((0.5,), (0.25,))
    assert str(usual) == "192 px of 219, bilinear, mean 0.5, std 0.25"
    with pytest.raises(ValueError, match="Preprocessing: 'std' in"):
        Preprocessing.from_dict({"mean": [0.5]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crop": 0}, "crop must be 1 or more, got 0"),
        ({"crop": 300}, "resize must be at least crop, 300, got 256"),
        ({"interpolation": "cubic"}, "must be one of nearest, bilinear.*, got cubic"),
        ({"mean": (0.5,)}, "a number for each channel"),
        ({"std": (0.0, 1.0, 1.0)}, "std must be above 0"),
        ({"mean": (float("nan"), 0.0, 0.0)}, "must be finite"),
    ],
)
def test_what_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Preprocessing.from_dict(Preprocessing.usual(224).to_dict() | change)
