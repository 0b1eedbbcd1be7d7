"""Find the settings of the kernel model on public measurements: those of the largest marginal likelihood.

`latency build` uses the settings that ship, so that tables are rebuilt byte for byte; this command made them.
With --kind it tunes one kind and keeps the shipped settings of all others.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection

from rich.console import Console

from dnas.support.files import write_text
from latency.commands.terminal import tracker
from latency.sources.assembled.assembly import Measurements, tuned
from latency.sources.assembled.dataset import Dataset
from latency.sources.assembled.kernel_model import MODELLED
from latency.sources.assembled.kind_model import Settings
from latency.sources.assembled.settings import load_settings, render


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The measurements, and the file to write."""
    parser.add_argument("--kernels", metavar="FILE", required=True, help="tflite_cnn_ops_gpu.csv")
    parser.add_argument("--kind", choices=MODELLED, help="tune this kind alone (default: all)")
    parser.add_argument("--output", metavar="FILE", required=True, help="the .yaml file to write")


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Tune every kind of kernel, or one, on every device (some minutes)."""
    dataset = Dataset.load()
    kinds = [arguments.kind] if arguments.kind else MODELLED
    devices = list(dataset.facts["devices"])
    settings = {}
    for device in tracker(console)(devices, "tuning"):
        found = tuned(Measurements.read(dataset, device, arguments.kernels), kinds)
        settings[device] = _in_order(_kept(dataset, device, kinds) | found)
    tool = f"python -m latency tune --kernels {dataset.facts['kernels_file']}"
    write_text(arguments.output, render(dataset.facts["name"], settings, tool))
    console.print(f"wrote {arguments.output}", soft_wrap=True)


def _kept(dataset: Dataset, device: str, tuned_kinds: Collection[str]) -> dict[str, Settings]:
    """The shipped settings of all other kinds."""
    shipped = load_settings(dataset.facts["name"], device) or {}
    return {kind: settings for kind, settings in shipped.items() if kind not in tuned_kinds}


def _in_order(settings: dict[str, Settings]) -> dict[str, Settings]:
    return {kind: settings[kind] for kind in MODELLED if kind in settings}
