"""Expansion, activation and depthwise convolution in one function that keeps its input only.

The expanded maps are the widest of a network, and cheap: the matrix product that makes them is done again in
the backward pass, instead of writing them to memory and reading them back.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dnas.layers.activations import ACTIVATIONS
from dnas.layers.depthwise import convolve, input_gradient, weight_gradient, within_reach
from dnas.layers.fused.checkpointing import Turn
from dnas.layers.fused.rows import Shape, to_maps, to_rows, without_autocast


def expand_depthwise(
    rows: Tensor,
    weight: Tensor,
    kernels: Tensor,
    shape: Shape,
    stride: int,
    activation: str,
    turn: Turn = Turn.ONLY,
) -> Tensor:
    """Depthwise convolution of activation(rows W^T).

    Args:
        rows: (M, C), the rows of maps of ``shape``, with a column of ones.
        weight: (H, C), batch normalisation and bias included (:func:`dnas.layers.fused.statistics.fold`).
        kernels: (H, 1, k, k), padded by k // 2.
        turn: in a second turn the expanded maps are kept for the gradients, which follow at once. That spares
            a third expansion.

    Returns:
        (N, H, h', w') maps, channels last.
    """
    # By name: torch.compile of PyTorch 2.6 cannot slice a named tuple.
    kernels = within_reach(kernels, (shape.height, shape.width))
    result: Tensor = _ExpandDepthwise.apply(rows, weight, kernels, shape, stride, activation, turn)
    return result


class _ExpandDepthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        weight: Tensor,
        kernels: Tensor,
        shape: Shape,
        stride: int,
        activation: str,
        turn: Turn,
    ) -> Tensor:
        f, before = ACTIVATIONS[activation], rows @ weight.t()
        # Overwritten unless the gradient needs x: in a second turn, where it cannot be told from f(x).
        after = f.apply(before) if turn is Turn.SECOND and not f.from_output else f.apply_(before)
        # What is saved in a first turn is not kept, but counted: both have to save as much.
        ctx.save_for_backward(rows, weight, kernels, *([] if turn is Turn.ONLY else [before]))
        ctx.options = shape, stride, activation
        return convolve(to_maps(after, shape), kernels, stride)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        with without_autocast(dy):
            return (*_gradients(ctx, dy.contiguous(memory_format=torch.channels_last)), *[None] * 4)


def _gradients(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    rows, weight, kernels, *kept = ctx.saved_tensors
    shape, stride, name = ctx.options
    wants_rows, wants_weight, wants_kernels, *_ = ctx.needs_input_grad
    activation = ACTIVATIONS[name]
    before = kept[0] if kept else rows @ weight.t()
    if not activation.from_output:
        after = activation.apply(before)
    else:
        after = before if kept else activation.apply_(before)
    expanded = to_maps(after, shape)
    d_kernels = weight_gradient(expanded, dy, kernels, stride) if wants_kernels else None
    d_after = to_rows(input_gradient(expanded, dy, kernels, stride))
    d_before = activation.gradient(d_after, before)
    return (
        d_before @ weight if wants_rows else None,
        d_before.t() @ rows if wants_weight else None,
        d_kernels,
    )
