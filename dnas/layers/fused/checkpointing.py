"""Time for memory: parts of a supernet are computed again in the backward pass (arXiv 1604.06174)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from enum import Enum
from itertools import chain, repeat
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

PLANS = ("none", "choice", "block")
T = TypeVar("T")


class Turn(Enum):
    """Which computation of a function that may be computed twice this is."""

    ONLY = "what gradients need is kept"
    FIRST = "only the result is wanted, nothing is kept"
    SECOND = "only what gradients need is wanted, not the result"


def twice(function: Callable[..., T], *inputs: Any) -> T:
    """``function(turn, *inputs)``, which keeps its inputs only and changes nothing but its result.

    Both turns must save the same number of tensors, of the same shapes. The function must not draw random
    numbers.
    """
    turns = chain([Turn.FIRST], repeat(Turn.SECOND))
    result: T = checkpoint(
        lambda *tensors: function(next(turns), *tensors),
        *inputs,
        use_reentrant=False,
        preserve_rng_state=False,
    )
    return result


def recomputed(module: nn.Module, function: Callable[..., Tensor], *inputs: Any) -> Tensor:
    """``function(*inputs)``, which keeps its inputs only and moves running statistics of ``module``.

    The second computation leaves them alone: a batch counts once. The function must not draw random numbers.
    """
    result: Tensor = checkpoint(
        function,
        *inputs,
        use_reentrant=False,
        preserve_rng_state=False,
        context_fn=lambda: (nullcontext(), _statistics_at_rest(module)),
    )
    return result


@contextmanager
def _statistics_at_rest(module: nn.Module) -> Iterator[None]:
    # With momentum 0 a batch norm saves for the backward pass what it saved before, and moves nothing.
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    held = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    try:
        for norm in norms:
            norm.momentum, norm.num_batches_tracked = 0.0, None
        yield
    finally:
        for norm, (momentum, count) in zip(norms, held, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
