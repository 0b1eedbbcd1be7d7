"""Does a supernet rank NAS-Bench-Macro's networks, and does a search find good ones? Behind docs/fidelity.md.

    DNAS_DATA=... python benchmarks/nasbench_macro.py --output runs/nasbench_macro

The benchmark (arXiv 2103.11922, in $DNAS_DATA/nas-bench-macro) knows the CIFAR-10 accuracy of all 6,561 keys
of `nasbench_macro`, 3,969 different networks. One supernet per seed is trained at half width on CIFAR-10 of
16 pixels ($DNAS_DATA/cifar10), and ranks 100 networks by its loss. Then searches are judged by their regret:
the best accuracy that there is minus that of the network which the search takes for its best, in points. They
see either the benchmark's accuracies, or a supernet's loss.

Killed at any moment and started again it continues: trainings and evaluations lie in the output folder.
Without seeds (`--seeds`) only the searches that see the accuracies run, in a minute and without CIFAR-10.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from commands import Commands, cifar10

from dnas import NSGA2, SearchSpace
from dnas.fidelity.correlation import correlate, resample
from dnas.fidelity.predictors import trivial
from dnas.refine.population import PopulationEvaluator
from dnas.runs.checkpoint_file import read_supernet
from dnas.search.evolution.algorithm import Algorithm
from dnas.search.evolution.random_search import RandomSearch
from dnas.space.architecture import Architecture
from dnas.space.networks import networks
from dnas.support.devices import torch_device

SPACE = SearchSpace.load("nasbench_macro")
FILE = "nas-bench-macro/nas-bench-macro_cifar10.json"
EVALUATIONS = (50, 100, 200)
# Of NSGA-II, and asked for at a time by random search.
POPULATION = 10

# (n, L) genomes -> (n,), higher is better.
Quality = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--output", type=Path, default=Path("runs/nasbench_macro"), help="folder of all runs")
    add("--seeds", type=int, nargs="*", default=[0, 1, 2], help="of the supernets; none: train none")
    add("--epochs", type=int, default=24, help="of every supernet")
    add("--batches", type=int, help="of an epoch, for a trial (all)")
    add("--resolution", type=int, default=16, help="side of the images in pixels")
    add("--width", type=float, default=0.5, help="of the supernet, relative to the benchmark's networks")
    add("--architectures", type=int, default=100, help="networks to rank")
    add("--repeats", type=int, default=200, help="of every search that sees the accuracies")
    add("--guided-repeats", type=int, default=1, help="of every search that sees a supernet, per seed; or 0")
    add("--lanes", type=int, default=1, help="supernets that are trained at a time")
    options = parser.parse_args()
    accuracies = Accuracies(Path(os.environ.get("DNAS_DATA", "data")) / FILE)
    print_regrets("the accuracies", regrets(accuracies, accuracies, range(options.repeats)), accuracies)
    if not options.seeds:
        return
    supernets = train(options)
    rank(options, supernets, accuracies)
    if options.guided_repeats:
        print_regrets("a supernet's loss", guided(options, supernets, accuracies), accuracies)


class Accuracies:
    """The benchmark's mean accuracies of three trainings, fractions, by key."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise SystemExit(f"No {path}: set DNAS_DATA to a folder that holds {FILE}.")
        known = json.loads(path.read_text(encoding="utf-8"))
        self._weights = 3 ** np.arange(len(SPACE))[::-1]
        self._top1 = np.zeros(SPACE.size)
        for key, entry in known.items():
            self._top1[int(key, 3)] = entry["mean_acc"] / 100
        self.best = float(self._top1.max())

    def __call__(self, genomes: np.ndarray) -> np.ndarray:
        return self._top1[genomes @ self._weights]

    def write(self, path: Path) -> Path:
        """Every network once, for ``dnas fidelity --accuracies``."""
        everyone = np.indices(SPACE.num_choices).reshape(len(SPACE), -1).T
        forms = np.unique(SPACE.canonical(everyone), axis=0)
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["architecture", "top1"])
            rows.writerows(
                (Architecture(SPACE, form), top1) for form, top1 in zip(forms, self(forms), strict=True)
            )
        return path


class SupernetLoss:
    """Minus the loss with inherited weights; every network is evaluated once, and kept on disk."""

    def __init__(self, checkpoint: Path, folder: Path) -> None:
        supernet = read_supernet(checkpoint)
        self._evaluate = PopulationEvaluator.of_checkpoint(supernet, 8, torch_device("auto"), folder)

    def __call__(self, genomes: np.ndarray) -> np.ndarray:
        return np.array([-record.evaluation.loss for record in self._evaluate(genomes)])


def scaled(width: float) -> dict[str, Any]:
    """The space with other channels; choices and keys stay."""
    definition = SPACE.to_dict()
    for entry in (*definition["stem"], *definition["layers"], *definition["head"]):
        if "out" in entry:
            entry["out"] = round(entry["out"] * width)
    return definition | {"name": f"{SPACE.name}_x{width:g}"}


