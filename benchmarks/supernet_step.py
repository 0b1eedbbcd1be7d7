"""Time and memory of one supernet training step (forward, backward, update), variants interleaved in one run.

    python benchmarks/supernet_step.py --resolution 32 --batch 64
    python benchmarks/supernet_step.py --resolution 224 --batch 4 --stem-stride 2
    python benchmarks/supernet_step.py --device cuda --precision bf16 --resolution 32 --batch 256

The ratio is to the plain loop: stock modules, twelve independent blocks per layer one after the other, maps
in NCHW, as published FBNet code has it. Medians. "kept" are the bytes that autograd keeps of a forward pass,
"in use" the most that tensors take at any moment of a step: parameters, gradients, optimiser, maps.
"first" is the very first step, with all that is compiled, captured or tried out in it.
On a GPU dense steps are also replayed as CUDA graphs, and --compile adds compiled layers. A GPU's float32 is
fp32 (exact products) or tf32 (convolutions and products rounded to 10 bits), for all variants alike.
The share of the peak counts the multiply-adds that a step needs (three times those of its forward pass,
nothing that is computed again) against what a large matrix product reaches on the same machine.
"""

from __future__ import annotations

import argparse
import gc
import math
import platform
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from plain_loop import PlainLoop
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD

from dnas import Network, SearchSpace, Supernet
from dnas.costs import count
from dnas.memory.rehearsal import LiveBytes
from dnas.search.gradient.masks import MaskStrategy, SoftGumbel, StrictlyFair, TwoPath, UniformPath
from dnas.space import zoo

# Arithmetic, not a measurement: images of 100 classes of ImageNet (about), epochs, GPU-hours of the paper.
FBNET_IMAGES, FBNET_EPOCHS, FBNET_HOURS = 100 * 1281, 90, 216
# Of the table, where the output is no terminal.
WIDTH = 130
DTYPES = {"fp32": None, "tf32": None, "bf16": torch.bfloat16}
Draw = Callable[[int], list[tuple[Any, ...]]]
Step = Callable[[int], None]


@dataclass(frozen=True)
class Variant:
    """A model, the arguments of its passes in a step, its layout, and the paths that a step computes."""

    model: nn.Module
    draw: Draw
    madds: float
    layout: torch.memory_format = torch.channels_last
    compiled: bool = False
    captured: bool = False


class PlainSupernet(Supernet):
    """The supernet with plain loops for layers."""

    def __init__(self, space: SearchSpace, **facts: Any) -> None:
        super().__init__(space, "independent", **facts)
        self.blocks = nn.ModuleList(PlainLoop(block.layer) for block in self.mixed_blocks())


def main() -> None:
    options = parser().parse_args()
    if options.capture_plain and options.device == "cpu":
        parser().error("--capture-plain needs --device cuda: CUDA graphs are of a GPU")
    device = torch.device(options.device)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.precision == "tf32"
    variants = selected(make_variants(SearchSpace.load("moga"), options), options.only)
    images = torch.randn(options.batch, 3, options.resolution, options.resolution, device=device)
    labels = torch.randint(10, (options.batch,), device=device)
    optimizers = {
        name: SGD(each.model.parameters(), lr=0.01, momentum=0.9) for name, each in variants.items()
    }
    steps = {
        name: make_step(variant, optimizers[name], images, labels, options)
        for name, variant in variants.items()
    }
    times = timed_in_turn(steps, device, options)
    kept = {
        # What graphs keep is not autograd's.
        name: kept_bytes(variant, images, options)
        for name, variant in variants.items()
        if not variant.captured
    }
    used = {
        # On a CPU nobody sees what compiled code allocates.
        name: used_bytes(each, optimizers[name], steps[name], device)
        for name, each in variants.items()
        if device.type == "cuda" or not each.compiled
    }
    report(variants, times, kept, used, gemm_peak(device, options), options)


