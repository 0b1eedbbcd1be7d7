"""How far the kernel model and the assembled tables are off, on public measurements of four phones.

Every family of networks is left out in turn. Needs the measurements (repository qed-usc/mobile-ml-benchmark,
folder 'dataset'): in $DNAS_DATA/mobile-gpu, or wherever --kernels says.

    python benchmarks/latency_model.py
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from latency.assembled.assembly import Assembly, Measurements, assemble
from latency.assembled.dataset import Dataset
from latency.assembled.kernel_model import MODELLED
from latency.assembled.settings import load_settings
from latency.assembled.validation import Figures, HeldOutKernel, calibrated_only
from latency.commands.progress import tracker


def main() -> None:
    arguments = _parser().parse_args()
    console = Console(highlight=False, width=120)
    dataset = Dataset.load()
    for device in arguments.devices or dataset.facts["devices"]:
        measurements = Measurements.read(dataset, device, _kernels_file(arguments.kernels))
        settings = load_settings(dataset.facts["name"], device)
        assembly = assemble(measurements, settings, tracker(console), retune=arguments.retune)
        facts = dataset.device(device)
        console.print(f"\n{facts['device']}, {facts['gpu']}: kernels, each family left out")
        console.print(_kernels(assembly))
        console.print("whole networks end to end, each family left out of kernel model and calibration")
        console.print(_networks(assembly, measurements))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kernels", metavar="FILE", help="tflite_cnn_ops_gpu.csv (default: in DNAS_DATA)")
    parser.add_argument("--devices", nargs="*", help="default: all")
    parser.add_argument(
        "--retune",
        action="store_true",
        help="tune the model anew for every family left out (half an hour a phone)",
    )
    return parser


def _kernels_file(given: str | None) -> Path:
    if given:
        return Path(given)
    if "DNAS_DATA" not in os.environ:
        raise SystemExit("Give --kernels FILE, or set DNAS_DATA to the folder that holds mobile-gpu/.")
    return Path(os.environ["DNAS_DATA"], "mobile-gpu", "tflite_cnn_ops_gpu.csv")


def _kernels(assembly: Assembly) -> Table:
    grid = Table(
        "kind",
        "families",
        "n",
        "predicted",
        "as in tables",
        "max",
        "within 1 sd",
        "2 sd",
        box=None,
        pad_edge=False,
    )
    for column in grid.columns[2:]:
        column.justify = "right"
    mbconv = assembly.dataset.facts["mbconv"]
    for kind in MODELLED:
        of_kind = [held for held in assembly.held_out_kernels if held.shape.kind == kind]
        _row(grid, kind, "all", of_kind)
        _row(grid, kind, "MBConv", [held for held in of_kind if held.family in mbconv])
    wide = [
        held for held in assembly.held_out_kernels if (held.shape.kind, held.shape.kernel) == ("depthwise", 7)
    ]
    _row(grid, "depthwise 7x7", "all", wide)
    _row(grid, "depthwise 7x7", "maps of 28 px and more", [held for held in wide if held.shape.size >= 28])
    return grid


def _row(grid: Table, kind: str, families: str, held: Sequence[HeldOutKernel]) -> None:
    if not held:
        return
    measured = [one.measured_us for one in held]
    alone = Figures.of([one.modelled_us for one in held], measured)
    built = Figures.of([one.built_us for one in held], measured)
    score = np.abs([np.log(one.measured_us / one.modelled_us) / one.error for one in held])
    inside = (f"{np.mean(score < 1):.0%}", f"{np.mean(score < 2):.0%}")
    errors = (f"{alone.mape:.1%}", f"{built.mape:.1%}", f"{alone.max_error:.0%}")
    grid.add_row(kind, families, str(len(held)), *errors, *inside)


def _networks(assembly: Assembly, measurements: Measurements) -> Table:
    grid = Table("", "n", "mean error", "max", "Kendall tau", box=None, pad_edge=False)
    for column in grid.columns[1:]:
        column.justify = "right"
    held = assembly.held_out_networks
    worst = max(held, key=lambda one: abs(one.predicted_ms / one.measured_ms - 1))
    others = [one for one in held if one != worst]
    families = sorted({one.family for one in held})
    rows = {
        "as a table predicts them": assembly.end_to_end,
        f"the same without the worst, {worst.name}": _figures(others),
        "from their own measured kernels (calibration alone left out)": _figures(
            [*calibrated_only(assembly.model, measurements.networks, families)]
        ),
        "from their own measured kernels, nothing left out": assembly.fitted,
    }
    for what, figures in rows.items():
        errors = (f"{figures.mape:.1%}", f"{figures.max_error:.1%}", f"{figures.kendall_tau:.3f}")
        grid.add_row(what, str(figures.n), *errors)
    calibration = assembly.calibration
    grid.caption = f"end to end = {calibration.offset_ms:.2f} ms + {calibration.slope:.3f} * sum of kernels"
    grid.caption_justify = "left"
    return grid


def _figures(held: Sequence) -> Figures:
    return Figures.of([one.predicted_ms for one in held], [one.measured_ms for one in held])


if __name__ == "__main__":
    main()
