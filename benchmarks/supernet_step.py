"""Time and memory of one supernet training step (forward, backward, update), variants interleaved in one run.

    python benchmarks/supernet_step.py --resolution 32 --batch 64

The ratio is to the plain loop: twelve independent blocks of ordinary convolutions per layer, maps in NCHW, as
published FBNet code has it. Medians; the bytes are what autograd keeps of one forward pass.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F

from dnas import Network, SearchSpace, Supernet, zoo
from dnas.search.masks import MaskStrategy, SoftGumbel, TwoPath, UniformPath

Draw = Callable[[int], tuple]
DENSE, ONE, TWO = SoftGumbel(), UniformPath(), TwoPath()


@dataclass(frozen=True)
class Variant:
    """A model, how its mask is drawn, and the layout of its maps."""

    model: nn.Module
    draw: Draw
    layout: torch.memory_format = torch.channels_last


def main() -> None:
    options = _parser().parse_args()
    variants = make_variants(SearchSpace.load("moga"), options)
    images = torch.randn(options.batch, 3, options.resolution, options.resolution)
    labels = torch.randint(10, (options.batch,))
    steps = {name: _step(variant, images, labels) for name, variant in variants.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for index in track(range(options.warmup + options.steps), "Timing", transient=True):
        for name, step in steps.items():
            started = time.perf_counter()
            step(index)
            if index >= options.warmup:
                times[name].append(time.perf_counter() - started)
    saved = {name: saved_bytes(variant, images) for name, variant in variants.items()}
    report(times, saved, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--resolution", type=int, default=32, help="side of the images in pixels")
    parser.add_argument("--batch", type=int, default=64, help="images per step")
    parser.add_argument("--stem-stride", type=int, default=1, help="2 for images of 224 pixels")
    parser.add_argument("--steps", type=int, default=7, help="timed steps of every variant")
    parser.add_argument("--warmup", type=int, default=2, help="untimed steps of every variant")
    return parser


def make_variants(space: SearchSpace, options: argparse.Namespace) -> dict[str, Variant]:
    """The plain loop first: the ratios are to it."""
    facts = {"num_classes": 10, "stem_stride": options.stem_stride}

    def supernet(sharing: str, plan: str = "none") -> Supernet:
        return Supernet(space, sharing, checkpointing=plan, **facts)

    # On NCHW maps a supernet's 1x1 convolutions are ordinary ones: that is the plain loop.
    variants = {
        "plain loop, NCHW": Variant(supernet("independent"), _drawn(DENSE, space), torch.contiguous_format)
    }
    for plan in ("none", "choice", "block"):
        name = "dense" if plan == "none" else f"dense, checkpointing {plan}"
        variants[name] = Variant(supernet("independent", plan), _drawn(DENSE, space))
    variants["two paths"] = Variant(supernet("independent"), _drawn(TWO, space))
    variants["one path"] = Variant(supernet("independent"), _drawn(ONE, space))
    for name, strategy in {"dense": DENSE, "two paths": TWO, "one path": ONE}.items():
        variants[f"entangled, {name}"] = Variant(supernet("entangled"), _drawn(strategy, space))
    network = Network(zoo.load("moga_a"), **facts)
    return variants | {"plain network (MoGA-A)": Variant(network, lambda index: ())}


def _drawn(strategy: MaskStrategy, space: SearchSpace) -> Draw:
    alpha = torch.zeros(len(space), space.max_choices, requires_grad=strategy.trains_alpha)

    def draw(index: int) -> tuple:
        return tuple(strategy.draw(alpha, tau=1.0, generator=torch.Generator().manual_seed(index))[0])

    return draw


def _step(variant: Variant, images: Tensor, labels: Tensor) -> Callable[[int], None]:
    model = variant.model.to(memory_format=variant.layout)  # type: ignore[call-overload]
    images = images.contiguous(memory_format=variant.layout)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step(index: int) -> None:
        F.cross_entropy(model(images, *variant.draw(index)), labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def saved_bytes(variant: Variant, images: Tensor) -> int:
    """Bytes of the distinct storages that autograd keeps of one forward pass, parameters not counted."""
    own = {parameter.untyped_storage().data_ptr() for parameter in variant.model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = variant.model(images.contiguous(memory_format=variant.layout), *variant.draw(0))
    assert output.grad_fn is not None  # alive until here, so no storage was counted, freed and counted again
    return sum(kept.values())


def report(times: dict[str, list[float]], saved: dict[str, int], options: argparse.Namespace) -> None:
    title = f"{options.resolution} px, batch {options.batch}, {options.steps} interleaved steps"
    table = Table("variant", title=title)
    for heading in ("median ms", "times faster", "saved MB", "share"):
        table.add_column(heading, justify="right")
    first = next(iter(times))
    baseline = statistics.median(times[first])
    for name, values in times.items():
        median = statistics.median(values)
        memory = (f"{saved[name] / 1e6:.0f}", f"{saved[name] / saved[first]:.3f}")
        table.add_row(name, f"{1000 * median:.0f}", f"{baseline / median:.2f}", *memory)
    console = Console()
    console.print(table)
    console.print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}, CPU")


if __name__ == "__main__":
    main()