def timed_in_turn(
    steps: dict[str, Step], device: torch.device, options: argparse.Namespace
) -> dict[str, list[float]]:
    """Seconds of each variant's steps, those of the warm-up too."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    started = time.perf_counter()
    for index in track(range(options.warmup + options.steps), "Timing", transient=True):
        if index > options.warmup and time.perf_counter() - started > options.seconds:
            break
        for name, step in steps.items():
            times[name].append(timed(lambda step=step, index=index: step(index), device))
    return times


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    result.add_argument(
        "--precision", choices=sorted(DTYPES), default="fp32", help="bf16: autocast; tf32: on a GPU"
    )
    result.add_argument("--resolution", type=int, default=32, help="side of the images in pixels")
    result.add_argument("--batch", type=int, default=64, help="images per step")
    result.add_argument("--stem-stride", type=int, default=1, help="2 for images of 224 pixels")
    result.add_argument("--compile", action="store_true", help="also dense steps in layers of torch.compile")
    result.add_argument("--capture-plain", action="store_true", help="also the plain loop as CUDA graphs")
    result.add_argument(
        "--only",
        nargs="+",
        metavar="TEXT",
        help="variants with one of these in their names, and the plain loop",
    )
    result.add_argument("--steps", type=int, default=7, help="timed steps of every variant")
    result.add_argument("--warmup", type=int, default=2, help="steps of every variant before those")
    result.add_argument(
        "--seconds", type=float, default=math.inf, help="after so many, go on with what was timed"
    )
    return result


def make_variants(space: SearchSpace, options: argparse.Namespace) -> dict[str, Variant]:
    """The plain loop first: the ratios are to it."""
    facts = {"num_classes": 10, "stem_stride": options.stem_stride}
    device, arch = torch.device(options.device), zoo.load("moga_a")
    costs = count(space.adapt(resolution=options.resolution, **facts))
    dense = float(costs.madds.sum() + costs.fixed_madds)
    mean = float(costs.madds.mean(1).sum() + costs.fixed_madds)
    path = float(costs.madds[range(len(space)), arch.indices].sum() + costs.fixed_madds)

    def masked(model: nn.Module, strategy: MaskStrategy, madds: float, **more: Any) -> Variant:
        return Variant(model.to(device), drawn(strategy, space, device), madds, **more)

    loop = PlainSupernet(space, **facts)
    variants = {"plain loop, NCHW": masked(loop, SoftGumbel(), dense, layout=torch.contiguous_format)}
    chosen = torch.tensor(arch.indices)
    if options.capture_plain:
        loop = PlainSupernet(space, **facts)
        loop.capture_layers()
        variants["plain loop, CUDA graphs"] = masked(
            loop, SoftGumbel(), dense, layout=torch.contiguous_format, captured=True
        )
    for sharing in ("independent", "entangled"):
        for plan in ("none", "choice", "block"):
            model = Supernet(space, sharing, checkpointing=plan, **facts)
            variants[f"{sharing}, dense, {plan}"] = masked(model, SoftGumbel(), dense)
        for compiled, captured in product([False, True][: 1 + options.compile], [False, True]):
            if (not compiled and not captured) or (captured and device.type == "cpu"):
                continue
            model = Supernet(space, sharing, **facts)
            if compiled:
                model.compile_layers()
            if captured:
                model.capture_layers()
            means = " and ".join(["compiled"] * compiled + ["CUDA graphs"] * captured)
            how = {"compiled": compiled, "captured": captured}
            variants[f"{sharing}, dense, {means}"] = masked(model, SoftGumbel(), dense, **how)
        model = Supernet(space, sharing, **facts)
        variants[f"{sharing}, two paths"] = masked(model, TwoPath(), 2 * mean)
        variants[f"{sharing}, one path"] = masked(model, UniformPath(), mean)
        variants[f"{sharing}, fair"] = masked(model, StrictlyFair(), 12 * mean)
        variants[f"{sharing}, MoGA-A's path"] = Variant(model, lambda index: [(chosen,)], path)
    network = Network(arch, **facts).to(device)
    return variants | {"plain network, MoGA-A": Variant(network, lambda index: [()], path)}


def selected(variants: dict[str, Variant], texts: list[str] | None) -> dict[str, Variant]:
    names = [name for name in variants if texts is None or any(text in name for text in texts)]
    return {name: variants[name] for name in dict.fromkeys([next(iter(variants)), *names])}


def drawn(strategy: MaskStrategy, space: SearchSpace, device: torch.device) -> Draw:
    alpha = torch.zeros(len(space), space.max_choices, device=device, requires_grad=strategy.trains_alpha)

    def draw(index: int) -> list[tuple[Any, ...]]:
        generator = torch.Generator().manual_seed(index)
        return [tuple(sample) for sample in strategy.draw(alpha, tau=1.0, generator=generator)]

    return draw


def precision(options: argparse.Namespace) -> AbstractContextManager[Any]:
    dtype = DTYPES[options.precision]
    return nullcontext() if dtype is None else torch.autocast(options.device, dtype=dtype)


def make_step(
    variant: Variant, optimizer: SGD, images: Tensor, labels: Tensor, options: argparse.Namespace
) -> Step:
    model = variant.model.to(memory_format=variant.layout)  # type: ignore[call-overload]
    images = images.contiguous(memory_format=variant.layout)

    def step(index: int) -> None:
        for arguments in variant.draw(index):
            with precision(options):
                loss = F.cross_entropy(model(images, *arguments).float(), labels)
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def timed(step: Callable[[], None], device: torch.device) -> float:
    """Seconds of one step, with all that it has set going on the device."""
    finish = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    finish()
    started = time.perf_counter()
    step()
    finish()
    return time.perf_counter() - started


def kept_bytes(variant: Variant, images: Tensor, options: argparse.Namespace) -> int:
    """Bytes of the distinct storages that autograd keeps of one forward pass, parameters not counted."""
    own = {parameter.untyped_storage().data_ptr() for parameter in variant.model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), precision(options):
        output = variant.model(images.contiguous(memory_format=variant.layout), *variant.draw(0)[0])
    assert output.grad_fn is not None  # alive until here, so no storage was counted, freed and counted again
    return sum(kept.values())


def used_bytes(variant: Variant, optimizer: SGD, step: Step, device: torch.device) -> int:
    """The most bytes that the variant's tensors take at any moment of a step."""
    model = variant.model
    state = [each for group in optimizer.state.values() for each in group.values() if torch.is_tensor(each)]
    resident = [*model.parameters(), *model.buffers(), *state]
    if variant.captured:
        assert isinstance(model, Supernet)
        # Graphs keep their memory, out of which they are replayed: it is what capturing them anew takes.
        model.capture_layers()
        before = reserved_bytes()
        step(0)
        return reserved_bytes() - before + sum(each.nbytes for each in resident)
    if device.type == "cuda":
        # The other variants are there too: what counts is by how much this step rises above them.
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        step(0)
        risen = torch.cuda.max_memory_allocated(device) - before
        return risen + sum(each.nbytes for each in resident)
    with LiveBytes() as live:
        for tensor in resident:
            live.add(tensor)
        step(0)
    return live.peak


