"""All searches on CIFAR-10 with several seeds, compared: the commands behind docs/comparison.md, in order.

    DNAS_DATA=... python benchmarks/compare_searches.py --output runs/comparison

Full-width MoGA space on 16-pixel images, so that two CPU cores need hours and not weeks. Killed at any
moment and started again it continues: trainings from their last epoch, searches from their last generation.
Commands run in lanes beside each other, each with its share of the cores; a log of each lies beside its run.
Without DNAS_DATA the data set is fetched into data/.
"""

from __future__ import annotations

import argparse
import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from commands import Commands, cifar10
from rich.console import Console
from rich.table import Table

from dnas.compare.estimate import as_text, estimate

TABLE = "adreno630_mace_calibrated"
NSGA2 = ("nsga2", "nsga2-equal-weights", "nsga2-random-mutation", "nsga2-two-objectives")
BASELINES = ("random", "regularised-evolution")
DIFFERENCES = (
    ("nsga2-seeded", "nsga2"),
    ("nsga2-seeded", "random"),
    ("nsga2-seeded", "differentiable"),
    ("nsga2", "random"),
    ("nsga2", "differentiable"),
    ("nsga2", "regularised-evolution"),
    ("nsga2", "nsga2-equal-weights"),
    ("nsga2", "nsga2-random-mutation"),
    ("nsga2", "nsga2-two-objectives"),
    ("nsga2-random-mutation", "nsga2-two-objectives"),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("runs/comparison"), help="folder of all runs")
    parser.add_argument("--seeds", type=int, default=3, help="of every search")
    parser.add_argument("--resolution", type=int, default=16, help="side of the images in pixels")
    parser.add_argument("--search-epochs", type=int, default=8, help="of the differentiable search")
    parser.add_argument("--one-shot-epochs", type=int, default=15, help="of the supernet that judges all")
    parser.add_argument("--population", type=int, default=20, help="architectures of a generation")
    parser.add_argument("--generations", type=int, default=12, help="of every evolution")
    parser.add_argument("--lanes", type=int, default=2, help="commands that run at a time")
    options = parser.parse_args()
    commands = Commands(options.output, options.lanes, cifar10(options.resolution))
    with ThreadPoolExecutor(options.lanes) as lanes:
        runs = all_runs(commands, lanes, options)
    supernet = runs.pop("one_shot")
    named = [f"{name.rpartition('_')[0]}={path}" for name, path in runs.items()]
    report = ["--table", TABLE, "--checkpoint", str(supernet), "--output", str(options.output / "report")]
    commands.dnas("report", "compare", "--run", *named, *report, "--overwrite", alone=True)
    print_differences(options.output / "report" / "hypervolume.csv")


def print_differences(path: Path) -> None:
    """Differences in hypervolume between methods, of the same seed: mean and 95 % t-interval over seeds."""
    columns = {"three objectives": "hypervolume", "loss and latency": "hypervolume_plane"}
    with path.open() as file:
        rows = [row for row in csv.DictReader(file) if row["seed"].isdigit()]
    table = Table("difference of hypervolumes", *columns)
    for first, second in DIFFERENCES:
        cells = []
        for column in columns.values():
            one, other = (
                {row["seed"]: float(row[column]) for row in rows if row["method"] == name}
                for name in (first, second)
            )
            differences = [one[seed] - other[seed] for seed in sorted(one.keys() & other.keys())]
            cells.append(as_text(estimate(differences)))
        table.add_row(f"{first} - {second}", *cells)
    Console().print(table)


def all_runs(commands: Commands, lanes: ThreadPoolExecutor, options: argparse.Namespace) -> dict[str, Path]:
    """METHOD_SEED to the run that `dnas compare` reads, and one_shot to the supernet that judges all."""
    one_shot = "cifar10/one_shot.yaml", "one_shot", options.one_shot_epochs, *seeded(0)
    trained = {"one_shot": lanes.submit(commands.fit, *one_shot)}
    for seed in range(options.seeds):
        name, epochs = f"differentiable_{seed}", options.search_epochs
        flags = [*seeded(seed), f"--model.steps.warmup_epochs={epochs // 4}"]
        trained[name] = lanes.submit(commands.fit, "cifar10/search.yaml", name, epochs, *flags)
    paths = {name: future.result() for name, future in trained.items()}
    searches = []
    for seed in range(options.seeds):
        for method, extra in evolutions(paths[f"differentiable_{seed}"]).items():
            name = f"{method}_{seed}"
            paths[name] = commands.output / name
            flags = [*refinement(paths["one_shot"], options), *extra]
            flags += ["--seed", str(seed), f"--output={paths[name]}"]
            searches.append(lanes.submit(commands.dnas, name, "refine", *flags))
    for each in searches:
        each.result()
    return paths


def evolutions(searched: Path) -> dict[str, list[str]]:
    """Name of the method to its options."""
    found = {name: ["--algorithm", name] for name in (*NSGA2, *BASELINES)}
    return {"nsga2-seeded": ["--seed-from", str(searched)], **found}


def seeded(seed: int) -> list[str]:
    return [f"--seed_everything={seed}", f"--model.seed={seed}"]


def refinement(supernet: Path, options: argparse.Namespace) -> list[str]:
    """What all evolutions have in common; one that is finished is left as it is, by the command itself."""
    size = ["--population", str(options.population), "--generations", str(options.generations)]
    judge = ["--checkpoint", str(supernet), "--table", TABLE, "--recalibration-batches", "4"]
    return [*judge, *size, "--cache", str(options.output / "evaluations")]


if __name__ == "__main__":
    main()
