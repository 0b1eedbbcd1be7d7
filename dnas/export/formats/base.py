"""What a format of exported files is, and what several of them do to a network first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn

from dnas.layers.layers import fold_norms, with_stock_convolutions

# One batch of (N, C, H, W) images to (N, classes) logits.
Run = Callable[[Tensor], Tensor]


class Format(ABC):
    """A format, and the runtime that runs its files.

    Attributes:
        name: as ``--format`` takes it.
        suffix: of its files, with the dot.
        runtime: its name in messages.
        packages: that must be importable to write and run a file.
        extra: of this project, which brings these packages.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    runtime: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""

    @abstractmethod
    def write(
        self,
        module: nn.Module,
        shape: Sequence[int],
        path: Path,
        *,
        any_batch: bool,
        facts: Mapping[str, str],
    ) -> None:
        """Write ``path`` and its :meth:`companions`.

        Args:
            module: in evaluation mode; takes one tensor and returns one. It stays as it is.
            shape: of its input, (N, C, H, W).
            any_batch: leave N open instead of fixing it.
            facts: metadata of the file, where the format has room for them.
        """

    @abstractmethod
    def load(self, path: Path) -> Run:
        """The file in its runtime, on the processor."""

    def name_problem(self, path: Path) -> str:
        """Why a file of this format cannot have this name; empty where it can."""
        if path.suffix == self.suffix:
            return ""
        return f"the name of a file of --format {self.name} must end in {self.suffix}"

    def companions(self, path: Path) -> tuple[Path, ...]:
        """Files beside ``path`` that belong to it."""
        return ()


def deployed(module: nn.Module) -> nn.Module:
    """A copy as runtimes want it: stock convolutions, with the batch norms after them folded in."""
    module = with_stock_convolutions(module)
    fold_norms(module)
    return module
