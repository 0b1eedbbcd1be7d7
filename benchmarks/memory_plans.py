"""Memory of one supernet training step: estimated, and measured in a fresh process, for every plan.

    python benchmarks/memory_plans.py --resolution 32 --batch 64

Dense masks on the full-width MoGA space, SGD with momentum. Measured is the highest resident set (on a GPU:
what PyTorch's allocator handed out) of two steps, above that of the same process once its libraries are
warm. On a CPU large blocks must go back to the system when they are freed (MALLOC_MMAP_THRESHOLD_, glibc):
otherwise the C library's habits are measured.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import nn
from torch.nn import functional as F

from dnas import SearchSpace, Supernet
from dnas.layers.fused.checkpointing import PLANS
from dnas.memory import Rehearsal, Setting, plan_passes
from dnas.memory.rehearsal import MOMENTUM, PRECISIONS
from dnas.nn.sharing import SHARINGS
from dnas.search.gradient.masks import SoftGumbel


def main() -> None:
    options = _parser().parse_args()
    if options.measure:
        print(measured_here(*options.measure, options))
        return
    rows = []
    for sharing in SHARINGS:
        rehearsal = Rehearsal(make_setting(sharing, options))
        for plan in track(PLANS, sharing, transient=True):
            estimated = rehearsal.measure(options.batch, plan).peak
            rows.append((f"{sharing}, {plan}", estimated, measure(sharing, plan, options)))
    report(rows, options)


def measure(sharing: str, plan: str, options: argparse.Namespace) -> int:
    """Bytes of a step in a process of its own."""
    facts = ("layers", "resolution", "batch", "stem_stride", "precision", "device")
    flags = [f"--{name.replace('_', '-')}={getattr(options, name)}" for name in facts]
    done = subprocess.run(
        [sys.executable, __file__, *flags, "--measure", sharing, plan],
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(done.stdout)


def make_space(layers: int) -> SearchSpace:
    """The first layers of MoGA's space, with its stem and head."""
    definition = SearchSpace.load("moga").to_dict()
    return SearchSpace.from_dict(definition | {"layers": definition["layers"][:layers]})


def make_setting(sharing: str, options: argparse.Namespace) -> Setting:
    space = make_space(options.layers)
    return Setting(
        space,
        plan_passes(space, SoftGumbel(), SoftGumbel(), bilevel=False),
        sharing,
        resolution=options.resolution,
        precision=options.precision,
        device=options.device,
        num_classes=10,
        stem_stride=options.stem_stride,
    )


def measured_here(sharing: str, plan: str, options: argparse.Namespace) -> int:
    """Bytes that two steps take in this process, which must be fresh."""
    warm = _Steps(nn.Conv2d(3, 10, 3), 8, 8, options)
    warm.run(lambda model, images, mask: model(images).mean((2, 3)))
    before = _high_water(options.device)
    supernet = Supernet(
        make_space(options.layers),
        sharing,
        num_classes=10,
        stem_stride=options.stem_stride,
        checkpointing=plan,
    )
    steps = _Steps(supernet, options.batch, options.resolution, options)
    for _ in range(2):
        steps.run(lambda model, images, mask: model(images, mask))
    return _high_water(options.device) - before


class _Steps:
    """A model with its optimiser, images and mask."""

    def __init__(self, model: nn.Module, batch: int, resolution: int, options: argparse.Namespace) -> None:
        layout, device = torch.channels_last, options.device
        self.model = model.to(device, memory_format=layout)  # type: ignore[call-overload]
        self.images = torch.randn(batch, 3, resolution, resolution, device=device)
        self.images = self.images.contiguous(memory_format=layout)
        self.labels = torch.randint(10, (batch,), device=device)
        self.optimizer = MOMENTUM(model.parameters())
        self.mask = torch.full((options.layers, 12), 1 / 12, device=device, requires_grad=True)
        self.device, self.dtype = device, PRECISIONS[options.precision]

    def run(self, forward) -> None:  # type: ignore[no-untyped-def]
        with torch.autocast(self.device, dtype=self.dtype, enabled=self.dtype is not None):
            loss = F.cross_entropy(forward(self.model, self.images, self.mask).float(), self.labels)
            loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def _high_water(device: str) -> int:
    """The most bytes that this process has had, so far."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    return int(line.split()[1]) * 1024


def report(rows: list[tuple[str, int, int]], options: argparse.Namespace) -> None:
    title = f"{options.resolution} px, batch {options.batch}, {options.precision}"
    table = Table("plan", title=title)
    for heading in ("estimated MB", "measured MB", "estimated / measured"):
        table.add_column(heading, justify="right")
    for name, estimated, measured in rows:
        table.add_row(name, f"{estimated / 1e6:.0f}", f"{measured / 1e6:.0f}", f"{estimated / measured:.2f}")
    console = Console()
    console.print(table)
    console.print(f"torch {torch.__version__}, {options.device}, {platform.machine()}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--layers", type=int, default=14, help="the first ones of MoGA's space")
    parser.add_argument("--resolution", type=int, default=32, help="side of the images in pixels")
    parser.add_argument("--batch", type=int, default=64, help="images per step")
    parser.add_argument("--stem-stride", type=int, default=1, help="2 for images of 224 pixels")
    parser.add_argument("--precision", default="32-true", choices=PRECISIONS)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--measure", nargs=2, metavar=("SHARING", "PLAN"), help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
