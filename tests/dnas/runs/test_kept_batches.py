"""Batches are read once where they are small, anew where they are large, and arranged for the networks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor

from dnas.runs.kept_batches import KeptBatches

CPU = torch.device("cpu")
BYTES = 2 * 3 * 4 * 4 * 4  # of the images of one batch


class Loader:
    """Three batches; counts how often they are read."""

    def __init__(self) -> None:
        self.read = 0

    def __call__(self) -> Iterator[tuple[Tensor, Tensor]]:
        self.read += 1
        for index in range(3):
            yield torch.full((2, 3, 4, 4), float(index)), torch.tensor([index, index])


def firsts(batches: KeptBatches) -> list[float]:
    return [images.flatten()[0].item() for images, _ in batches]


def test_small_ones_are_read_once() -> None:
    loader = Loader()
    batches = KeptBatches(loader, CPU, keep_bytes=3 * BYTES)
    assert [firsts(batches) for _ in range(3)] == [[0.0, 1.0, 2.0]] * 3
    assert loader.read == 1


def test_large_ones_are_read_every_time_and_whole() -> None:
    loader = Loader()
    batches = KeptBatches(loader, CPU, keep_bytes=3 * BYTES - 1)
    assert [firsts(batches) for _ in range(3)] == [[0.0, 1.0, 2.0]] * 3
    assert loader.read == 3


def test_who_stops_early_leaves_no_part_behind() -> None:
    loader = Loader()
    batches = KeptBatches(loader, CPU)
    assert len(list(islice(batches, 2))) == 2
    assert firsts(batches) == [0.0, 1.0, 2.0] and loader.read == 2


def test_images_are_in_the_layout_of_the_networks() -> None:
    for images, labels in KeptBatches(Loader(), CPU):
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert labels.tolist() == [images.flatten()[0].item()] * 2
