"""Evaluating a generation at once, beside one by one: seconds and their ratio, on equal numbers.

    python benchmarks/evaluation.py                 # 5,000 images of 16 pixels
    python benchmarks/evaluation.py --profile       # where one evaluation spends its time

Generations are those of NSGA-II (populations of --population) on latency, parameters and a quality that is a
sum over layers: the first one is random, later ones have more in common. Images are random and weights not
trained: neither changes the operations. Both ways take turns, three times; medians. For docs/refine.md.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from dnas import NSGA2, Architecture, SearchSpace, Supernet, costs
from dnas.runs.evaluator import OneShotEvaluator, evaluate, recalibrate
from dnas.runs.prefixes import evaluate_in_order
from dnas.space.networks import networks

CASES = (("moga", "entangled"), ("moga", "independent"), ("nasbench_macro", "independent"))
TURNS = 3


class Images:
    """Random images as a data module has them."""

    def __init__(self, resolution: int, images: int, batch_size: int) -> None:
        self.shape, self.images, self.batch_size = (3, resolution, resolution), images, batch_size

    def prepare_data(self) -> None:
        """Nothing to prepare."""

    def setup(self, stage: str) -> None:
        """Nothing to set up."""

    def recalibration_dataloader(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        yield from self._batches(16 * self.batch_size)

    def val_dataloader(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        yield from self._batches(self.images)

    def _batches(self, images: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        generator = torch.Generator().manual_seed(0)
        for begin in range(0, images, self.batch_size):
            size = min(self.batch_size, images - begin)
            labels = torch.randint(10, (size,), generator=generator)
            yield torch.randn(size, *self.shape, generator=generator), labels


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=5000, help="of the validation split (5000)")
    parser.add_argument("--resolution", type=int, default=16, help="side of the images in pixels (16)")
    parser.add_argument("--batch-size", type=int, default=250, help="images of a batch (250)")
    parser.add_argument("--population", type=int, default=20, help="architectures of a generation (20)")
    parser.add_argument("--generations", type=int, nargs="+", default=[1, 10, 30], help="to time (1 10 30)")
    parser.add_argument("--profile", action="store_true", help="the parts of one evaluation instead")
    options = parser.parse_args()
    console = Console(width=110)
    if options.profile:
        for name, sharing in CASES:
            console.print(profile(evaluator(name, sharing, options), f"{name}, {sharing}"))
        return
    title = f"seconds to evaluate {options.population} architectures on {options.images} images"
    table = Table(title=f"{title} of {options.resolution} px, {torch.get_num_threads()} thread(s)")
    for heading in ("space", "sharing", "generation", "one by one", "at once", "times faster"):
        table.add_column(heading, justify="right")
    for name, sharing in CASES:
        evaluating = evaluator(name, sharing, options)
        for number, generation in generations(evaluating.supernet.space, options):
            alone, at_once = compare(evaluating, generation)
            ratio = f"{alone / at_once:.2f}"
            table.add_row(name, sharing, str(number), f"{alone:.2f}", f"{at_once:.2f}", ratio)
    console.print(table)


def evaluator(name: str, sharing: str, options: argparse.Namespace) -> OneShotEvaluator:
    torch.manual_seed(0)
    space = SearchSpace.load(name).adapt(num_classes=10)
    arguments = {name: getattr(options, name) for name in ("resolution", "images", "batch_size")}
    supernet = Supernet(space, sharing, **({"stem_stride": 1} if name == "moga" else {})).eval()
    evaluating = OneShotEvaluator(supernet, {"class_path": "evaluation.Images", "init_args": arguments})
    for batches in (evaluating.recalibration, evaluating.validation):
        assert len([*batches])  # read once, and kept
    return evaluating


def generations(space: SearchSpace, options: argparse.Namespace) -> Iterator[tuple[int, list[Architecture]]]:
    draw, counted = np.random.default_rng(0), costs.count(space)
    shape = (len(space), max(space.num_choices))
    quality, latency = draw.random(shape), draw.random(shape)
    search = NSGA2(
        choices=space.num_choices,
        maximize=(True, False, True),
        population=options.population,
        generator=draw,
        canonical=networks(space),
    )
    rows = np.arange(len(space))
    for number in range(1, max(options.generations) + 1):
        genomes = search.ask()
        if number in options.generations:
            yield number, [Architecture(space, tuple(genome)) for genome in genomes.tolist()]
        sums = [table[rows, genomes].sum(axis=1) for table in (quality, latency)]
        search.tell(genomes, np.column_stack([*sums, counted.params_of(genomes)]))


def compare(evaluating: OneShotEvaluator, generation: Sequence[Architecture]) -> tuple[float, float]:
    """Median seconds one by one and at once."""
    alone, at_once = [], []
    for _ in range(TURNS):
        with timed(alone):
            expected = {each: evaluating(each) for each in generation}
        with timed(at_once):
            found = dict(evaluate_in_order(evaluating, generation))
        assert found == expected, "the numbers must be equal, bit for bit"
    return statistics.median(alone), statistics.median(at_once)


def profile(evaluating: OneShotEvaluator, title: str) -> Table:
    """Seconds of the parts of an evaluation, of a random architecture; medians."""
    space = evaluating.supernet.space
    draw = np.random.default_rng(1)
    seconds: dict[str, list[float]] = {}
    for _ in range(TURNS * 3):
        architecture = Architecture(space, tuple(draw.integers(space.num_choices).tolist()))
        with timed(seconds.setdefault("extracting the network", [])):
            network = evaluating.extract(architecture)
        with timed(seconds.setdefault("recalibrating", [])):
            recalibrate(network, evaluating.recalibration)
        with timed(seconds.setdefault("evaluating", [])):
            evaluate(network, evaluating.validation, 10)
        parts = [("stem", network.stem), *((f"block {n}", each) for n, each in enumerate(network.blocks, 1))]
        with torch.no_grad():
            maps = [images for images, _ in evaluating.validation]
            for name, part in [*parts, ("head", network.head), ("classifier", network.classifier)]:
                with timed(seconds.setdefault(f"  {name}", [])):
                    maps = [part(each) for each in maps]
    table = Table(title=title)
    for heading in ("part", "ms", "% of an evaluation"):
        table.add_column(heading, justify="left" if heading == "part" else "right")
    whole = sum(statistics.median(times) for name, times in seconds.items() if not name.startswith(" "))
    for name, times in seconds.items():
        median = statistics.median(times)
        table.add_row(name, f"{1000 * median:.0f}", f"{100 * median / whole:.0f}")
    return table


@contextmanager
def timed(seconds: list[float]) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - started)


if __name__ == "__main__":
    main()
