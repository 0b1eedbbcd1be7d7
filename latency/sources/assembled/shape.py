"""The shape of a kernel: everything that its time is looked up and predicted by."""

from __future__ import annotations

from dataclasses import dataclass

from dnas.space import output_size
from latency.kernels import Kernel

SLICE = 4  # channels that mobile-GPU delegates compute and move together: five cost as much as eight


def slices(channels: int) -> int:
    """Slices that hold so many channels."""
    return -(-channels // SLICE)


@dataclass(frozen=True)
class KernelShape:
    """One kernel of a mobile-GPU runtime.

    Attributes:
        kind: pointwise, depthwise, conv, grouped, linear, pool (a whole map's mean), window (pooling of
            windows), multiply, copy.
        size: side of the map in pixels: the input's of a pool, the output's of everything else.
        adds: whether a residual addition is fused into it, which reads one more map.
        maximum: whether windows are pooled to their maximum instead of their average.
    """

    kind: str
    size: int
    in_channels: int
    out_channels: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    adds: bool = False
    maximum: bool = False

    @classmethod
    def of(cls, kernel: Kernel) -> KernelShape:
        """The shape of a kernel of a block, stem or head."""
        op = kernel.op
        plain = kernel.kind in {"linear", "pool", "multiply", "copy"}
        size = op.input_size if plain else output_size(op.input_size, op.stride)
        return cls(
            kind=kernel.kind,
            size=1 if kernel.kind == "linear" else size,
            in_channels=op.in_channels,
            out_channels=op.out_channels,
            kernel=1 if plain else op.kernel,
            stride=1 if plain else op.stride,
            groups=op.groups if kernel.kind == "grouped" else 1,
            adds="add" in kernel.linked,
            maximum=kernel.kind == "window" and op.type == "max_pool",
        )

    @property
    def form(self) -> str:
        """What runs, on whatever map: kind, side and stride, and how a window is pooled."""
        pooled = ("maximum " if self.maximum else "average ") if self.kind == "window" else ""
        side = f" {self.kernel}x{self.kernel}/{self.stride}" if self.kernel * self.stride > 1 else ""
        return f"{pooled}{self.kind}{side}"

    def __str__(self) -> str:
        groups = f" in {self.groups} groups" if self.groups > 1 else ""
        return f"{self.form} {self.in_channels}>{self.out_channels}{groups} at {self.size} px"
