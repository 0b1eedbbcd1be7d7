"""Blocks, work groups and idle threads, computed by hand from the delegate's rules."""

from __future__ import annotations

from dataclasses import replace
from math import inf, log2

import pytest

from latency.sources.assembled.dataset import Dataset
from latency.sources.assembled.launch import LAUNCHED, Gpu, Launch, launch
from latency.sources.assembled.shape import KernelShape

DATASET = Dataset.load()
ADRENO_640, ADRENO_616, MALI, POWERVR = (DATASET.gpu(name) for name in ("pixel4", "mi8se", "s10", "a03s"))
SMALL = Gpu(
    compute_units=1,
    wave=16,
    group=64,
    convolution_group=32,
    convolution_depth=8,
    constant_bytes=0,
    blocks=((100, (1, 1, 1)), (inf, (2, 2, 2))),
)


def pointwise(size: int, outside: int, inside: int = 512, stride: int = 1) -> KernelShape:
    return KernelShape("pointwise", size, inside, outside, stride=stride)


def depthwise(size: int, channels: int, kernel: int = 5, stride: int = 1) -> KernelShape:
    return KernelShape("depthwise", size, channels, channels, kernel, stride)


def test_slices_that_no_depth_divides_leave_waves_empty() -> None:
    """360 > 1432 at 7 px on an Adreno 640, seven times as slow as its neighbours: 179 blocks deep."""
    freak, neighbour = pointwise(7, 1432, 360), pointwise(7, 1440, 360)
    assert launch(freak, ADRENO_640) == Launch((2, 2, 2), groups=2 * 179, threads=4 * 2 * 1)
    assert launch(neighbour, ADRENO_640) == Launch((2, 2, 2), groups=4 * 3, threads=4 * 1 * 60)
    assert launch(freak, ADRENO_640).idle(freak, 128) == pytest.approx(log2(358 * 128 * 8 / (49 * 358)))
    assert launch(neighbour, ADRENO_640).idle(neighbour, 128) == pytest.approx(
        log2(12 * 256 * 8 / (49 * 360))
    )


