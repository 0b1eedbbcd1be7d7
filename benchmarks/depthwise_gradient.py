"""The weight gradient of depthwise convolutions: PyTorch's, and ours, beside the forward pass; CPU, float32.

python benchmarks/depthwise_gradient.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dnas.layers import depthwise

# Maps of the MoGA space: (images, hidden channels, size, stride) at 32 pixels, batch 64, at 224, batch 4, and
# the last ones of 16 pixels, batch 128.
CASES = [
    (64, 96, 32, 2),
    (64, 144, 16, 1),
    (64, 240, 8, 1),
    (64, 480, 4, 1),
    (64, 960, 2, 1),
    (4, 96, 112, 2),
    (4, 216, 56, 1),
    (4, 72, 56, 1),
    (4, 216, 56, 2),
    (4, 240, 28, 1),
    (4, 480, 14, 1),
    (4, 960, 7, 1),
    (128, 960, 1, 1),
]


def main() -> None:
    table = Table("maps", "kernel", title="milliseconds, medians of interleaved runs")
    for heading in ("forward", "PyTorch", "ours", "times faster", "taken"):
        table.add_column(heading, justify="right")
    for case in track(CASES, "Timing", transient=True):
        for kernel in (3, 5, 7):
            table.add_row(*row(*case, kernel))
    console = Console(width=110)
    console.print(table)
    console.print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")


def row(images: int, channels: int, size: int, stride: int, kernel: int) -> list[str]:
    layout = torch.channels_last
    x = torch.randn(images, channels, size, size).contiguous(memory_format=layout)
    weight = depthwise.within_reach(torch.randn(channels, 1, kernel, kernel), x.shape[2:])
    dy = torch.randn_like(depthwise.convolve(x, weight, stride))
    forward, stock, ours = medians(
        lambda: depthwise.convolve(x, weight, stride),
        lambda: depthwise._library_gradient(x, dy, weight, stride, 1),
        lambda: depthwise._folded_weight_gradient(x, dy, weight, stride),
    )
    taken = "ours" if depthwise._own_gradient(x, weight) else "PyTorch"
    shape = f"{images} x {channels} x {size} x {size}, stride {stride}"
    times = [f"{1000 * each:.2f}" for each in (forward, stock, ours)]
    return [shape, f"{kernel} x {kernel}", *times, f"{stock / ours:.1f}", taken]


def medians(*functions: Callable[[], object]) -> list[float]:
    times: list[list[float]] = [[] for _ in functions]
    for repeat in range(9):
        for function, collected in zip(functions, times, strict=True):
            started = time.perf_counter()
            function()
            if repeat >= 2:
                collected.append(time.perf_counter() - started)
    return [statistics.median(each) for each in times]


if __name__ == "__main__":
    main()
