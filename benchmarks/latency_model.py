"""How far the kernel model and the assembled tables are off, on public measurements of four phones.

Every family of networks is left out in turn. Needs the measurements (repository qed-usc/mobile-ml-benchmark,
folder 'dataset'): in $DNAS_DATA/mobile-gpu, or wherever --kernels says.

    python benchmarks/latency_model.py
    python benchmarks/latency_model.py --noise-limit   # what these measurements let any model reach
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import kendalltau

from latency.commands.terminal import tracker
from latency.sources.assembled.assembly import Assembly, Measurements, assemble
from latency.sources.assembled.dataset import Dataset
from latency.sources.assembled.kernel_model import MODELLED
from latency.sources.assembled.settings import load_settings
from latency.sources.assembled.validation import Figures, HeldOutKernel, calibrated_only

# Least number of runs of TensorFlow Lite's benchmark tool; the data does not say how many were made.
RUNS = 50


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
        if arguments.noise_limit:
            console.print(_repeated_kernels(assembly))
            console.print(
                _noise_limit(assembly, measurements, _deviations(arguments.kernels, dataset, device))
            )


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
    parser.add_argument(
        "--noise-limit",
        action="store_true",
        help="also: how far the measurements themselves repeat, in kernels and in the order of networks",
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


def _deviations(given: str | None, dataset: Dataset, device: str) -> dict[str, float]:
    """Network -> standard deviation of one run end to end, in milliseconds."""
    path = _kernels_file(given).with_name(dataset.facts["networks_file"])
    with path.open(encoding="utf-8", newline="") as stream:
        return {row["model"]: float(row[f"{device}|gpu|float|std"]) / 1e3 for row in csv.DictReader(stream)}


def _repeated_kernels(assembly: Assembly) -> Table:
    """Kernels of several families: another family's measurement is the best that any model could say."""
    grid = Table("kernels", "n", "another family's measurement", "model", box=None, pad_edge=False)
    for kind in ("pointwise", "depthwise"):
        of_kind = [held for held in assembly.held_out_kernels if held.shape.kind == kind]
        repeated = [held for held in of_kind if held.built_us != held.modelled_us]
        others = [held for held in of_kind if held.built_us == held.modelled_us]
        for which, held in (("of several families", repeated), ("of one family", others)):
            measured = [one.measured_us for one in held]
            model = f"{Figures.of([one.modelled_us for one in held], measured).mape:.1%}"
            looked_up = f"{Figures.of([one.built_us for one in held], measured).mape:.1%}"
            grid.add_row(f"{kind} {which}", str(len(held)), looked_up if held is repeated else "", model)
    return grid


def _noise_limit(assembly: Assembly, measurements: Measurements, deviation: dict[str, float]) -> Table:
    """The order of networks: pairs that one run cannot tell apart, and Kendall tau of measuring again."""
    names = [network.name for network in measurements.networks]
    measured = np.array([network.end_to_end_ms for network in measurements.networks])
    spread = np.array([deviation[name] for name in names])
    predicted = {one.name: one.predicted_ms for one in assembly.held_out_networks}
    first, second = np.triu_indices(len(names), 1)
    apart = np.abs(measured[first] - measured[second]) / np.hypot(spread[first], spread[second])
    said = np.array([predicted[name] for name in names])
    inverted = (measured[first] - measured[second]) * (said[first] - said[second]) < 0
    grid = Table("order of networks", "", box=None, pad_edge=False)
    grid.add_row("pairs; less than one standard deviation apart", f"{len(apart)}; {(apart < 1).sum()}")
    grid.add_row("pairs in the wrong order; of these", f"{inverted.sum()}; {(apart[inverted] < 1).sum()}")
    grid.add_row("standard deviation of a run, median", f"{np.median(spread / measured):.1%}")
    for runs in (1, RUNS):
        taus = _repeated(measured, spread / runs**0.5)
        low = np.quantile(taus, 0.05)
        grid.add_row(
            f"Kendall tau of means of {runs} run(s), measured again", f"{taus.mean():.3f} (5 %: {low:.3f})"
        )
    return grid


def _repeated(measured: np.ndarray, error: np.ndarray) -> np.ndarray:
    """(1000,) Kendall tau between latencies and the same with independent errors of these deviations."""
    generator = np.random.default_rng(0)
    draws = measured + error * generator.standard_normal((1000, len(measured)))
    return np.array([kendalltau(measured, draw).statistic for draw in draws])


def _figures(held: Sequence) -> Figures:
    return Figures.of([one.predicted_ms for one in held], [one.measured_ms for one in held])


if __name__ == "__main__":
    main()