@pytest.mark.parametrize(
    ("channels", "group"),
    [
        (4 * 16, (4, 2, 8)),  # 64 threads, 8 deep: 8 across, half of the row of 7 pixels wide
        (4 * 12, (4, 4, 4)),
        (4 * 10, (4, 7, 2)),
        (4 * 7, (4, 2, 7)),  # 7 is odd: its largest divisor
        (4 * 25, (4, 3, 5)),
        (4 * 29, (4, 7, 1)),  # 29 is a prime beyond
    ],
)
def test_groups_of_depthwise_kernels(channels: int, group: tuple[int, int, int]) -> None:
    wide, high, deep = group
    groups = 2 * -(-7 // high) * (channels // 4 // deep)
    assert launch(depthwise(7, channels), SMALL) == Launch((1, 1, 1), groups, wide * high * deep)


def test_depthwise_kernels_of_3x3_compute_blocks() -> None:
    """2 by 2 pixels, if the stride is 1; 7 pixels are 4 blocks."""
    shape = depthwise(7, 4 * 12, kernel=3)
    assert launch(shape, SMALL) == Launch((2, 2, 1), groups=2 * 1 * 3, threads=2 * 4 * 4)
    assert launch(shape, POWERVR) == Launch((2, 2, 1), groups=1 * 1 * 12, threads=8 * 4 * 1)
    for other in (depthwise(7, 48, kernel=3, stride=2), depthwise(7, 48, kernel=5)):
        assert launch(other, POWERVR).block == launch(other, SMALL).block == (1, 1, 1)


def test_groups_of_convolutions() -> None:
    """Of 32 threads and 8 slices at most; a column that one group covers is halved where that is possible."""
    assert launch(pointwise(2, 4 * 16), SMALL) == Launch((1, 1, 1), groups=2 * 2, threads=2 * 1 * 8)
    assert launch(pointwise(3, 4 * 10), SMALL) == Launch((1, 1, 1), groups=2 * 2, threads=3 * 2 * 5)
    assert launch(pointwise(8, 4 * 11), SMALL) == Launch((2, 2, 2), groups=4, threads=4 * 1 * 6)


@pytest.mark.parametrize(
    ("gpu", "shape", "block"),
    [
        (ADRENO_640, pointwise(16, 4 * 6), (1, 1, 1)),  # 256 pixels * 6 slices / 2 units
        (ADRENO_640, pointwise(16, 4 * 7), (2, 1, 1)),
        (ADRENO_640, pointwise(16, 4 * 13), (2, 1, 2)),
        (ADRENO_640, pointwise(16, 4 * 25), (2, 2, 2)),
        (ADRENO_616, pointwise(16, 4 * 25), (2, 2, 2)),
        (ADRENO_616, pointwise(16, 4 * 6), (2, 1, 1)),
        (MALI, pointwise(16, 4 * 12), (1, 1, 1)),
        (MALI, pointwise(16, 4 * 72), (2, 1, 1)),
        (MALI, pointwise(16, 4 * 192), (2, 1, 2)),
        (MALI, pointwise(16, 4 * 193), (2, 2, 2)),
        (MALI, pointwise(16, 4 * 193, stride=2), (2, 1, 2)),
        (MALI, pointwise(112, 4 * 3), (2, 2, 1)),
        (MALI, pointwise(112, 4 * 2), (2, 1, 2)),
        (POWERVR, pointwise(16, 4 * 9), (2, 1, 4)),
        (POWERVR, pointwise(16, 4 * 7), (2, 1, 2)),
        (POWERVR, pointwise(16, 4 * 3), (2, 1, 3)),
    ],
)
def test_blocks(gpu: Gpu, shape: KernelShape, block: tuple[int, int, int]) -> None:
    assert launch(shape, gpu).block == block


def test_rows_of_one_wave() -> None:
    """7 pixels in blocks of two are 4 by 7 threads: one wave of 32, for each of three blocks of slices."""
    assert launch(pointwise(7, 4 * 12), POWERVR) == Launch((2, 1, 4), groups=3, threads=32)


@pytest.mark.parametrize(
    ("inside", "outside", "constant"),
    [
        (56, 32, True),  # 56 * 32 * 2 bytes = 3584
        (57, 32, False),
        (36, 36, False),  # nine slices
        (128, 14, True),  # padded inside: 14 * 128 * 2
        (14, 30, True),
        (3, 30, True),  # 3 * 32 or 30 * 4: outside wastes less
    ],
)
def test_small_weights_are_constants_on_an_adreno(inside: int, outside: int, constant: bool) -> None:
    shape = pointwise(14, outside, inside)
    assert launch(shape, ADRENO_640).constant == constant
    assert not launch(shape, MALI).constant
    if constant:
        assert launch(shape, ADRENO_640).block == (1, 1, -(-outside // 4))


def test_nothing_is_idle_where_everything_fits() -> None:
    shape = depthwise(8, 4 * 8)
    assert launch(shape, SMALL).idle(shape, SMALL.wave) == 0
    assert launch(shape, SMALL).issued(SMALL.wave) == 64 * 32


def test_issued_values_count_idle_threads_and_padded_blocks() -> None:
    shape = pointwise(5, 4 * 5)  # 125 values deep of four: blocks of 2x2x2, 3 by 3 by 3 of them
    launched = launch(shape, SMALL)
    assert launched == Launch((2, 2, 2), groups=1, threads=27)
    assert launched.issued(SMALL.wave) == 32 * 8 * 4
    assert launched.idle(shape, SMALL.wave) == pytest.approx(log2(32 * 8 / 125))


@pytest.mark.parametrize("device", DATASET.facts["devices"])
def test_every_shipped_gpu_launches_every_shape(device: str) -> None:
    gpu = DATASET.gpu(device)
    for kind in LAUNCHED:
        for size in (1, 7, 14, 112):
            for channels in (1, 5, 16, 24, 410, 1432):
                shape = replace(pointwise(size, channels, channels), kind=kind)
                launched = launch(shape, gpu)
                assert 1 <= launched.threads <= gpu.group
                assert launched.idle(shape, gpu.wave) >= 0
