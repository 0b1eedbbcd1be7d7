"""Depthwise convolution with a weight gradient of its own on CPUs.

In PyTorch's convolution the gradient of 5x5 and 7x7 depthwise weights, and of any on maps smaller than the
kernel, takes three to three hundred times as long as the forward pass, more than all the rest of a supernet
step (benchmarks/depthwise_gradient.py). That gradient,

    dW[c, t] = sum over images n and positions p of x[n, c, s p + t - k // 2] * dy[n, c, p],

is itself a depthwise convolution, of the maps x with the maps dy as kernels (dilated by the stride s), in
which every pair (n, c) is a channel; the sum over n comes after. So the fast forward kernels compute it.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
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
    weight = within_reach(weight, x.shape[2:])
    learns = torch.is_grad_enabled() and weight.requires_grad and not torch.compiler.is_compiling()
    if learns and (_own_gradient(x, weight) or _slow_for_cudnn(x, weight)):
        result: Tensor = _Depthwise.apply(x, weight, stride)
        return result
    return convolve(x, weight, stride)


def within_reach(weight: Tensor, size: Sequence[int]) -> Tensor:
    """The centre of (C, 1, k, k) kernels that can meet a pixel of H x W maps, at least 3 x 3: (C, 1, a, b).

    The other taps see padding only. Leaving them out changes no result, and spares the libraries' kernels for
    windows larger than maps: on 2x2 maps cuDNN's for 5x5 and 7x7 windows takes 200 times as long in bfloat16.
    """
    kernel = weight.shape[-1]
    margins = [max(0, kernel - max(3, 2 * length - 1)) // 2 for length in size]
    if not any(margins):
        return weight
    top, left = margins
    return weight[:, :, top : kernel - top, left : kernel - left]


def convolve(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """:func:`depthwise` with the library's gradients, if any, of kernels (C, 1, a, b)."""
    return F.conv2d(x, weight, None, stride, _padding(weight), groups=x.shape[1])


def _padding(weight: Tensor) -> list[int]:
    return [length // 2 for length in weight.shape[2:]]


def input_gradient(x: Tensor, dy: Tensor, weight: Tensor, stride: int) -> Tensor:
    """The gradient of :func:`depthwise` with respect to x: (N, C, H, W) from dy (N, C, H', W')."""
    return _library_gradient(x, dy, weight, stride, 0)


def weight_gradient(x: Tensor, dy: Tensor, weight: Tensor, stride: int) -> Tensor:
    """The gradient of :func:`depthwise` with respect to weight, (C, 1, k, k), in the fastest way known."""
    if _own_gradient(x, weight):
        return _folded_weight_gradient(x, dy, weight, stride)
    if _slow_for_cudnn(x, weight):
        # PyTorch's own kernel, for NCHW, takes a half to an eleventh of the time (H200, cuDNN 9.19).
        x, dy = x.contiguous(), dy.contiguous()
    return _library_gradient(x, dy, weight, stride, 1)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return convolve(x, weight, stride)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor, None]:
        x, weight = ctx.saved_tensors
        dy = dy.contiguous(memory_format=torch.channels_last)
        dx = input_gradient(x, dy, weight, ctx.stride) if ctx.needs_input_grad[0] else None
        return dx, weight_gradient(x, dy, weight, ctx.stride), None


def _own_gradient(x: Tensor, weight: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and x.is_contiguous(memory_format=torch.channels_last)
        and (max(weight.shape[2:]) >= 5 or any(map(operator.lt, x.shape[2:], weight.shape[2:])))
    )


def _slow_for_cudnn(x: Tensor, weight: Tensor) -> bool:
    return (
        x.device.type == "cuda"
        and x.dtype == torch.float32
        and x.is_contiguous(memory_format=torch.channels_last)
        and max(weight.shape[2:]) >= 7
    )


def _library_gradient(x: Tensor, dy: Tensor, weight: Tensor, stride: int, which: int) -> Tensor:
    wanted = [index == which for index in range(3)]
    gradients: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        dy, x, weight, None, [stride] * 2, _padding(weight), [1, 1], False, [0, 0], x.shape[1], wanted
    )
    return gradients[which]


def _folded_weight_gradient(x: Tensor, dy: Tensor, weight: Tensor, stride: int) -> Tensor:
    """That of weight (C, 1, a, b) from x (N, C, H, W) and dy (N, C, H', W'), both channels last."""
    kernel = weight.shape[2:]
    taps = [
        _reachable(length, stride, into, out)
        for length, into, out in zip(kernel, x.shape[2:], dy.shape[2:], strict=True)
    ]
    image = x[0].numel() * x.element_size()
    alone = stride > 1 and image >= LARGE_IMAGE
    chunk = 1 if alone else max(1, FOLDED_BYTES // image)
    total = x.new_zeros(x.shape[1], *(stop - start for start, stop in taps))
    for x_part, dy_part in zip(x.split(chunk), dy.split(chunk), strict=True):
        if not alone:
            x_part, dy_part = _side_by_side(x_part), _side_by_side(dy_part)
        total += _of_pairs(x_part, dy_part, kernel, stride, taps).view(-1, *total.shape).sum(0)
    (top, bottom), (left, right) = taps
    return F.pad(total, [left, kernel[1] - right, top, kernel[0] - bottom])[:, None]


def _side_by_side(x: Tensor) -> Tensor:
    """(N, C, H, W) to (1, N * C, H, W); in NCHW the channels of all images follow one another."""
    return x.contiguous().view(1, -1, *x.shape[2:])


def _of_pairs(
    x: Tensor, dy: Tensor, kernel: Sequence[int], stride: int, taps: list[tuple[int, int]]
) -> Tensor:
    """(P, rows, columns): gradients of the taps for each pair of maps, x (1, P, H, W), dy (1, P, H', W')."""
    rows, columns = (stop - start for start, stop in taps)
    if dy.shape[2:] == (1, 1):
        # A product. As a convolution with 1x1 kernels it would run group by group where there is one thread.
        return (x[:, :, :rows, :columns] * dy)[0]
    padding = [length // 2 - start for length, (start, _) in zip(kernel, taps, strict=True)]
    out = F.conv2d(x, dy.transpose(0, 1), None, 1, padding, dilation=stride, groups=x.shape[1])
    return out[0, :, :rows, :columns].contiguous()


def _reachable(kernel: int, stride: int, into: int, out: int) -> tuple[int, int]:
    """[start, stop) of the taps that meet a pixel at all: a wide kernel on a small map has others too."""
    middle = kernel // 2
    return max(0, middle - stride * (out - 1)), min(kernel, middle + into)
