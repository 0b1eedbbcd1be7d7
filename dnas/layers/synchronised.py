"""Batch normalisation whose statistics are those of all processes' images, on a GPU and on a CPU.

Torch's ``SyncBatchNorm`` needs a GPU, and is no ``BatchNorm2d``, which weight sharing looks for.
"""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn import functional as F


class SynchronisedBatchNorm2d(nn.BatchNorm2d):
    """In training, mean and variance are over the batches of all processes, which are equally large.

    A pass forward sends two messages of a number per channel, a pass backward two more.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and _several()):
            return super().forward(x)
        momentum = self.momentum
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            momentum = 1.0 / float(self.num_batches_tracked) if momentum is None else momentum
        assert momentum is not None
        return batch_norm(self, x, self.running_mean, self.running_var, self.weight, self.bias, momentum)


def batch_norm(
    norm: nn.BatchNorm2d,
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    scale: Tensor,
    shift: Tensor,
    momentum: float,
) -> Tensor:
    """``torch.nn.functional.batch_norm`` as ``norm`` does it, with these statistics, scale and shift."""
    if not (norm.training and isinstance(norm, SynchronisedBatchNorm2d) and _several()):
        return F.batch_norm(x, running_mean, running_var, scale, shift, norm.training, momentum, norm.eps)
    maps = x.to(torch.promote_types(x.dtype, torch.float32))
    mean = _mean_of_all(maps.mean((0, 2, 3)))
    centred = maps - mean[:, None, None]
    var = _mean_of_all(centred.square().mean((0, 2, 3)))
    if running_mean is not None and running_var is not None:
        count = distributed.get_world_size() * x.numel() // x.shape[1]
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((var * (count / (count - 1))).to(running_var.dtype), momentum)
    factor = torch.rsqrt(var + norm.eps) * scale
    return (centred * factor[:, None, None] + shift[:, None, None]).to(x.dtype)


def _mean_of_all(values: Tensor) -> Tensor:
    """Of all processes; gradients come back from all of them."""
    total: Tensor = all_reduce(values)
    return total / distributed.get_world_size()


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