def train(options: argparse.Namespace) -> dict[int, Path]:
    """One supernet per seed, by its seed."""
    options.output.mkdir(parents=True, exist_ok=True)
    space = options.output / "space.yaml"
    space.write_text(yaml.safe_dump(scaled(options.width), sort_keys=False))
    commands = Commands(options.output, options.lanes, cifar10(options.resolution))

    def fit(seed: int) -> Path:
        flags = [f"--model.space={space}", f"--seed_everything={seed}"]
        flags += [] if options.batches is None else [f"--trainer.limit_train_batches={options.batches}"]
        return commands.fit("cifar10/one_shot.yaml", f"seed_{seed}", options.epochs, *flags)

    with ThreadPoolExecutor(options.lanes) as lanes:
        return dict(zip(options.seeds, lanes.map(fit, options.seeds), strict=True))


def rank(options: argparse.Namespace, supernets: Mapping[int, Path], accuracies: Accuracies) -> None:
    """`dnas fidelity` on the same networks for all seeds; its taus beside those of counts at full width."""
    folder = options.output / "fidelity"
    known = accuracies.write(options.output / "accuracies.csv")
    commands = Commands(options.output, 1, ())
    given = [f"seed_{seed}={path}" for seed, path in supernets.items()]
    flags = f"--accuracies={known}", f"--architectures={options.architectures}", f"--output={folder}"
    commands.dnas("fidelity", "fidelity", "--checkpoint", *given, *flags, alone=True)
    with (folder / "architectures.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    architectures = [Architecture.parse(row["architecture"], SPACE) for row in rows]
    top1 = [float(row["top1"]) for row in rows]
    counts = resample(len(rows), np.random.default_rng(0))
    print(f"\n| predictor, {len(rows)} networks | Kendall's tau |\n|---|---|")
    for seed in supernets:
        for name, sign in (("loss", -1), ("top-1", 1)):
            scores = [sign * float(row[f"seed_{seed} one-shot {name}"]) for row in rows]
            print(f"| supernet of seed {seed}, one-shot {name} | {correlate(scores, top1, counts).tau} |")
    for predictor in trivial(SPACE, architectures, None):
        print(f"| {predictor.name} | {correlate(predictor.scores, top1, counts).tau} |")


def guided(
    options: argparse.Namespace, supernets: Mapping[int, Path], accuracies: Accuracies
) -> dict[str, list[np.ndarray]]:
    """The regrets of searches that see a supernet's loss, over all supernets."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in SEARCHES}
    for seed, checkpoint in supernets.items():
        loss = SupernetLoss(checkpoint, options.output / "evaluations")
        seeds = range(1000 * seed, 1000 * seed + options.guided_repeats)
        for name, each in regrets(loss, accuracies, seeds).items():
            found[name] += each
    return found


def random_search(generator: np.random.Generator) -> Algorithm:
    return RandomSearch(SPACE.num_choices, POPULATION, generator, canonical=networks(SPACE), over="networks")


def nsga2(generator: np.random.Generator) -> Algorithm:
    """Of quality alone, for regret asks for nothing else."""
    return NSGA2(
        choices=SPACE.num_choices,
        maximize=(True,),
        population=POPULATION,
        generator=generator,
        canonical=networks(SPACE),
    )


SEARCHES = {"random search": random_search, "NSGA-II": nsga2}


def regrets(quality: Quality, accuracies: Accuracies, seeds: Sequence[int]) -> dict[str, list[np.ndarray]]:
    """Of every search and seed the regrets, (E,), in points, after so many `EVALUATIONS`."""
    return {
        name: [_regrets(make(np.random.default_rng(seed)), quality, accuracies) for seed in seeds]
        for name, make in SEARCHES.items()
    }


def _regrets(search: Algorithm, quality: Quality, accuracies: Accuracies) -> np.ndarray:
    genomes, values = np.empty((0, len(SPACE)), dtype=np.int64), np.empty(0)
    while len(values) < EVALUATIONS[-1]:
        asked = search.ask()
        found = quality(asked)
        search.tell(asked, found[:, None])
        genomes, values = np.concatenate([genomes, asked]), np.concatenate([values, found])
    taken = [int(values[:number].argmax()) for number in EVALUATIONS]
    return 100 * (accuracies.best - accuracies(genomes[taken]))


def print_regrets(guide: str, found: Mapping[str, Sequence[np.ndarray]], accuracies: Accuracies) -> None:
    runs = len(next(iter(found.values())))
    headings = "".join(f" {number} |" for number in EVALUATIONS)
    print(f"\nRegret in points of {100 * accuracies.best:.2f} %, mean of {runs} runs and nine in ten of them")
    print(f"| search that sees {guide}, evaluations |{headings}\n|---|{'---|' * len(EVALUATIONS)}")
    for name, each in found.items():
        table = np.array(each)
        low, high = np.quantile(table, (0.05, 0.95), axis=0)
        cells = zip(table.mean(axis=0), low, high, strict=True)
        print(f"| {name} |" + "".join(f" {m:.2f} [{a:.2f}, {b:.2f}] |" for m, a, b in cells), flush=True)


if __name__ == "__main__":
    main()
