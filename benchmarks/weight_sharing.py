"""How supernets rank that share weights and train paths differently: the commands behind docs/fidelity.md.

    DNAS_DATA=... python benchmarks/weight_sharing.py --output runs/weight_sharing

Independent and entangled weights, uniform and strictly fair paths, each with the same number of trained
images, in a small space on CIFAR-10 of 16 pixels; then `dnas fidelity` trains architectures alone and
correlates. Killed at any moment and started again it continues. Without DNAS_DATA the data set is fetched
into data/.
"""

from __future__ import annotations

import argparse
import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from commands import Commands, cifar10

from dnas import SearchSpace
from dnas.fidelity.correlation import Interval, correlate, percentiles, resample

SPACE = Path(__file__).with_name("weight_sharing.yaml")
NAMES = {
    f"{sharing}-{paths}": (sharing, paths)
    for sharing in ("independent", "entangled")
    for paths in ("uniform", "fair")
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("runs/weight_sharing"), help="folder of all runs")
    parser.add_argument("--resolution", type=int, default=16, help="side of the images in pixels")
    parser.add_argument("--fair-epochs", type=int, default=4, help="of strictly fair training")
    parser.add_argument("--epochs", type=int, default=6, help="of every architecture alone")
    parser.add_argument("--architectures", type=int, default=24, help="that are trained alone")
    parser.add_argument("--lanes", type=int, default=2, help="supernets that are trained at a time")
    options = parser.parse_args()
    commands = Commands(options.output, options.lanes, cifar10(options.resolution))
    with ThreadPoolExecutor(options.lanes) as lanes:
        found = {
            name: lanes.submit(train, commands, sharing, paths, options.fair_epochs)
            for name, (sharing, paths) in NAMES.items()
        }
    supernets = [f"{name}={future.result()}" for name, future in found.items()]
    recipe = ["--train-config", "cifar10/train.yaml", "--epochs", str(options.epochs)]
    recipe += ["--set", *(flag.removeprefix("--") for flag in commands.data)]
    size = ["--architectures", str(options.architectures), f"--output={options.output / 'fidelity'}"]
    commands.dnas("fidelity", "fidelity", "--checkpoint", *supernets, *recipe, *size, alone=True)
    print_effects(options.output / "fidelity" / "architectures.csv")


def train(commands: Commands, sharing: str, paths: str, fair_epochs: int) -> Path:
    """A strictly fair step trains one path per choice, a uniform step one: epochs make images equal."""
    masks = {"fair": "StrictlyFair", "uniform": "UniformPath"}[paths]
    epochs = fair_epochs * (1 if paths == "fair" else SearchSpace.load(str(SPACE)).max_choices)
    model = [
        f"--model.space={SPACE}",
        "--model.stem_stride=2",
        f"--model.sharing={sharing}",
        f"--model.masks=dnas.search.gradient.masks.{masks}",
    ]
    return commands.fit("cifar10/one_shot.yaml", f"{sharing}-{paths}", epochs, *model)


def print_effects(path: Path) -> None:
    """Tau of one kind of supernet minus that of the other, paired: of the same bootstrap samples."""
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["top1"]]
    top1 = [float(row["top1"]) for row in rows]
    counts = resample(len(rows), np.random.default_rng(0))
    tau, taus = {}, {}
    print(f"One-shot loss, {len(rows)} architectures: Kendall's tau, mean one-shot top-1")
    for name in NAMES:
        found = correlate([-float(row[f"{name} one-shot loss"]) for row in rows], top1, counts)
        tau[name], taus[name] = found.tau.value, found.taus
        mean = np.mean([float(row[f"{name} one-shot top-1"]) for row in rows])
        print(f"  {name:24}{found.tau}  {100 * mean:.1f} %")
    print("Differences of means, 95 % intervals over architectures")
    for first, second in (("entangled", "independent"), ("fair", "uniform")):
        signs = {name: ((first in kind) - (second in kind)) / 2 for name, kind in NAMES.items()}
        value = sum(sign * tau[name] for name, sign in signs.items())
        low, high = percentiles(sum(sign * taus[name] for name, sign in signs.items()))
        print(f"  {first} - {second:14}{Interval(value, low, high)}")


if __name__ == "__main__":
    main()
