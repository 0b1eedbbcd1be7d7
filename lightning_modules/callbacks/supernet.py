"""What callbacks for supernets ask of the module that they are given."""

from __future__ import annotations

from collections.abc import Sequence

import pytorch_lightning as pl

from dnas.memory.passes import Pass


def passes_of(module: pl.LightningModule, callback: pl.Callback) -> Sequence[Pass]:
    """The forward and backward passes of a step of the module.

    Raises:
        ValueError: it trains no supernet.
    """
    passes = getattr(module, "passes", None)
    if passes is None:
        raise ValueError(
            f"{type(callback).__name__} is for a search: {type(module).__name__} trains no supernet. Leave "
            "it out."
        )
    found: Sequence[Pass] = passes()
    return found
