"""How a mobile-GPU delegate divides a kernel into threads and work groups; one that fits badly costs time.

Every thread computes a block of output values; threads run in work groups, work groups in waves of fixed
width. TensorFlow Lite's delegate takes a group depth that divides the number of channel slices: 2 * 179
slices leave groups of 8 threads, and waves of 128 that are empty but for them. The rules are those of its
public source (work_group_picking, conv_generic, conv_constants, depthwise_conv, depthwise_conv_3x3), the
numbers of a GPU are data. Registers may make the groups of a kernel smaller than its GPU allows; that is not
known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, log2, prod
from typing import Any

from latency.sources.assembled.shape import SLICE, KernelShape, slices

# Kinds whose launch is known. Dense convolutions of larger kernels may run by Winograd's algorithm instead.
LAUNCHED = ("pointwise", "depthwise")
DEPTH = 8  # most slices of a work group of all kernels but generic convolutions
CONSTANT_SLICES = (
    8  # of output channels: more do not fit the registers of a convolution with constant weights
)
HALF_BYTES = 2  # fp16

Size = tuple[int, int, int]  # pixels wide, pixels high, slices


@dataclass(frozen=True)
class Gpu:
    """What the delegate's choices depend on.

    Attributes:
        compute_units: cores as the delegate counts them.
        wave: threads that run in step.
        group: most threads of a work group.
        convolution_group, convolution_depth: most threads and most slices of a work group of a convolution.
        constant_bytes: weights up to this size are held in constant memory, by another kernel; 0 is never.
        blocks: (pixels times slices per compute unit up to which it is taken, block of a convolution).
        strided_block: most values (in pixels times slices) of the block of a strided convolution.
        thin_block: block of convolutions to one or three slices, where others have two slices.
        depthwise_group: work group of 3x3 depthwise convolutions of stride 1, where it is fixed.
        in_rows: whether convolutions run in groups of one wave over all pixels in a row.
    """

    compute_units: int
    wave: int
    group: int
    convolution_group: int
    convolution_depth: int
    constant_bytes: int
    blocks: tuple[tuple[float, Size], ...]
    strided_block: float = inf
    thin_block: Size | None = None
    depthwise_group: Size | None = None
    in_rows: bool = False

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Gpu:
        """Build from the plain data of the YAML file; the block without a bound is the last."""
        blocks = tuple((float(rule.get("up_to", inf)), _size(rule["block"])) for rule in data["blocks"])
        sizes = {name: _size(data[name]) for name in ("thin_block", "depthwise_group") if name in data}
        return cls(**{**data, **sizes, "blocks": blocks})


@dataclass(frozen=True)
class Launch:
    """Threads of a kernel.

    Attributes:
        block: output values of a thread.
        groups: work groups.
        threads: threads of a work group.
        constant: whether the weights are in constant memory.
    """

    block: Size
    groups: int
    threads: int
    constant: bool = False

    def lanes(self, wave: int) -> int:
        """Threads that the GPU runs, idle ones of waves that are not full included."""
        return self.groups * -(-self.threads // wave) * wave

    def idle(self, shape: KernelShape, wave: int) -> float:
        """Octaves by which the lanes exceed the threads that the output needs."""
        return log2(self.lanes(wave) * prod(self.block) / (shape.size**2 * slices(shape.out_channels)))

    def issued(self, wave: int) -> int:
        """Output values that are computed, whether or not they exist."""
        return self.lanes(wave) * prod(self.block) * SLICE


def launch(shape: KernelShape, gpu: Gpu) -> Launch:
    """The launch of a kernel of the kinds in :data:`LAUNCHED`."""
    if shape.kind == "depthwise":
        return _depthwise(shape, gpu)
    if _constant(shape, gpu):
        return _launch(shape, (1, 1, slices(shape.out_channels)), gpu, constant=True)
    return _convolution(shape, gpu)


def _depthwise(shape: KernelShape, gpu: Gpu) -> Launch:
    """A kernel of its own runs 3x3 convolutions of stride 1."""
    if (shape.kernel, shape.stride) != (3, 1):
        return _launch(shape, (1, 1, 1), gpu)
    block = (2, 2, 1)
    if gpu.depthwise_group:
        return Launch(block, _groups(_grid(shape, block), gpu.depthwise_group), prod(gpu.depthwise_group))
    return _launch(shape, block, gpu)


def _launch(shape: KernelShape, block: Size, gpu: Gpu, constant: bool = False) -> Launch:
    """Work groups of about half a row of pixels."""
    wide, high, deep = _grid(shape, block)
    depth = _preferred_divisor(deep)
    across = gpu.group // depth
    width = min(-(-wide // 2), across)
    group = (width, min(across // width, high), depth)
    return Launch(block, _groups((wide, high, deep), group), prod(group), constant)


def _convolution(shape: KernelShape, gpu: Gpu) -> Launch:
    block = _block(shape, gpu)
    wide, high, deep = _grid(shape, block)
    if gpu.in_rows:
        return Launch(block, -(-wide * high // gpu.wave) * deep, gpu.wave)
    depth = _largest_divisor(deep, gpu.convolution_depth)
    across = min(gpu.convolution_group, gpu.group) // depth
    width = min(wide, across)
    height = min(across // width, high)
    if height == high and high % 2 == 0:
        height = high // 2
    group = (width, height, depth)
    return Launch(block, _groups((wide, high, deep), group), prod(group))


def _block(shape: KernelShape, gpu: Gpu) -> Size:
    deep = slices(shape.out_channels)
    per_unit = shape.size**2 * deep / gpu.compute_units
    largest = inf if shape.stride == 1 else gpu.strided_block
    blocks = [(most, block) for most, block in gpu.blocks if prod(block) <= largest]
    block = next((block for most, block in blocks if per_unit <= most), blocks[-1][1])
    wide, high, slice_count = block
    if gpu.in_rows:  # slices that divide evenly, unless there are many
        for most in (slice_count, slice_count // 2):
            if deep % most == 0 or deep >= 2 * most:
                return wide, high, most
        return wide, high, deep
    return gpu.thin_block if gpu.thin_block and slice_count == 2 and deep in {1, 3} else block


def _constant(shape: KernelShape, gpu: Gpu) -> bool:
    """Whether the weights fit constant memory; they are padded on the side that wastes less."""
    inside, outside = shape.in_channels, shape.out_channels
    values = inside * SLICE * slices(outside)
    if outside % SLICE and (inside % SLICE == 0 or outside * slices(inside) < inside * slices(outside)):
        values = outside * SLICE * slices(inside)
    fits = values * shape.kernel**2 * HALF_BYTES <= gpu.constant_bytes
    return fits and slices(outside) <= CONSTANT_SLICES


def _grid(shape: KernelShape, block: Size) -> Size:
    wide, high, deep = block
    return -(-shape.size // wide), -(-shape.size // high), -(-slices(shape.out_channels) // deep)


def _groups(grid: Size, group: Size) -> int:
    return prod(-(-whole // part) for whole, part in zip(grid, group, strict=True))


def _preferred_divisor(number: int) -> int:
    """8, 4 or 2 if one divides ``number``, else its largest divisor below."""
    return next((two for two in (8, 4, 2) if number % two == 0), _largest_divisor(number, DEPTH))


def _largest_divisor(number: int, most: int) -> int:
    return next(divisor for divisor in range(most, 0, -1) if number % divisor == 0)


def _size(values: list[int]) -> Size:
    wide, high, deep = values
    return wide, high, deep