def reserved_bytes() -> int:
    gc.collect()
    torch.cuda.empty_cache()
    return torch.cuda.memory_reserved()


def gemm_peak(device: torch.device, options: argparse.Namespace) -> float:
    """Multiply-adds per second of a large matrix product in the benchmark's precision."""
    size = 2048 if device.type == "cpu" else 8192
    matrix = torch.randn(size, size, device=device, dtype=DTYPES[options.precision])
    seconds = min(timed(lambda: matrix @ matrix, device) for _ in range(10))
    return size**3 / seconds


def report(
    variants: dict[str, Variant],
    times: dict[str, list[float]],
    kept: dict[str, int],
    used: dict[str, int],
    peak: float,
    options: argparse.Namespace,
) -> None:
    size = f"{options.resolution} px, batch {options.batch}, {options.precision}"
    first = next(iter(times))
    table = Table("variant", title=f"{size}, {len(times[first]) - options.warmup} interleaved steps")
    headings = ("first s", "median ms", "times faster", "kept MB", "share", "in use MB", "of the peak")
    for heading in headings:
        table.add_column(heading, justify="right")
    medians = {name: statistics.median(values[options.warmup :]) for name, values in times.items()}
    for name, median in medians.items():
        useful = 3 * variants[name].madds * options.batch / median / peak
        speed = (f"{times[name][0]:.1f}", f"{1000 * median:.0f}", f"{medians[first] / median:.2f}")
        memory = (
            f"{kept[name] / 1e6:.0f}" if name in kept else "",
            f"{kept[name] / kept[first]:.3f}" if name in kept else "",
            f"{used[name] / 1e6:.0f}" if name in used else "",
        )
        table.add_row(name, *speed, *memory, f"{100 * useful:.1f} %")
    console = Console(width=max(WIDTH, Console().width))
    console.print(table)
    machine = f"torch {torch.__version__}, {where(options)}"
    console.print(f"{machine}; a large matrix product reaches {2 * peak / 1e9:.0f} GFLOP/s")
    dense = [medians[name] for name in medians if name.startswith("independent, dense")]
    if options.resolution == 224 and dense:
        seconds = min(dense)
        speed, hours = options.batch / seconds, fbnet_hours(seconds, options)
        console.print(
            f"FBNet's protocol (100 classes, {FBNET_EPOCHS} epochs), fastest dense step: {speed:.0f} "
            f"images/s, {hours:.0f} hours of this device. The paper says {FBNET_HOURS} GPU-hours, on other "
            "hardware and in another space."
        )


def where(options: argparse.Namespace) -> str:
    if options.device == "cuda":
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} threads, {platform.machine()} CPU"


def fbnet_hours(seconds: float, options: argparse.Namespace) -> float:
    return FBNET_IMAGES * FBNET_EPOCHS / options.batch * seconds / 3600


if __name__ == "__main__":
    main()
