"""Maps as rows: the (N * H * W, C) view of channels-last maps, in which a 1x1 convolution is a product."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from torch import Tensor


class Shape(NamedTuple):
    """Images, height and width of the maps that rows belong to."""

    images: int
    height: int
    width: int

    @classmethod
    def of(cls, maps: Tensor) -> Shape:
        """The shape of (N, C, H, W) maps."""
        images, _, height, width = maps.shape
        return cls(images, height, width)


def to_rows(maps: Tensor) -> Tensor:
    """(N, C, H, W) to (N * H * W, C); a view of channels-last maps."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def to_maps(rows: Tensor, shape: Shape) -> Tensor:
    """(N * H * W, C) to (N, C, H, W), channels last; a view."""
    return rows.view(*shape, rows.shape[1]).permute(0, 3, 1, 2)


def without_autocast(tensor: Tensor) -> AbstractContextManager[None]:
    """Operations keep the precision of their operands, whatever the caller's autocast says."""
    return torch.autocast(tensor.device.type, enabled=False)


def with_ones(rows: Tensor) -> Tensor:
    """(M, C) to (M, C + 8): a column of ones, so that a bias is a column of weights, and seven of zeros.

    Adding a bias costs a pass over the product, and its gradient another; eight keep rows aligned.
    """
    return torch.cat([rows, rows.new_ones(len(rows), 1), rows.new_zeros(len(rows), 7)], 1)


def with_bias(weight: Tensor, bias: Tensor) -> Tensor:
    """(H, C) and (H,) to (H, C + 8) weights of :func:`with_ones` rows."""
    return torch.cat([weight, bias[:, None], weight.new_zeros(len(weight), 7)], 1)


def working_dtype(tensor: Tensor) -> torch.dtype:
    """The precision in which convolutions of ``tensor`` are computed here: autocast's, or its own."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype
