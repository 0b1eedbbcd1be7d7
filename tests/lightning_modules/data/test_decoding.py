"""Files decoded into one file keep their order; every damaged one is named; mapped images stay on disk."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as F

from dnas.images.decoding import decode
from lightning_modules.data.decoding import MappedImages, write_decoded


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Seven images of 4 x 4 pixels; their colour is 30 times their number."""
    paths = [tmp_path / f"{number}.png" for number in range(7)]
    for number, path in enumerate(paths):
        Image.new("RGB", (4, 4), (30 * number,) * 3).save(path)
    return [str(path) for path in paths]


def pixels(file: str) -> torch.Tensor:
    return F.pil_to_tensor(decode(file))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_images_are_in_order_and_read_by_number(files: list[str], tmp_path: Path, num_workers: int) -> None:
    path, state = tmp_path / "images.npy", torch.get_rng_state()
    write_decoded(path, files, pixels, 4, num_workers)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.load(path).shape == (7, 3, 4, 4)
    images = MappedImages(path)
    assert images.shape == (7, 3, 4, 4)
    chosen = images[torch.tensor([6, 0, 2])]
    assert chosen.dtype == torch.uint8
    assert chosen.shape == (3, 3, 4, 4)
    assert chosen.flatten(1).float().mean(1).tolist() == [180, 0, 60]


def test_what_is_read_is_a_copy_and_other_processes_get_the_path(files: list[str], tmp_path: Path) -> None:
    path = tmp_path / "images.npy"
    write_decoded(path, files, pixels, 4, 0)
    images = MappedImages(path)
    images[torch.tensor([1])].fill_(9)
    assert int(images[torch.tensor([1])].max()) == 30
    sent = pickle.dumps(images)
    assert len(sent) < 500
    assert int(pickle.loads(sent)[torch.tensor([1])].max()) == 30


def test_every_damaged_file_is_said_and_black(files: list[str], tmp_path: Path) -> None:
    Path(files[1]).write_bytes(Path(files[1]).read_bytes()[:40])
    Path(files[4]).write_text("no image")
    path = tmp_path / "images.npy"
    faults = write_decoded(path, files, pixels, 4, 0)
    assert {number: fault.path for number, fault in faults.items()} == {1: files[1], 4: files[4]}
    assert "begins with 'no image'" in faults[4].reason
    assert np.load(path)[:, 0, 0, 0].tolist() == [0, 0, 60, 90, 0, 150, 180]
