"""How supernets rank that share weights and train paths differently: the commands behind docs/fidelity.md.

    DNAS_DATA=... python benchmarks/weight_sharing.py --output runs/weight_sharing

Independent and entangled weights, uniform and strictly fair paths, each with the same number of trained
images, in a small space on CIFAR-10 of 16 pixels; then `dnas fidelity` trains architectures alone and
correlates. Killed at any moment and started again it continues. Without DNAS_DATA the data set is fetched
into data/.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from commands import Commands, cifar10

from dnas import SearchSpace

SPACE = Path(__file__).with_name("weight_sharing.yaml")


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
            f"{sharing}-{paths}": lanes.submit(train, commands, sharing, paths, options.fair_epochs)
            for sharing in ("independent", "entangled")
            for paths in ("uniform", "fair")
        }
    supernets = [f"{name}={future.result()}" for name, future in found.items()]
    recipe = ["--train-config", "cifar10/train.yaml", "--epochs", str(options.epochs)]
    recipe += ["--set", *(flag.removeprefix("--") for flag in commands.data)]
    size = ["--architectures", str(options.architectures), f"--output={options.output / 'fidelity'}"]
    commands.dnas("fidelity", "fidelity", "--checkpoint", *supernets, *recipe, *size, alone=True)


def train(commands: Commands, sharing: str, paths: str, fair_epochs: int) -> Path:
    """A strictly fair step trains one path per choice, a uniform step one: epochs make images equal."""
    masks = {"fair": "StrictlyFair", "uniform": "UniformPath"}[paths]
    epochs = fair_epochs * (1 if paths == "fair" else SearchSpace.load(str(SPACE)).max_choices)
    model = [
        f"--model.space={SPACE}",
        "--model.stem_stride=2",
        f"--model.sharing={sharing}",
        f"--model.masks=dnas.search.masks.{masks}",
    ]
    return commands.fit("cifar10/one_shot.yaml", f"{sharing}-{paths}", epochs, *model)


if __name__ == "__main__":
    main()
