"""Activations by name: as modules, as functions, and their derivatives for backward passes by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_BACKWARD = torch.ops.aten


class Activation(NamedTuple):
    """An activation f.

    module: f as a class of modules.
    apply_: f, overwriting its argument.
    apply: f, as a new tensor.
    gradient: of the loss with respect to x, from that with respect to f(x), which it may overwrite, and x.
    from_output: whether ``gradient`` takes f(x) as well as x.
    """

    module: type[nn.Module]
    apply_: Callable[[Tensor], Tensor]
    apply: Callable[[Tensor], Tensor]
    gradient: Callable[[Tensor, Tensor], Tensor]
    from_output: bool


ACTIVATIONS = {
    "relu": Activation(
        nn.ReLU,
        torch.relu_,
        torch.relu,
        lambda g, x: _BACKWARD.threshold_backward.grad_input(g, x, 0, grad_input=g),
        True,
    ),
    "relu6": Activation(
        nn.ReLU6,
        lambda x: F.hardtanh_(x, 0.0, 6.0),
        F.relu6,
        lambda g, x: _BACKWARD.hardtanh_backward.grad_input(g, x, 0.0, 6.0, grad_input=g),
        True,
    ),
    "hswish": Activation(
        nn.Hardswish,
        lambda x: F.hardswish(x, inplace=True),
        F.hardswish,
        lambda g, x: _BACKWARD.hardswish_backward(g, x),
        False,
    ),
    "swish": Activation(
        nn.SiLU,
        lambda x: F.silu(x, inplace=True),
        F.silu,
        lambda g, x: _BACKWARD.silu_backward.grad_input(g, x, grad_input=g),
        False,
    ),
    "none": Activation(nn.Identity, lambda x: x, torch.clone, lambda g, x: g, True),
}


def activation(name: str) -> nn.Module:
    """The activation of that name; it may overwrite its input, which is always a fresh batch-norm output."""
    module = ACTIVATIONS[name].module
    return module() if module is nn.Identity else module(inplace=True)
