"""What a kernel's time depends on: work for the trend, shape for what the trend does not explain.

A mobile-GPU delegate keeps channels in slices of four, so five channels cost as much as eight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from latency.assembled.shape import KernelShape

SLICE = 4
HALF_BYTES = 2  # fp16
MOST_HALVINGS = 4


def padded(channels: int) -> int:
    """Channels that are computed and moved: whole slices."""
    return -(-channels // SLICE) * SLICE


def halvings(channels: int) -> int:
    """How often the number of slices can be halved, up to :data:`MOST_HALVINGS`.

    A delegate that looks for a work group which divides the slices finds a small one for 2 * 179 of them: on
    an Adreno 640 such a kernel took several times as long as its neighbours.
    """
    slices = padded(channels) // SLICE
    return min((slices & -slices).bit_length() - 1, MOST_HALVINGS)


def work(shapes: Sequence[KernelShape]) -> np.ndarray:
    """(n, 5) non-negative amounts, whose weighted sum is the trend of a kernel's time.

    One (starting the kernel), 1e8 multiply-adds, and 1e6 values read, written and held as weights.
    """
    return np.array([_work(shape) for shape in shapes], dtype=float).reshape(len(shapes), 5)


def traffic_mb(shape: KernelShape) -> float:
    """Megabytes of the output map of a kernel that only moves data, in fp16."""
    return shape.size**2 * shape.out_channels * HALF_BYTES / 1e6


def coordinates(shapes: Sequence[KernelShape]) -> np.ndarray:
    """(n, 8): size, channels and groups in octaves; kernel, stride, addition and halvings as they are."""
    return np.array([[axis(shape) for axis in AXES.values()] for shape in shapes], dtype=float)


AXES: dict[str, Callable[[KernelShape], float]] = {
    "size": lambda shape: math.log2(shape.size),
    "in_channels": lambda shape: math.log2(padded(shape.in_channels)),
    "out_channels": lambda shape: math.log2(padded(shape.out_channels)),
    "groups": lambda shape: math.log2(shape.groups),
    "kernel": lambda shape: float(shape.kernel),
    "stride": lambda shape: float(shape.stride),
    "adds": lambda shape: float(shape.adds),
    "halvings": lambda shape: float(halvings(shape.out_channels)),
}


def _work(shape: KernelShape) -> tuple[float, ...]:
    inside, outside = padded(shape.in_channels), padded(shape.out_channels)
    read = (shape.size * shape.stride) ** 2 * inside
    if shape.kind == "pool":
        return 1, 0, read / 1e6, outside / 1e6, 0
    per_output = shape.kernel**2 * (1 if shape.kind == "depthwise" else inside / shape.groups)
    written = shape.size**2 * outside * (2 if shape.adds else 1)
    multiply_adds = shape.size**2 * outside * per_output
    return 1, multiply_adds / 1e8, read / 1e6, written / 1e6, outside * per_output / 1e6
