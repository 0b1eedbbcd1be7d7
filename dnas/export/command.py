"""``python -m dnas.export``: a network as an ONNX file that computes what PyTorch does."""

from __future__ import annotations

import argparse
import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console
from torch import nn

from dnas import blocks
from dnas.layers.layers import fold_norms
from dnas.nn.network import Network
from dnas.nn.onnx_file import PACKAGES, run_onnx, write_onnx
from dnas.runs.normalisation import Normalise
from dnas.runs.trained import read_network
from dnas.space import zoo
from dnas.support.command import Command
from dnas.support.extras import require
from dnas.support.files import naming

# Of the largest logit: float32 sums in another order stay far below, another network does not.
TOLERANCE = 1e-3
INPUTS = ("normalised", "unit")


@dataclass(frozen=True)
class Source:
    """What is exported.

    network: in evaluation mode.
    module: what the file computes, the network or more.
    resolution: side of its images.
    takes: what is said of the images.
    weights: what is said of their origin.
    """

    network: Network
    module: nn.Module
    resolution: int
    takes: str
    weights: str

    @property
    def facts(self) -> dict[str, str]:
        """The file's metadata."""
        space = self.network.arch.space
        return {
            "architecture": str(self.network.arch),
            "space": f"{space.name} {space.digest}",
            "weights": self.weights,
            "input": self.takes,
        }


DESCRIPTION = (
    "Write a network as an ONNX file: trained (--checkpoint), or with random weights to "
    "measure its latency (--architecture). The file is run with ONNX Runtime and kept only if that "
    "computes what PyTorch does."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    blocks.add_option(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--checkpoint", metavar="FILE", help="of 'dnas fit --config digits/train.yaml'")
    source.add_argument("--architecture", metavar="NAME|FILE", help="moga_a, or an architecture file")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="model.onnx")
    parser.add_argument(
        "--resolution",
        type=int,
        metavar="PX",
        help="side of images (default: as trained, or as deployed)",
    )
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="images at a time (default 1)")
    parser.add_argument("--any-batch", action="store_true", help="leave the number of images open")
    parser.add_argument(
        "--input",
        choices=INPUTS,
        default=INPUTS[0],
        help="what the file takes: images normalised as in training (default), or 'unit', pixels in [0, 1], "
        "which the file then normalises itself",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier file")


def run(options: argparse.Namespace, console: Console) -> Path:
    """Build, write, compare and print.

    Raises:
        ValueError: unusable options, checkpoint or architecture, or packages that are not installed.
        FileExistsError: the file is there already.
        ArithmeticError: ONNX Runtime computes something else than PyTorch.
    """
    output: Path = options.output
    _check_options(options)
    source = _load(options)
    # The exporter takes a batch of 1 for a constant.
    batch = max(2, options.batch) if options.any_batch else options.batch
    shape = (batch, source.network.in_channels, source.resolution, source.resolution)
    # The exporter of PyTorch 2.6 knows no batch norms.
    folded = copy.deepcopy(source.module)
    fold_norms(folded)
    output.parent.mkdir(parents=True, exist_ok=True)
    # Beside the output, so that what was compared takes its place in one step.
    with naming(output), TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
        unchecked = Path(folder) / output.name
        with Console(stderr=True).status("Exporting, and comparing with ONNX Runtime"):
            write_onnx(folded, shape, unchecked, any_batch=options.any_batch, facts=source.facts)
            difference = _difference(source.module, shape, unchecked)
        os.replace(unchecked, output)
    _print(console, source, shape, options, difference)
    return output


def _check_options(options: argparse.Namespace) -> None:
    problems = [
        f"--{name} must be 1 or more, got {value}"
        for name in ("resolution", "batch")
        if (value := getattr(options, name)) is not None and value < 1
    ]
    problems += require(PACKAGES, "onnx")
    if problems:
        raise ValueError("; ".join(problems))
    if options.output.is_dir():
        raise IsADirectoryError(f"--output {options.output} is a folder: give a file to write, model.onnx.")
    if options.output.exists() and not options.overwrite:
        raise FileExistsError(
            f"{options.output} is there already. Choose another --output, or add --overwrite."
        )


def _load(options: argparse.Namespace) -> Source:
    normalisation = None
    if options.checkpoint:
        trained = read_network(options.checkpoint)
        network, resolution, normalisation = trained.network, trained.resolution, trained.normalisation
        weights = f"checkpoint {Path(options.checkpoint).name}, sha256 {trained.sha256}"
    else:
        network, resolution, weights = _random_network(options.architecture), None, "random, not trained"
    module: nn.Module = network
    takes = "normalised as in training" if normalisation is None else f"normalised: {normalisation}"
    if options.input == "unit":
        if normalisation is None:
            raise ValueError(
                "--input unit needs to know how images are normalised, which "
                f"{options.checkpoint or 'an architecture'} does not say. Leave it out."
            )
        module, takes = nn.Sequential(Normalise(normalisation), network), "pixels in [0, 1]"
    module.requires_grad_(False)
    resolution = options.resolution or resolution or network.arch.space.resolution
    return Source(network, module, resolution, takes, weights)


def _random_network(architecture: str) -> Network:
    """The same weights each time, so that the same command writes the same file."""
    arch = zoo.load_architecture(architecture)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Network(arch).eval()


def _difference(module: nn.Module, shape: Sequence[int], path: Path) -> float:
    """The largest difference of a logit between ONNX Runtime and PyTorch, relative to the largest logit."""
    images = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    expected, found = module(images), run_onnx(path, images)
    difference = float((found - expected).abs().max() / expected.abs().max())
    if not difference <= TOLERANCE:
        raise ArithmeticError(
            f"ONNX Runtime's logits differ from PyTorch's by up to {difference:.1e} of the largest, more "
            f"than {TOLERANCE:g}: nothing was written. Weights that are not finite do that; so would a fault "
            "in the exporter of this PyTorch, which another version may not have."
        )
    return difference


def _print(
    console: Console, source: Source, shape: Sequence[int], options: argparse.Namespace, difference: float
) -> None:
    network = source.network
    params = sum(each.numel() for each in network.parameters())
    size = options.output.stat().st_size / 1e6
    batch = "any" if options.any_batch else shape[0]
    lines = [
        f"{network.arch}",
        f"{params:,} parameters, {size:.1f} MB; images ({batch}, {', '.join(map(str, shape[1:]))}) float32, "
        f"{source.takes} -> logits ({batch}, {network.classifier.out_features})",
        f"ONNX Runtime and PyTorch differ by at most {difference:.1e} of the largest logit.",
    ]
    if not options.checkpoint:
        lines.append("Weights are random: measure its latency with it, nothing else.")
    lines.append(f"Wrote {options.output}")
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


main = Command("dnas export", DESCRIPTION, add_arguments, run)
