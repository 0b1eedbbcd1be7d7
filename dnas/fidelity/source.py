"""Where stand-alone accuracies come from: training, or a file of known ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from dnas.space.architecture import Architecture

# Called with what is being done, how much of it is done, and how much there is.
Tell = Callable[[str, int, int], None]


class StandAlone(NamedTuple):
    """Top-1 of an architecture with weights of its own, NaN with a ``reason`` where there is none.

    Attributes:
        images: that it was measured on; 0 where that is not known.
        seconds: that training and test took.
        data: class path and arguments of the data module, where there was one.
    """

    top1: float
    reason: str = ""
    images: int = 0
    seconds: float = 0.0
    data: Mapping[str, Any] | None = None


class Source(Protocol):
    """Architectures to look at, and their stand-alone accuracies."""

    def sample(self, number: int | None, generator: np.random.Generator) -> list[Architecture]:
        """Draw distinct architectures, every one equally likely; raises ValueError if there are fewer."""

    def accuracies(self, architectures: Sequence[Architecture], tell: Tell) -> list[StandAlone]:
        """One for each architecture that `sample` gave."""

    def describe(self) -> dict[str, Any]:
        """Return plain data about where accuracies come from."""
