"""``python -m dnas.export``: a network as a file for another runtime, which computes what PyTorch does."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from torch import Tensor

from dnas import blocks
from dnas.export import naming, source
from dnas.export.checking import Comparison, compare, random_images
from dnas.export.formats import FORMATS
from dnas.export.formats.base import Format
from dnas.export.images import real_images
from dnas.export.source import Source
from dnas.runs.datamodules import DataUnavailable
from dnas.support import files
from dnas.support.command import Command
from dnas.support.extras import require

INPUTS = ("normalised", "unit")
# Random images of a comparison; a larger batch is compared once.
RANDOM_IMAGES = 16

DESCRIPTION = (
    "Write a network as a file for another runtime: trained (--checkpoint), or with random weights to "
    "measure its latency (--architecture). The file is run in that runtime and kept only if it "
    "computes what PyTorch does."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    blocks.add_option(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--checkpoint", metavar="FILE", help="of 'dnas fit --config digits/train.yaml'")
    source.add_argument("--architecture", metavar="NAME|FILE", help="moga_a, or an architecture file")
    parser.add_argument(
        "--format",
        default="onnx",
        metavar="NAMES",
        help=f"{', '.join(FORMATS)}; several with commas, or {naming.ALL} that can run here (default onnx)",
    )
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="FILE",
        help="model.onnx; of several formats what their names have in common, model",
    )
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


def run(options: argparse.Namespace, console: Console) -> list[Path]:
    """Build, write, compare and print.

    Returns:
        The file of every format.

    Raises:
        ValueError: unusable options, checkpoint or architecture, or packages that are not installed.
        FileExistsError: a file is there already.
        ArithmeticError: a runtime computes something else than PyTorch.
    """
    formats = _check_options(options)
    names = naming.paths(options.output, formats)
    written = naming.files_of(names)
    naming.check_free(written, overwrite=options.overwrite)
    exported = _load(options)
    # The exporter takes a batch of 1 for a constant.
    batch = max(2, options.batch) if options.any_batch else options.batch
    shape = (batch, exported.network.in_channels, exported.resolution, exported.resolution)
    images, note = _images(exported, batch)
    output: Path = options.output
    output.parent.mkdir(parents=True, exist_ok=True)
    found = {}
    # Beside the output, so that what was compared takes its place in one step.
    with files.naming(output), TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
        for each in formats:
            path = Path(folder, names[each.name].name)
            with Console(stderr=True).status(f"Exporting, and comparing with {each.runtime}"):
                each.write(exported.module, shape, path, any_batch=options.any_batch, facts=exported.facts)
                run_file = each.load(path)
                found[each.name] = {
                    kind: compare(exported.module, run_file, some, batch, each.runtime)
                    for kind, some in images.items()
                }
        naming.publish(Path(folder), written)
    _print(console, exported, shape, options, names, found, note)
    return list(names.values())


def _check_options(options: argparse.Namespace) -> list[Format]:
    missing = {name: require(each.packages, each.extra) for name, each in FORMATS.items()}
    problems = [
        f"--{name} must be 1 or more, got {value}"
        for name in ("resolution", "batch")
        if (value := getattr(options, name)) is not None and value < 1
    ]
    formats = naming.chosen(options.format, [name for name, problem in missing.items() if problem])
    problems += dict.fromkeys(problem for each in formats for problem in missing[each.name])
    if problems:
        raise ValueError("; ".join(problems))
    return formats


def _load(options: argparse.Namespace) -> Source:
    unit = options.input == "unit"
    if options.checkpoint:
        return source.of_checkpoint(options.checkpoint, options.resolution, unit=unit)
    return source.of_architecture(options.architecture, options.resolution, unit=unit)


def _images(exported: Source, batch: int) -> tuple[dict[str, Tensor], str]:
    """Images to compare on by kind, and why none of them is real; empty where some are."""
    channels, resolution = exported.network.in_channels, exported.resolution
    images = {"random": random_images(max(RANDOM_IMAGES, batch), channels, resolution)}
    try:
        images["validation"] = exported.given(real_images(exported.data, channels, resolution))
    except DataUnavailable as reason:
        return images, f"Compared on random images only: {reason}."
    return images, ""


def _print(
    console: Console,
    exported: Source,
    shape: Sequence[int],
    options: argparse.Namespace,
    names: dict[str, Path],
    found: dict[str, dict[str, Comparison]],
    note: str,
) -> None:
    network = exported.network
    params = sum(each.numel() for each in network.parameters())
    batch = "any" if options.any_batch else shape[0]
    lines = [
        f"{network.arch}",
        f"{params:,} parameters; images ({batch}, {', '.join(map(str, shape[1:]))}) float32, "
        f"{exported.takes} -> logits ({batch}, {network.classifier.out_features})",
    ]
    for name, path in names.items():
        size = sum(each.stat().st_size for each in (path, *FORMATS[name].companions(path))) / 1e6
        difference = max(each.difference for each in found[name].values())
        agreements = (f"{each.agreeing} of {each.images} {kind}" for kind, each in found[name].items())
        lines.append(
            f"{FORMATS[name].runtime} and PyTorch differ by at most {difference:.1e} of the largest logit; "
            f"top-1 agreement {', '.join(agreements)} images."
        )
        lines.append(f"Wrote {', '.join(map(str, naming.files_of({name: path})))} ({size:.1f} MB)")
    if options.checkpoint and note:
        lines.append(note)
    if not options.checkpoint:
        lines.append("Weights are random: measure the latency of the file, nothing else.")
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


main = Command("dnas export", DESCRIPTION, add_arguments, run)
