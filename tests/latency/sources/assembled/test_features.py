"""Work and coordinates of kernels, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from latency.sources.assembled.dataset import Dataset
from latency.sources.assembled.features import AXES, coordinates, halvings, padded, traffic_mb, work
from latency.sources.assembled.launch import launch
from latency.sources.assembled.shape import KernelShape


@pytest.mark.parametrize(("channels", "expected"), [(1, 4), (3, 4), (4, 4), (5, 8), (8, 8), (1281, 1284)])
def test_channels_come_in_slices_of_four(channels: int, expected: int) -> None:
    assert padded(channels) == expected


@pytest.mark.parametrize(
    ("channels", "expected"),
    [(1, 0), (4, 0), (8, 1), (5, 1), (12, 0), (16, 2), (24, 1), (2 * 4 * 179, 1), (64, 4), (1024, 4)],
)
def test_halvings_of_the_number_of_slices(channels: int, expected: int) -> None:
    assert halvings(channels) == expected


@pytest.mark.parametrize(
    ("shape", "madds", "read", "written", "weights"),
    [
        (KernelShape("pointwise", 7, 8, 16), 49 * 16 * 8, 49 * 8, 49 * 16, 128),
        (KernelShape("pointwise", 7, 8, 16, adds=True), 49 * 16 * 8, 49 * 8, 2 * 49 * 16, 128),
        (KernelShape("pointwise", 7, 8, 16, stride=2), 49 * 16 * 8, 196 * 8, 49 * 16, 128),
        (KernelShape("conv", 10, 3, 6, 3, 2), 100 * 8 * 9 * 4, 400 * 4, 100 * 8, 8 * 9 * 4),
        (KernelShape("grouped", 7, 8, 16, 3, groups=2), 49 * 16 * 9 * 4, 49 * 8, 49 * 16, 16 * 9 * 4),
        (KernelShape("depthwise", 7, 8, 8, 5), 49 * 8 * 25, 49 * 8, 49 * 8, 8 * 25),
        (KernelShape("linear", 1, 960, 10), 960 * 12, 960, 12, 960 * 12),
        (KernelShape("pool", 7, 960, 960), 0, 49 * 960, 960, 0),
        (KernelShape("window", 7, 30, 30, 3, 2), 49 * 32 * 9, 196 * 32, 49 * 32, 0),
        (KernelShape("window", 7, 32, 32, 3, maximum=True), 49 * 32 * 9, 49 * 32, 49 * 32, 0),
        (KernelShape("window", 7, 32, 32, 1, 2), 49 * 32, 49 * 32, 49 * 32, 0),  # skips three of four
    ],
)
def test_work(shape: KernelShape, madds: int, read: int, written: int, weights: int) -> None:
    expected = [1, madds / 1e8, read / 1e6, written / 1e6, weights / 1e6, 0]
    np.testing.assert_allclose(work([shape]), [expected], rtol=1e-12)


def test_no_kernels_is_no_work() -> None:
    assert work([]).shape == (0, 6)


@pytest.mark.parametrize(
    ("shape", "per_output"),
    [(KernelShape("pointwise", 7, 5, 16), 8), (KernelShape("depthwise", 7, 16, 16, 5), 25)],
)
def test_issued_work_counts_idle_threads(shape: KernelShape, per_output: int) -> None:
    gpu = Dataset.load().gpu("pixel4")
    (alone,), (launched,) = work([shape]), work([shape], gpu)
    np.testing.assert_array_equal(launched[:5], alone[:5])
    assert launched[5] == pytest.approx(launch(shape, gpu).issued(gpu.wave) * per_output / 1e8)
    assert launched[5] > launched[1]


def test_only_known_launches_count() -> None:
    gpu = Dataset.load().gpu("pixel4")
    for kind in ("conv", "grouped", "linear", "pool", "window"):
        shape = KernelShape(kind, 7, 16, 16)
        np.testing.assert_array_equal(work([shape], gpu), work([shape]))
        np.testing.assert_array_equal(coordinates([shape], gpu), coordinates([shape]))


def test_coordinates_of_a_launch() -> None:
    gpu = Dataset.load().gpu("pixel4")
    generic, constant = KernelShape("pointwise", 56, 64, 64), KernelShape("pointwise", 56, 8, 8)
    for shape, block, held in ((generic, 3.0, 0.0), (constant, 0.0, 1.0)):
        values = dict(zip(AXES, coordinates([shape], gpu)[0], strict=True))
        assert (values["block"], values["constant"]) == (block, held)
        assert values["idle"] == launch(shape, gpu).idle(shape, gpu.wave)


def test_traffic_is_the_output_map_in_fp16() -> None:
    assert traffic_mb(KernelShape("concat", 10, 3, 50)) == pytest.approx(0.01)


def test_only_maxima_have_the_coordinate_of_a_maximum() -> None:
    average, maximum = (KernelShape("window", 7, 16, 16, 2, 2, maximum=which) for which in (False, True))
    differ = coordinates([maximum])[0] - coordinates([average])[0]
    assert dict(zip(AXES, differ, strict=True)) == dict.fromkeys(AXES, 0.0) | {"maximum": 1.0}


def test_coordinates() -> None:
    shape = KernelShape("conv", 16, 5, 64, 3, 2, groups=4, adds=True)
    assert dict(zip(AXES, coordinates([shape])[0], strict=True)) == {
        "size": 4.0,
        "in_channels": 3.0,
        "out_channels": 6.0,
        "groups": 2.0,
        "kernel": 3.0,
        "stride": 2.0,
        "adds": 1.0,
        "halvings": 4.0,
        "maximum": 0.0,
        "idle": 0.0,
        "block": 0.0,
        "constant": 0.0,
    }
