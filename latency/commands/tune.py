"""Find the settings of the kernel model on public measurements: those of the largest marginal likelihood.

`latency build` uses the settings that ship, so that tables are rebuilt byte for byte; this command made them.
"""

from __future__ import annotations

import argparse

from rich.console import Console

from dnas.support.files import write_text
from latency.commands.terminal import tracker
from latency.sources.assembled.assembly import Measurements, tuned
from latency.sources.assembled.dataset import Dataset
from latency.sources.assembled.settings import render


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The measurements, and the file to write."""
    parser.add_argument("--kernels", metavar="FILE", required=True, help="tflite_cnn_ops_gpu.csv")
    parser.add_argument("--output", metavar="FILE", required=True, help="the .yaml file to write")


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Tune every kind of kernel on every device (some minutes)."""
    dataset = Dataset.load()
    devices = list(dataset.facts["devices"])
    settings = {
        device: tuned(Measurements.read(dataset, device, arguments.kernels))
        for device in tracker(console)(devices, "tuning")
    }
    tool = f"python -m latency tune --kernels {dataset.facts['kernels_file']}"
    write_text(arguments.output, render(dataset.facts["name"], settings, tool))
    console.print(f"wrote {arguments.output}", soft_wrap=True)
