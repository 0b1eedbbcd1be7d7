"""Depthwise convolution with a weight gradient of its own on CPUs.

In PyTorch's convolution the gradient of 5x5 and 7x7 depthwise weights, and of any on maps smaller than the
kernel, takes three to three hundred times as long as the forward pass, more than all the rest of a supernet
step (benchmarks/depthwise_gradient.py). That gradient,

    dW[c, t] = sum over images n and positions p of x[n, c, s p + t - k // 2] * dy[n, c, p],

is itself a depthwise convolution, of the maps x with the maps dy as kernels (dilated by the stride s), in
which every pair (n, c) is a channel; the sum over n comes after. So the fast forward kernels compute it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# Channels of so many bytes of images are put side by side at a time, so that they stay in the cache.
FOLDED_BYTES = 3 * 2**20
# With a stride, images at least this large are fastest one by one: then nothing is copied.
LARGE_IMAGE = 3 * 2**18


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution padded by kernel // 2, computed by :func:`depthwise`.

    It begins without a bias; a batch norm that is folded into it gives it one.
    """

    def __init__(self, channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.bias is not None:
            return super().forward(x)
        return depthwise(x, self.weight, self.stride[0])


def depthwise(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """Depthwise convolution padded by k // 2: (N, C, H, W) with (C, 1, k, k) to (N, C, H', W')."""
    learns = torch.is_grad_enabled() and weight.requires_grad and not torch.compiler.is_compiling()
    if learns and _own_gradient(x, weight.shape[-1]):
        result: Tensor = _Depthwise.apply(x, weight, stride)
        return result
    return F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, groups=x.shape[1])


def input_gradient(x: Tensor, dy: Tensor, weight: Tensor, stride: int) -> Tensor:
    """The gradient of :func:`depthwise` with respect to x: (N, C, H, W) from dy (N, C, H', W')."""
    return _library_gradient(x, dy, weight, stride, 0)


def weight_gradient(x: Tensor, dy: Tensor, weight: Tensor, stride: int) -> Tensor:
    """The gradient of :func:`depthwise` with respect to weight, (C, 1, k, k), in the fastest way known."""
    if _own_gradient(x, weight.shape[-1]):
        return _folded_weight_gradient(x, dy, weight.shape[-1], stride)
    return _library_gradient(x, dy, weight, stride, 1)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, groups=x.shape[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor, None]:
        x, weight = ctx.saved_tensors
        dy = dy.contiguous(memory_format=torch.channels_last)
        dx = input_gradient(x, dy, weight, ctx.stride) if ctx.needs_input_grad[0] else None
        return dx, weight_gradient(x, dy, weight, ctx.stride), None


def _own_gradient(x: Tensor, kernel: int) -> bool:
    height, width = x.shape[2:]
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and x.is_contiguous(memory_format=torch.channels_last)
        and (kernel >= 5 or min(height, width) < kernel)
    )


def _library_gradient(x: Tensor, dy: Tensor, weight: Tensor, stride: int, which: int) -> Tensor:
    wanted = [index == which for index in range(3)]
    padding = [weight.shape[-1] // 2] * 2
    gradients: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        dy, x, weight, None, [stride] * 2, padding, [1, 1], False, [0, 0], x.shape[1], wanted
    )
    return gradients[which]


def _folded_weight_gradient(x: Tensor, dy: Tensor, kernel: int, stride: int) -> Tensor:
    """(C, 1, k, k) from x (N, C, H, W) and dy (N, C, H', W'), both channels last."""
    channels, *size = x.shape[1:]
    taps = [_reachable(kernel, stride, into, out) for into, out in zip(size, dy.shape[2:], strict=True)]
    image = x[0].numel() * x.element_size()
    alone = stride > 1 and image >= LARGE_IMAGE
    chunk = 1 if alone else max(1, FOLDED_BYTES // image)
    total = x.new_zeros(channels, *(stop - start for start, stop in taps))
    for x_part, dy_part in zip(x.split(chunk), dy.split(chunk), strict=True):
        if not alone:
            x_part, dy_part = _side_by_side(x_part), _side_by_side(dy_part)
        total += _of_pairs(x_part, dy_part, kernel, stride, taps).view(-1, *total.shape).sum(0)
    (top, bottom), (left, right) = taps
    return F.pad(total, [left, kernel - right, top, kernel - bottom])[:, None]


def _side_by_side(x: Tensor) -> Tensor:
    """(N, C, H, W) to (1, N * C, H, W); in NCHW the channels of all images follow one another."""
    return x.contiguous().view(1, -1, *x.shape[2:])


def _of_pairs(x: Tensor, dy: Tensor, kernel: int, stride: int, taps: list[tuple[int, int]]) -> Tensor:
    """(P, rows, columns): gradients of the taps for each pair of maps, x (1, P, H, W), dy (1, P, H', W')."""
    rows, columns = (stop - start for start, stop in taps)
    if dy.shape[2:] == (1, 1):
        # A product. As a convolution with 1x1 kernels it would run group by group where there is one thread.
        return (x[:, :, :rows, :columns] * dy)[0]
    padding = [kernel // 2 - start for start, _ in taps]
    out = F.conv2d(x, dy.transpose(0, 1), None, 1, padding, dilation=stride, groups=x.shape[1])
    return out[0, :, :rows, :columns].contiguous()


def _reachable(kernel: int, stride: int, into: int, out: int) -> tuple[int, int]:
    """[start, stop) of the taps that meet a pixel at all: a wide kernel on a small map has others too."""
    middle = kernel // 2
    return max(0, middle - stride * (out - 1)), min(kernel, middle + into)
