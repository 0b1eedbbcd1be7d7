"""Batch normalisation of many choices at once: before a 1x1 convolution, after one, and of a weighted sum.

docs/performance.md derives the formulas.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dnas.layers.fused.rows import Shape, to_maps, to_rows, with_bias


class Moments(NamedTuple):
    """Mean (C,) and biased covariance (C, C) of the channels over all images and positions."""

    mean: Tensor
    covariance: Tensor


class Norm(NamedTuple):
    """Batch normalisation: scale and shift per channel, and what is added to the variance."""

    scale: Tensor
    shift: Tensor
    eps: float


class Statistics(NamedTuple):
    """Of one batch, per channel: mean and unbiased variance, as running averages collect them."""

    mean: Tensor
    var: Tensor

    def split(self, sizes: Sequence[int]) -> list[Statistics]:
        """Those of consecutive groups of channels."""
        return [
            Statistics(*parts) for parts in zip(self.mean.split(sizes), self.var.split(sizes), strict=True)
        ]

    def first(self, channels: int) -> Statistics:
        """Those of the first channels."""
        return Statistics(self.mean[:channels], self.var[:channels])


class Running(NamedTuple):
    """Running mean and variance, the share of a batch in them, and the number of batches if it is counted."""

    mean: Tensor
    var: Tensor
    momentum: float
    batches: Tensor | None

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> Running:
        """Those of a batch normalisation."""
        assert norm.running_mean is not None and norm.running_var is not None and norm.momentum is not None
        return cls(norm.running_mean, norm.running_var, norm.momentum, norm.num_batches_tracked)


@torch.no_grad()
def update(tracked: Sequence[tuple[Running, Statistics]]) -> None:
    """Move all running statistics towards their batch's, in a handful of operations."""
    for momentum in {running.momentum for running, _ in tracked}:
        pairs = [(running, batch) for running, batch in tracked if running.momentum == momentum]
        averages = [average for running, _ in pairs for average in (running.mean, running.var)]
        values = [value for _, batch in pairs for value in (batch.mean, batch.var)]
        torch._foreach_lerp_(averages, values, momentum)
    counts = [running.batches for running, _ in tracked if running.batches is not None]
    if counts:
        torch._foreach_add_(counts, 1)


def moments(rows: Tensor) -> Moments:
    """Of (M, C) rows, in float32 at least."""
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
    mean = rows.mean(0)
    centred = rows - mean
    return Moments(mean, centred.t() @ centred / len(rows))


def fold(weight: Tensor, norm: Norm, inputs: Moments, count: int) -> tuple[Tensor, Statistics]:
    """Batch normalisation of x W^T as part of weights and bias, known before anything is multiplied.

    If m and S are the moments of x, those of x W^T are W m and diag(W S W^T).

    Args:
        weight: (H, C) of a 1x1 convolution.
        norm: of its H outputs.
        inputs: moments of x.
        count: number of rows of x.

    Returns:
        weights that convolve and normalise rows with a column of ones; the statistics of x W^T.
    """
    mean = weight @ inputs.mean
    # Never negative, but for rounding: a channel in which large inputs cancel.
    var = ((weight @ inputs.covariance) * weight).sum(1).clamp(min=0)
    factor = norm.scale * torch.rsqrt(var + norm.eps)
    statistics = Statistics(mean.detach(), var.detach() * (count / (count - 1)))
    return with_bias(weight * factor[:, None], norm.shift - factor * mean), statistics


def normalise(maps: Tensor, norm: Norm) -> tuple[Tensor, Statistics]:
    """Batch normalisation of (N, C, H, W) maps by the batch's own statistics."""
    out, mean, invstd = torch.native_batch_norm(maps, norm.scale, norm.shift, None, None, True, 0.0, norm.eps)
    count = maps.numel() // maps.shape[1]
    var = (invstd.detach().square().reciprocal() - norm.eps) * (count / (count - 1))
    return out, Statistics(mean.detach(), var)


def mix(rows: Tensor, norm: Norm, weights: Tensor, shape: Shape) -> tuple[Tensor, Statistics]:
    """sum_i weights[i] * BN_i(Y_i), the weights made part of scale and shift.

    Args:
        rows: (M, K * out), the K maps Y_i side by side.
        norm: of the K maps, scale and shift (K, out).
        weights: (K,).
        shape: of the maps.

    Returns:
        (N, out, H, W) maps, and the statistics of the K * out channels.
    """
    scale, shift = norm.scale * weights[:, None], norm.shift * weights[:, None]
    normalised, statistics = normalise(to_maps(rows, shape), Norm(scale.flatten(), shift.flatten(), norm.eps))
    return to_maps(to_rows(normalised).view(len(rows), *scale.shape).sum(1), shape), statistics
