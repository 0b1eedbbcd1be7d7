"""All searches on CIFAR-10 with several seeds, compared: the commands behind docs/comparison.md, in order.

    DNAS_DATA=... python benchmarks/compare_searches.py --output runs/comparison

Full-width MoGA space on 16-pixel images, so that two CPU cores need two hours and not weeks. Killed at any
moment and started again it continues: trainings from their last epoch, searches from their last generation.
Commands run in lanes beside each other, each with its share of the cores; a log of each lies beside its run.
Without DNAS_DATA the data set is fetched into data/.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dnas.search.checkpoint_file import read_supernet

TABLE = "adreno630_mace_calibrated"
NSGA2 = ("nsga2", "nsga2-equal-weights", "nsga2-random-mutation", "nsga2-two-objectives")
BASELINES = ("random", "regularised-evolution")


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
    options.output.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(options.lanes) as lanes:
        runs = all_runs(options, lanes)
    supernet = runs.pop("one_shot")
    named = [f"{name.rpartition('_')[0]}={path}" for name, path in runs.items()]
    report = ["--table", TABLE, "--checkpoint", str(supernet), "--output", str(options.output / "report")]
    dnas("compare", "--run", *named, *report, "--overwrite", log=options.output / "report.log", threads=None)


def all_runs(options: argparse.Namespace, lanes: ThreadPoolExecutor) -> dict[str, Path]:
    """METHOD_SEED to the run that `dnas compare` reads, and one_shot to the supernet that judges all."""
    trained = {"one_shot": lanes.submit(fit, "one_shot", "one_shot", 0, options.one_shot_epochs, options)}
    warmup = f"--model.warmup_epochs={options.search_epochs // 4}"
    for seed in range(options.seeds):
        name = f"differentiable_{seed}"
        trained[name] = lanes.submit(fit, "search", name, seed, options.search_epochs, options, warmup)
    paths = {name: future.result() for name, future in trained.items()}
    searches = []
    for seed in range(options.seeds):
        for method, extra in evolutions(paths[f"differentiable_{seed}"]).items():
            paths[f"{method}_{seed}"] = folder = options.output / f"{method}_{seed}"
            searches.append(lanes.submit(refine, paths["one_shot"], folder, seed, extra, options))
    for each in searches:
        each.result()
    return paths


def evolutions(searched: Path) -> dict[str, list[str]]:
    """Name of the method to its options."""
    found = {name: ["--algorithm", name] for name in (*NSGA2, *BASELINES)}
    return {"nsga2-seeded": ["--seed-from", str(searched)], **found}


def fit(config: str, name: str, seed: int, epochs: int, options: argparse.Namespace, *extra: str) -> Path:
    """Train, or continue to; returns the last checkpoint. Every attempt has a folder of its own."""
    folder: Path = options.output / name
    attempts = sorted(folder.glob("attempt_*"))
    checkpoints = [path / "checkpoints" / "last.ckpt" for path in attempts]
    written = [path for path in checkpoints if path.is_file()]
    if written and read_supernet(written[-1]).epoch + 1 >= epochs:
        return written[-1]
    attempt = folder / f"attempt_{len(attempts):02}"
    resume = [f"--ckpt_path={written[-1]}"] if written else []
    root = os.environ.get("DNAS_DATA")
    data = [f"--data.root={Path(root) / 'cifar10'}"] if root else ["--data.download=true"]
    data += [f"--data.resolution={options.resolution}", "--data.batch_size=128"]
    flags = [f"--seed_everything={seed}", f"--model.seed={seed}", f"--trainer.max_epochs={epochs}"]
    flags += ["--trainer.accelerator=auto", *extra, *resume, f"--run_folder={attempt}"]
    log = options.output / f"{name}.log"
    dnas("fit", f"--config=cifar10/{config}.yaml", *data, *flags, log=log, threads=share(options))
    return attempt / "checkpoints" / "last.ckpt"


def refine(supernet: Path, folder: Path, seed: int, extra: list[str], options: argparse.Namespace) -> None:
    """Search the supernet; one that is finished is left as it is, by the command itself."""
    size = ["--population", str(options.population), "--generations", str(options.generations)]
    judge = ["--checkpoint", str(supernet), "--table", TABLE, "--recalibration-batches", "4"]
    cache = ["--cache", str(options.output / "evaluations"), "--seed", str(seed)]
    log = folder.with_name(f"{folder.name}.log")
    dnas("refine", *judge, *size, *cache, *extra, f"--output={folder}", log=log, threads=share(options))


def share(options: argparse.Namespace) -> int:
    """Threads of one lane."""
    return max(1, (os.cpu_count() or 1) // options.lanes)


def dnas(*arguments: str, log: Path, threads: int | None) -> None:
    line = "dnas " + shlex.join(arguments)
    print(f"$ {line}", flush=True)
    started = time.perf_counter()
    environment = os.environ | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    with log.open("a") as file:
        command = [sys.executable, "-m", "lightning_modules.cli", *arguments]
        code = subprocess.run(command, env=environment, stdout=file, stderr=file, check=False).returncode
    if code:
        sys.exit(f"{line}\nended with {code}: see {log}")
    print(f"  {time.perf_counter() - started:.0f} s: {line[:60]}...", flush=True)


if __name__ == "__main__":
    main()
