"""Formats of exported files by network: difference from PyTorch, top-1 agreement, size and time here.

    OMP_NUM_THREADS=1 python benchmarks/export_matrix.py
    OMP_NUM_THREADS=1 python benchmarks/export_matrix.py --formats onnx,python --networks moga_a

Weights are random and images are noise, at the resolution of each network's space. A format whose packages
are missing is left out by name. Milliseconds are the median of single images after five to warm up, with as
many threads as the runtime takes: limit the process to one core to compare. For docs/export.md.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console

from dnas.export.checking import compare, random_images
from dnas.export.formats import FORMATS
from dnas.export.formats.base import Run
from dnas.export.source import of_architecture
from dnas.support.extras import require

NETWORKS = ("moga_a", "mobilenet_v3_large", "mobilenetv4_conv_small", "resnet50")
WARM_UP = 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--formats", default=",".join(FORMATS), help="with commas between them (all)")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="of the zoo, with commas")
    parser.add_argument("--images", type=int, default=16, help="to compare on (16)")
    parser.add_argument("--runs", type=int, default=30, help="single images to time (30)")
    options = parser.parse_args()
    console = Console(width=132)
    console.print("| network | format | largest difference | top-1 agreement | MB | ms |")
    console.print("|---|---|---|---|---|---|")
    for name in options.formats.split(","):
        if missing := require(FORMATS[name].packages, FORMATS[name].extra):
            console.print(f"{name} is left out: {missing[0]}", markup=False)
            continue
        for network in options.networks.split(","):
            console.print(row(network, name, options.images, options.runs), highlight=False)


def row(network: str, name: str, images: int, runs: int) -> str:
    """One line of the table."""
    source, form = of_architecture(network), FORMATS[name]
    channels, side = source.network.in_channels, source.resolution
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"model{form.suffix}")
        form.write(source.module, (1, channels, side, side), path, any_batch=False, facts=source.facts)
        run, noise = form.load(path), random_images(images, channels, side)
        found = compare(source.module, run, noise, 1, form.runtime)
        size = sum(each.stat().st_size for each in (path, *form.companions(path))) / 1e6
        ms = median_ms(run, noise[:1], runs)
    agreement = f"{found.agreeing} of {found.images}"
    return f"| {network} | {name} | {found.difference:.1e} | {agreement} | {size:.1f} | {ms:.1f} |"


@torch.no_grad()
def median_ms(run: Run, image: torch.Tensor, runs: int) -> float:
    """Of one image, in milliseconds."""
    times = []
    for _ in range(WARM_UP + runs):
        begin = time.perf_counter()
        run(image)
        times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(times[WARM_UP:])


if __name__ == "__main__":
    main()
