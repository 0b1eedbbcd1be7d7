"""Time for memory: parts of a supernet are computed again in the backward pass (arXiv 1604.06174)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

PLANS = ("none", "choice", "block")


def recomputed(module: nn.Module, function: Callable[..., Tensor], *inputs: Any) -> Tensor:
    """``function(*inputs)``, which keeps its inputs only; ``module`` holds the batch norms that it uses.

    The second computation leaves running statistics alone: a batch counts once. It must not draw random
    numbers.
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
