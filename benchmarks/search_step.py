"""Time of one search step (forward, backward, update), variants interleaved in one run, medians and ratios.

    python benchmarks/search_step.py --resolution 32 --batch 64

Variants: the plain network of one architecture (MoGA-A), one uniformly drawn path and two paths of the
full-width supernet, with independent and with entangled weights. The ratio is to the plain network's step.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F

from dnas import Network, SearchSpace, Supernet, zoo
from dnas.search.masks import MaskStrategy, TwoPath, UniformPath

Step = Callable[[int], None]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--resolution", type=int, default=32, help="side of the images in pixels")
    parser.add_argument("--batch", type=int, default=64, help="images per step")
    parser.add_argument("--steps", type=int, default=20, help="timed steps of every variant")
    parser.add_argument("--warmup", type=int, default=10, help="untimed steps of every variant")
    options = parser.parse_args()
    images = torch.randn(options.batch, 3, options.resolution, options.resolution)
    batch = images.contiguous(memory_format=torch.channels_last), torch.randint(10, (options.batch,))
    variants = make_variants(batch)
    times: dict[str, list[float]] = {name: [] for name in variants}
    for index in track(range(options.warmup + options.steps), "Timing", transient=True):
        for name, step in variants.items():
            started = time.perf_counter()
            step(index)
            if index >= options.warmup:
                times[name].append(time.perf_counter() - started)
    report(times, options)


def make_variants(batch: tuple[Tensor, Tensor]) -> dict[str, Step]:
    """One training step per variant; each has a network and an optimiser of its own."""
    space = SearchSpace.load("moga")
    network = Network(zoo.load("moga_a"), 10, stem_stride=1)
    variants = {"plain network (MoGA-A)": _step(network, batch, lambda index: ())}
    for sharing in ("independent", "entangled"):
        for name, strategy in {"one path": UniformPath(), "two paths": TwoPath()}.items():
            supernet = Supernet(space, sharing, num_classes=10, stem_stride=1)
            variants[f"{sharing}, {name}"] = _step(supernet, batch, _drawn(strategy, space))
    return variants


def _drawn(strategy: MaskStrategy, space: SearchSpace) -> Callable[[int], tuple]:
    alpha = torch.zeros(len(space), space.max_choices)

    def draw(index: int) -> tuple:
        return tuple(strategy.draw(alpha, tau=1.0, generator=torch.Generator().manual_seed(index))[0])

    return draw


def _step(model: nn.Module, batch: tuple[Tensor, Tensor], mask: Callable[[int], tuple]) -> Step:
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step(index: int) -> None:
        F.cross_entropy(model(batch[0], *mask(index)), batch[1]).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def report(times: dict[str, list[float]], options: argparse.Namespace) -> None:
    table = Table(title=f"{options.resolution} px, batch {options.batch}, {options.steps} interleaved steps")
    for heading in ("variant", "median ms", "ratio"):
        table.add_column(heading, justify="left" if heading == "variant" else "right")
    baseline = statistics.median(next(iter(times.values())))
    for name, values in times.items():
        median = statistics.median(values)
        table.add_row(name, f"{1000 * median:.0f}", f"{median / baseline:.2f}")
    console = Console()
    console.print(table)
    console.print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}, CPU")


if __name__ == "__main__":
    main()
