"""What a kernel's time depends on: work for the trend, shape and launch for what that leaves unexplained."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from latency.sources.assembled.launch import LAUNCHED, Gpu, Launch, launch
from latency.sources.assembled.shape import SLICE, KernelShape, slices

HALF_BYTES = 2  # fp16
MOST_HALVINGS = 4


def padded(channels: int) -> int:
    """Channels that are computed and moved: whole slices."""
    return slices(channels) * SLICE


def halvings(channels: int) -> int:
    """How often the number of slices can be halved, up to :data:`MOST_HALVINGS`.

    Times follow it beyond what the launch explains, and for kernels whose launch is not known.
    """
    number = slices(channels)
    return min((number & -number).bit_length() - 1, MOST_HALVINGS)


def work(shapes: Sequence[KernelShape], gpu: Gpu | None = None) -> np.ndarray:
    """(n, 6) non-negative amounts, whose weighted sum is the trend of a kernel's time.

    One (starting the kernel), 1e8 multiply-adds, and 1e6 values read, written and held as weights; then 1e8
    multiply-adds with those of idle threads, 0 where the launch is not known.
    """
    return np.array([(*_work(shape), _issued(shape, gpu)) for shape in shapes], dtype=float).reshape(
        len(shapes), 6
    )


def traffic_mb(shape: KernelShape) -> float:
    """Megabytes of the output map of a kernel that only moves data, in fp16."""
    return shape.size**2 * shape.out_channels * HALF_BYTES / 1e6


def coordinates(shapes: Sequence[KernelShape], gpu: Gpu | None = None) -> np.ndarray:
    """(n, 12): values of :data:`AXES`, those of the launch 0 where it is not known."""
    return np.array([_coordinates(shape, gpu) for shape in shapes], dtype=float)


# Size, channels and groups in octaves; kernel, stride, addition, halvings and maximum as they are.
SHAPE_AXES: dict[str, Callable[[KernelShape], float]] = {
    "size": lambda shape: math.log2(shape.size),
    "in_channels": lambda shape: math.log2(padded(shape.in_channels)),
    "out_channels": lambda shape: math.log2(padded(shape.out_channels)),
    "groups": lambda shape: math.log2(shape.groups),
    "kernel": lambda shape: float(shape.kernel),
    "stride": lambda shape: float(shape.stride),
    "adds": lambda shape: float(shape.adds),
    "halvings": lambda shape: float(halvings(shape.out_channels)),
    "maximum": lambda shape: float(shape.maximum),
}
# How a kernel is launched: idle threads and a thread's block of output values in octaves, constant weights.
LAUNCH_AXES: dict[str, Callable[[KernelShape, Launch, Gpu], float]] = {
    "idle": lambda shape, launched, gpu: launched.idle(shape, gpu.wave),
    "block": lambda shape, launched, gpu: 0.0 if launched.constant else math.log2(math.prod(launched.block)),
    "constant": lambda shape, launched, gpu: float(launched.constant),
}
AXES = (*SHAPE_AXES, *LAUNCH_AXES)


def _coordinates(shape: KernelShape, gpu: Gpu | None) -> list[float]:
    of_shape = [axis(shape) for axis in SHAPE_AXES.values()]
    if gpu is None or shape.kind not in LAUNCHED:
        return [*of_shape, *(0.0 for _ in LAUNCH_AXES)]
    launched = launch(shape, gpu)
    return [*of_shape, *(axis(shape, launched, gpu) for axis in LAUNCH_AXES.values())]


def _issued(shape: KernelShape, gpu: Gpu | None) -> float:
    if gpu is None or shape.kind not in LAUNCHED:
        return 0.0
    return launch(shape, gpu).issued(gpu.wave) * _per_output(shape) / 1e8


def _per_output(shape: KernelShape) -> float:
    """Multiply-adds of one output value."""
    return shape.kernel**2 * (1 if shape.kind == "depthwise" else padded(shape.in_channels) / shape.groups)


def _work(shape: KernelShape) -> tuple[float, ...]:
    inside, outside = padded(shape.in_channels), padded(shape.out_channels)
    if shape.kind == "window":
        return _window_work(shape, outside)
    read = (shape.size * shape.stride) ** 2 * inside
    if shape.kind == "pool":
        return 1, 0, read / 1e6, outside / 1e6, 0
    per_output = _per_output(shape)
    written = shape.size**2 * outside * (2 if shape.adds else 1)
    multiply_adds = shape.size**2 * outside * per_output
    return 1, multiply_adds / 1e8, read / 1e6, written / 1e6, outside * per_output / 1e6


def _window_work(shape: KernelShape, channels: int) -> tuple[float, ...]:
    """An addition or comparison per pixel of a window, no weights; windows with gaps skip pixels."""
    written = shape.size**2 * channels
    read = written * min(shape.stride, shape.kernel) ** 2
    return 1, written * shape.kernel**2 / 1e8, read / 1e6, written / 1e6, 0
