"""A torchvision network with random weights, a checkpoint of them, and images that it has classified."""

from __future__ import annotations

import math
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms._presets import ImageClassification

from dnas.zoo.command import main as load

CLASSES, CROP, RESIZE = 7, 64, 73
NAMES = [f"n{index:02d}" for index in range(CLASSES)]
SIZES = ("--crop", str(CROP), "--resize", str(RESIZE))


class Classified(NamedTuple):
    """A checkpoint, a folder with ``val``, torchvision's logits and labels of its images, in order."""

    checkpoint: Path
    folder: Path
    logits: Tensor
    labels: Tensor


def randomised(network: nn.Module) -> nn.Module:
    """Weights that tell images apart."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            noise = torch.randn(value.shape, generator=generator)
            if value.dim() > 1:
                value.copy_(math.sqrt(2 / value[0].numel()) * noise)
            elif name.endswith(("running_mean", "bias")):
                value.copy_(0.1 * noise)
    return network.eval()


def picture(index: int) -> Image.Image:
    """Smooth noise of some size and colour; every other one grey."""
    rng = np.random.default_rng(index)
    pixels = rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)
    size = tuple(int(side) for side in rng.integers(60, 140, 2))
    image = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
    return image if index % 2 else image.convert("L")


def fill(folder: Path) -> tuple[Tensor, Tensor]:
    """Save 30 images in folders of random classes: as torchvision preprocesses them, and labels."""
    transform = ImageClassification(crop_size=CROP, resize_size=RESIZE)
    labels = torch.randint(0, CLASSES, (30,), generator=torch.Generator().manual_seed(1)).sort().values
    for name in NAMES:
        (folder / name).mkdir(parents=True)
    images = []
    for index, label in enumerate(labels.tolist()):
        file = folder / NAMES[label] / f"{index:03d}.png"
        picture(index).save(file)
        with Image.open(file) as image:
            images.append(transform(image.convert("RGB")))
    return torch.stack(images), labels


@torch.no_grad()
def centred(network: nn.Module, images: Tensor) -> Tensor:
    """Change the classifier's bias until no class is everyone's favourite; the logits then, in float64.

    In float32 the last bits depend on the processor and the batch, and the bias takes away most of a logit.
    """
    classifier = [each for each in network.modules() if isinstance(each, nn.Linear)][-1]
    classifier.bias -= network(images).mean(0)
    return deepcopy(network).double()(images.double())


@pytest.fixture(scope="session", params=["mobilenet_v3_large", "mnasnet_b1"])
def classified(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Classified:
    """Weights in a file, made a checkpoint by ``dnas zoo load``."""
    folder = tmp_path_factory.mktemp(request.param)
    images, labels = fill(folder / "val")
    counterpart = {"mnasnet_b1": "mnasnet1_0"}.get(request.param, request.param)
    network = randomised(torchvision.models.get_model(counterpart, weights=None, num_classes=CLASSES))
    logits = centred(network, images)
    torch.save({"model": network.state_dict()}, folder / "weights.pth")
    given = ["--weights", str(folder / "weights.pth"), "--output", str(folder / "net.ckpt")]
    load(["load", request.param, *given, "--classes", str(CLASSES), *SIZES])
    return Classified(folder / "net.ckpt", folder, logits, labels)
