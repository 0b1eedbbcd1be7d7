"""sum_i weights[i] * maps[i] with one pass per map in either direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dnas.layers.fused.rows import to_rows, without_autocast


def weighted_sum(maps: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """Sum of (N, C, H, W) maps of one shape and precision, each times its 0-dimensional weight."""
    result: Tensor = _WeightedSum.apply(*maps, *weights)
    return result


class _WeightedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(*tensors)
        maps, weights = tensors[: len(tensors) // 2], tensors[len(tensors) // 2 :]
        total = maps[0] * weights[0].to(maps[0].dtype)
        for each, weight in zip(maps[1:], weights[1:], strict=True):
            total.addcmul_(each, weight.to(each.dtype))
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        tensors, wanted = ctx.saved_tensors, ctx.needs_input_grad
        count = len(tensors) // 2
        with without_autocast(dy):
            d_maps = [
                dy * weight.to(dy.dtype) if wants else None
                for weight, wants in zip(tensors[count:], wanted[:count], strict=True)
            ]
            d_weights = [
                _dot(dy, each).to(weight.dtype) if wants else None
                for each, weight, wants in zip(tensors[:count], tensors[count:], wanted[count:], strict=True)
            ]
        return *d_maps, *d_weights


def _dot(a: Tensor, b: Tensor) -> Tensor:
    if a.dtype in (torch.float32, torch.float64):
        return torch.dot(to_rows(a).flatten(), to_rows(b).flatten())
    # Half precision would lose what many small products add up to.
    return (a.float() * b.float()).sum()
