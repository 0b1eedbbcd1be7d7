"""Overhead of the weighted NSGA-II: milliseconds per generation (ask and tell, no evaluation) beside pymoo's.

The MoGA space's 14 genes of 12 choices, three additive objectives, MoGA's settings for ours; pymoo's NSGA2
with the same population, uniform crossover and a vectorised mutation that redraws 1 gene of 14.

Ours is timed alone, too. The fastest tenth of those generations says what the code takes where nothing else
uses the processor: a virtual machine's medians double with what its neighbours do.

python benchmarks/nsga2.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import pymoo
from pymoo.algorithms.moo.nsga2 import NSGA2 as PymooNSGA2
from pymoo.core.mutation import Mutation
from pymoo.core.problem import Problem
from pymoo.operators.crossover.ux import UniformCrossover
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.problems.static import StaticProblem
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dnas.search.evolution.nsga2 import NSGA2

LAYERS, CHOICES = 14, 12
MAXIMIZE = (True, False, True)
SIGNS = np.where(MAXIMIZE, -1.0, 1.0)
# Population and generations; ours and pymoo's take turns after so many, the first turn is not counted.
CASES = [(70, 120), (1000, 20)]
TURN = 5


class Redraw(Mutation):
    """Each gene of pymoo's individuals is drawn anew with probability 1 / L."""

    def _do(self, problem, X, random_state=None, **kwargs):
        drawn = random_state.integers(0, problem.xu + 1, X.shape)
        return np.where(random_state.random(X.shape) < 1 / X.shape[1], drawn, X)


def main() -> None:
    table = Table(title=f"milliseconds per generation, medians; {LAYERS} genes of {CHOICES}, 3 objectives")
    for heading in (
        "population",
        "ask",
        "tell",
        "ours",
        "pymoo",
        "times faster",
        "ours alone",
        "its fastest tenth",
    ):
        table.add_column(heading, justify="right")
    for population, generations in CASES:
        table.add_row(*row(population, generations))
    console = Console()
    console.print(table)
    console.print(f"numpy {np.__version__}, pymoo {pymoo.__version__}")


def row(population: int, generations: int) -> list[str]:
    tables = np.random.default_rng(0).random((len(MAXIMIZE), LAYERS, CHOICES))
    ours, theirs = our_search(population), their_search(population)
    our_times, their_times = [], []
    for _ in track(range(generations // TURN), f"Population {population}", transient=True):
        our_times += [our_generation(ours, tables) for _ in range(TURN)]
        their_times += [their_generation(theirs, tables) for _ in range(TURN)]
    ask, tell = (1000 * statistics.median(each) for each in zip(*our_times[TURN:], strict=True))
    both = 1000 * statistics.median(map(sum, our_times[TURN:]))
    pymoo_both = 1000 * statistics.median(their_times[TURN:])
    figures = [f"{each:.2f}" for each in (ask, tell, both, pymoo_both)]
    ours = our_search(population)
    alone = [1000 * sum(our_generation(ours, tables)) for _ in range(generations)][TURN:]
    median, fast = np.percentile(alone, [50, 10])
    return [str(population), *figures, f"{pymoo_both / both:.1f}", f"{median:.2f}", f"{fast:.2f}"]


def our_search(population: int) -> NSGA2:
    return NSGA2(
        choices=(CHOICES,) * LAYERS,
        maximize=MAXIMIZE,
        weights=(2, 2, 1),
        population=population,
        generator=np.random.default_rng(0),
    )


def their_search(population: int) -> PymooNSGA2:
    algorithm = PymooNSGA2(
        pop_size=population,
        sampling=IntegerRandomSampling(),
        crossover=UniformCrossover(prob=0.9),
        mutation=Redraw(prob=1.0),
    )
    problem = Problem(n_var=LAYERS, n_obj=len(MAXIMIZE), xl=0, xu=CHOICES - 1, vtype=int)
    return algorithm.setup(problem, termination=("n_gen", 10**6), seed=0)


def our_generation(search: NSGA2, tables: np.ndarray) -> tuple[float, float]:
    """Seconds of ask and of tell."""
    asking, genomes = timed(search.ask)
    values = evaluated(genomes, tables)
    telling, _ = timed(lambda: search.tell(genomes, values))
    return asking, telling


def their_generation(algorithm: PymooNSGA2, tables: np.ndarray) -> float:
    asking, individuals = timed(algorithm.ask)
    costs = evaluated(individuals.get("X"), tables) * SIGNS
    algorithm.evaluator.eval(StaticProblem(algorithm.problem, F=costs), individuals)
    telling, _ = timed(lambda: algorithm.tell(infills=individuals))
    return asking + telling


def evaluated(genomes: np.ndarray, tables: np.ndarray) -> np.ndarray:
    return tables[:, np.arange(LAYERS), genomes].sum(axis=-1).T


def timed(function: Callable[[], object]):
    started = time.perf_counter()
    result = function()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main()
