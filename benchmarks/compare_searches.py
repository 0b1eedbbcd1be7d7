"""All searches on CIFAR-10 with several seeds, compared: the commands behind docs/comparison.md, in order.

    DNAS_DATA=... python benchmarks/compare_searches.py --output runs/comparison

Full-width MoGA space on 16-pixel images, so that two CPU cores need hours and not weeks. Killed at any moment
and started again it continues: trainings from their last epoch, searches from their last generation. Without
DNAS_DATA the data set is fetched into data/.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
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
    parser.add_argument("--search-epochs", type=int, default=12, help="of the differentiable search")
    parser.add_argument("--one-shot-epochs", type=int, default=20, help="of the supernet that judges all")
    parser.add_argument("--population", type=int, default=20, help="architectures of a generation")
    parser.add_argument("--generations", type=int, default=15, help="of every evolution")
    options = parser.parse_args()
    supernet = fit("one_shot", options.output / "one_shot", 0, options.one_shot_epochs, options)
    runs = []
    for seed in range(options.seeds):
        warmup = [f"--model.warmup_epochs={options.search_epochs // 4}"]
        searched = fit(
            "search", options.output / f"search_{seed}", seed, options.search_epochs, options, warmup
        )
        runs.append(f"differentiable={searched}")
        for name, extra in evolutions(searched).items():
            folder = options.output / f"{name}_{seed}"
            refine(supernet, folder, seed, extra, options)
            runs.append(f"{name}={folder}")
    report = ["--table", TABLE, "--checkpoint", str(supernet), "--output", str(options.output / "report")]
    dnas("compare", "--run", *runs, *report, "--overwrite")


def evolutions(searched: Path) -> dict[str, list[str]]:
    """Name of the method to its options."""
    found = {name: ["--algorithm", name] for name in (*NSGA2, *BASELINES)}
    return {"nsga2-seeded": ["--seed-from", str(searched)], **found}


def fit(
    config: str,
    folder: Path,
    seed: int,
    epochs: int,
    options: argparse.Namespace,
    extra: list[str] | None = None,
) -> Path:
    """Train, or continue to; returns the last checkpoint. Every attempt has a folder of its own."""
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
    flags += ["--trainer.accelerator=auto", *(extra or []), *resume, f"--run_folder={attempt}"]
    dnas("fit", f"--config=cifar10/{config}.yaml", *data, *flags)
    return attempt / "checkpoints" / "last.ckpt"


def refine(supernet: Path, folder: Path, seed: int, extra: list[str], options: argparse.Namespace) -> None:
    """Search the supernet; one that is finished is left as it is, by the command itself."""
    size = ["--population", str(options.population), "--generations", str(options.generations)]
    judge = ["--checkpoint", str(supernet), "--table", TABLE, "--recalibration-batches", "4"]
    cache = ["--cache", str(options.output / "evaluations"), "--seed", str(seed)]
    dnas("refine", *judge, *size, *cache, *extra, "--output", str(folder))


def dnas(*arguments: str) -> None:
    print("$ dnas " + shlex.join(arguments), flush=True)
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "lightning_modules.cli", *arguments], check=True)
    print(f"  {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
