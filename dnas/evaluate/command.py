"""``python -m dnas.evaluate``: top-1 and top-5 of a checkpoint's network on a folder of images."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dnas import blocks
from dnas.evaluate.accuracy import accuracy, wilson_interval
from dnas.evaluate.images import MODES, Images
from dnas.runs import preprocessing_options
from dnas.runs.evaluator import Evaluation
from dnas.runs.normalisation import Normalisation
from dnas.runs.preprocessing import Preprocessing
from dnas.runs.trained import TrainedNetwork, read_network
from dnas.support.command import Command
from dnas.support.devices import DEVICES, device_problems, torch_device

DESCRIPTION = (
    "Top-1 and top-5 of a trained network on a folder of images, FOLDER/val/CLASS/*.jpg or "
    "FOLDER/CLASS/*.jpg; classes are numbered in the order of their names."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    blocks.add_option(parser)
    parser.add_argument(
        "--checkpoint", required=True, metavar="FILE", help="of 'dnas zoo load' or 'dnas fit'"
    )
    parser.add_argument(
        "--data", required=True, type=Path, metavar="FOLDER", help="images, a folder per class"
    )
    parser.add_argument("--batch", type=int, default=64, metavar="N", help="images at a time (default 64)")
    parser.add_argument(
        "--workers", type=int, default=2, metavar="N", help="processes that read images (default 2)"
    )
    parser.add_argument("--device", default="auto", metavar="DEVICE", help=", ".join(DEVICES))
    images = parser.add_argument_group(
        "preprocessing of images",
        "Default: the checkpoint's. That of 'dnas fit' knows resolution and normalisation only; then the "
        "square is cut from images whose shorter side is 256 / 224 of it, bilinear.",
    )
    preprocessing_options.add(images)
    images.add_argument(
        "--ignore-orientation", action="store_true", help="do not turn images as their EXIF tags say"
    )


def run(options: argparse.Namespace, console: Console) -> Evaluation:
    """Read, evaluate, print.

    Raises:
        ValueError: unusable options or checkpoint; no images, damaged ones, or of other classes.
    """
    _check_options(options)
    trained = read_network(options.checkpoint)
    preprocessing = _preprocessing(trained, options)
    classes = trained.network.classifier.out_features
    images = Images(options.data, preprocessing, classes, not options.ignore_orientation)
    if left_out := images.left_out.sentence():
        console.print(
            f"Left out of {images.folder}: {left_out}", highlight=False, markup=False, soft_wrap=True
        )
    network = trained.network.to(torch_device(options.device))
    with _progress(len(images)) as advance:
        found = accuracy(
            network, images, classes, batch=options.batch, workers=options.workers, advance=advance
        )
    for line in (
        f"{Path(options.checkpoint).name}, sha256 {trained.sha256}",
        f"{found.images:,} images of {classes:,} classes in {images.folder}",
        f"Preprocessing: {preprocessing}",
        _sentence(found, classes),
    ):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return found


def _sentence(found: Evaluation, classes: int) -> str:
    interval = wilson_interval(found.top1, found.images)
    top1, low, high, top5 = (f"{100 * share:.2f}" for share in (found.top1, *interval, found.top5))
    return (
        f"Top-1 {top1} % (95 % interval {low} to {high} %), top-{min(5, classes)} {top5} %, "
        f"cross-entropy {found.loss:.4f}"
    )


def _check_options(options: argparse.Namespace) -> None:
    least = {"batch": 1, "workers": 0}
    problems = [
        f"--{name} must be {low} or more, got {getattr(options, name)}"
        for name, low in least.items()
        if getattr(options, name) < low
    ]
    problems += device_problems(options.device)
    if problems:
        raise ValueError(f"{'; '.join(problems)}.")


def _preprocessing(trained: TrainedNetwork, options: argparse.Namespace) -> Preprocessing:
    """The checkpoint's, with what the options replace."""
    given, channels = preprocessing_options.given(options), trained.network.in_channels
    found = replace(trained.preprocessing or _as_trained(trained, given), **given)
    if channels not in MODES:
        raise ValueError(f"The network takes {channels} channels; image files have 1 or 3.")
    if len(found.mean) != channels:
        raise ValueError(
            f"--mean and --std need a number for each channel, {channels}, got {len(found.mean)}."
        )
    return found


def _as_trained(trained: TrainedNetwork, given: dict[str, Any]) -> Preprocessing:
    """As our own training on folders of images evaluates, as far as the checkpoint of one says."""
    facts: dict[str, Any] = {"crop": trained.resolution}
    facts |= trained.normalisation._asdict() if trained.normalisation else {"mean": None, "std": None}
    facts |= {name: given[name] for name in facts if name in given}
    if missing := [f"--{name}" for name, value in facts.items() if value is None]:
        raise ValueError(
            f"The checkpoint does not say how images are preprocessed. Give {', '.join(missing)}."
        )
    return Preprocessing.usual(facts["crop"], Normalisation(facts["mean"], facts["std"]))


@contextmanager
def _progress(images: int) -> Iterator[Callable[[int], object]]:
    """A bar of the images seen."""
    columns = TextColumn("Evaluating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("Evaluating", total=images)
        yield lambda seen: bar.advance(line, seen)


main = Command("dnas evaluate", DESCRIPTION, add_arguments, run)
