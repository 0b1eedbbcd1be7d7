"""What a predictor of quality is worth to NSGA-II: hypervolume after so many evaluations; for docs/refine.md.

    DNAS_DATA=... python benchmarks/predictors.py --lanes 2
    python benchmarks/predictors.py --cost

Problems, each with ten seeds of the problem (where it is synthetic) and of the search:

synthetic       14 layers of 12 choices; latency and parameters are sums over layers, quality has terms of
                layers and of pairs of them (30 % of its variance). What a search sees of it is noisy: its tau
                with the truth is 0.6 among random architectures.
nasbench_macro  accuracies of NAS-Bench-Macro ($DNAS_DATA/nas-bench-macro), parameters, calibrated latency.
two objectives  the synthetic one without parameters.
bounds          the synthetic one; latency at most what a quarter of random architectures keeps.
tiny            the synthetic one with 3 layers of 4 choices; after 16, 32 and 64 evaluations.
pure noise      the synthetic one; quality is nothing but noise, which is its truth as well.

A search hands over what is on the front of the values that it has seen. Their true values dominate a share of
what the best known front does: all networks of a small space, else the fronts of four NSGA-II runs of 60,000
evaluations of the truth each. The reference is the worst latency and parameters of the space, and the lowest
quality of 5,000 random architectures.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from nsga2 import Redraw
from pymoo.algorithms.moo.nsga2 import NSGA2 as PymooNSGA2
from pymoo.core.problem import Problem as PymooProblem
from pymoo.operators.crossover.ux import UniformCrossover
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.problems.static import StaticProblem
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import t as student

from dnas import NSGA2, SearchSpace, costs
from dnas.search.evolution.front import Front
from dnas.search.evolution.hypervolume import hypervolume
from dnas.search.evolution.networks import Canonical
from dnas.search.evolution.random_search import RandomSearch
from dnas.space.networks import networks
from latency import load_table
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel

POPULATION, TAU, PAIRS = 20, 0.6, 0.3
BUDGETS = (100, 200, 400)
PREDICTORS = ("ridge", "trees", "auto")
FILE = "nas-bench-macro/nas-bench-macro_cifar10.json"
# (n, L) genomes -> (n,).
Values = Callable[[np.ndarray], np.ndarray]


@dataclass
class Case:
    """A problem of three objectives, or of the first two: quality, latency, parameters."""

    choices: tuple[int, ...]
    quality: Values
    seen: Values
    latency: Values
    params: Values
    objectives: int = 3
    canonical: Canonical | None = None
    latency_below: float | None = None

    @property
    def maximize(self) -> tuple[bool, ...]:
        return (True, False, True)[: self.objectives]

    def values(self, genomes: np.ndarray, quality: np.ndarray) -> np.ndarray:
        return np.column_stack([quality, self.latency(genomes), self.params(genomes)])[:, : self.objectives]

    def free(self, genomes: np.ndarray) -> np.ndarray:
        return self.values(genomes, np.full(len(genomes), np.nan))

    def violations(self, genomes: np.ndarray) -> np.ndarray:
        if self.latency_below is None:
            return np.zeros(len(genomes))
        return np.maximum(0, self.latency(genomes) / self.latency_below - 1)


def synthetic(
    seed: int,
    layers: int = 14,
    choices: int = 12,
    objectives: int = 3,
    bounded: bool = False,
    noise_only: bool = False,
) -> Case:
    draw = np.random.default_rng(seed)
    shape, rows = (layers, choices), np.arange(layers)
    size = np.sort(draw.random(shape), axis=1)
    params = np.exp(1.5 * size + 0.2 * draw.standard_normal(shape)) * 2 * draw.random((layers, 1))
    latency = np.exp(1.2 * size + 0.35 * draw.standard_normal(shape)) * (0.5 + draw.random((layers, 1)))
    terms = (0.8 * (size - size.mean()) / size.std() + 0.6 * draw.standard_normal(shape)) * (
        0.5 + draw.random((layers, 1))
    )
    pairs = [(i, j) for i in range(layers) for j in range(i + 1, layers) if draw.random() < 0.3] or [(0, 1)]
    tables = draw.standard_normal((len(pairs), choices, choices))

    def of_layers(genomes: np.ndarray, table: np.ndarray = terms) -> np.ndarray:
        return table[rows, genomes].sum(axis=1)

    def of_pairs(genomes: np.ndarray) -> np.ndarray:
        return np.sum(
            [table[genomes[:, i], genomes[:, j]] for table, (i, j) in zip(tables, pairs, strict=True)], axis=0
        )

    some = draw.integers(choices, size=(20_000, layers))
    tables *= math.sqrt(PAIRS / (1 - PAIRS)) * of_layers(some).std() / of_pairs(some).std()
    deviation = (of_layers(some) + of_pairs(some)).std()
    # Of two normal variables with correlation r, Kendall's tau is 2 / pi arcsin(r).
    noise = math.sqrt(1 / math.sin(math.pi * TAU / 2) ** 2 - 1)

    def truth(genomes: np.ndarray) -> np.ndarray:
        return (of_layers(genomes) + of_pairs(genomes)) / deviation

    def drawn(genomes: np.ndarray) -> np.ndarray:
        """Always the same for a genome, as an evaluation is."""
        return np.array([np.random.default_rng([seed, *row]).standard_normal() for row in genomes.tolist()])

    def seen(genomes: np.ndarray) -> np.ndarray:
        return truth(genomes) + noise * drawn(genomes)

    case = Case(
        (choices,) * layers,
        drawn if noise_only else truth,
        drawn if noise_only else seen,
        partial(of_layers, table=latency),
        partial(of_layers, table=params),
        objectives,
    )
    if bounded:
        case.latency_below = float(np.quantile(case.latency(some), 0.25))
    return case


def nasbench_macro(seed: int) -> Case:
    path = Path(os.environ.get("DNAS_DATA", "data")) / FILE
    space = SearchSpace.load("nasbench_macro")
    weights = 3 ** np.arange(len(space))[::-1]
    top1 = np.zeros(space.size)
    for key, entry in json.loads(path.read_text(encoding="utf-8")).items():
        top1[int(key, 3)] = entry["mean_acc"] / 100
    with TemporaryDirectory() as folder:
        built = build_calibrated(CalibratedModel.load("adreno630_mace"), space, Path(folder) / "table.csv")
        table = load_table(built, space)
    counted = costs.count(space)

    def accuracy(genomes: np.ndarray) -> np.ndarray:
        return top1[genomes @ weights]

    return Case(
        space.num_choices, accuracy, accuracy, table.latency_ms, counted.params_of, canonical=networks(space)
    )


CASES: dict[str, tuple[Callable[[int], Case], tuple[int, ...]]] = {
    "synthetic": (synthetic, BUDGETS),
    "nasbench_macro": (nasbench_macro, BUDGETS),
    "two objectives": (partial(synthetic, objectives=2), BUDGETS),
    "bounds": (partial(synthetic, bounded=True), BUDGETS),
    "tiny": (partial(synthetic, layers=3, choices=4), (16, 32, 64)),
    "pure noise": (partial(synthetic, noise_only=True), BUDGETS),
}


class Judge:
    """The share of the best known hypervolume."""

    def __init__(self, case: Case, seed: int) -> None:
        self._case = case
        corners = np.array([np.zeros(len(case.choices), int), np.array(case.choices) - 1])
        some = np.random.default_rng([seed, 1]).integers(case.choices, size=(5_000, len(case.choices)))
        several = np.concatenate([some, corners])
        # Sums over layers: the worst of each layer together.
        worst_latency, least_params = _extreme(case, case.latency, max), _extreme(case, case.params, min)
        self._reference = (float(case.quality(several).min()), worst_latency, least_params)[: case.objectives]
        self._whole = 1.0
        self._whole = self.share(self._best_known(seed), seen=case.quality)

    def share(self, genomes: np.ndarray, seen: Values | None = None) -> float:
        """Of (n, L) evaluated genomes: the true worth of those on the front of what was seen."""
        case = self._case
        kept = genomes[case.violations(genomes) == 0]
        front = Front(len(case.choices), case.maximize)
        front.add(kept, case.values(kept, (seen or case.seen)(kept)))
        found = front.members()[0]
        truth = case.values(found, case.quality(found))
        return hypervolume(truth, self._reference, case.maximize) / self._whole

    def _best_known(self, seed: int) -> np.ndarray:
        case = self._case
        if math.prod(case.choices) <= 10_000:
            return np.indices(case.choices).reshape(len(case.choices), -1).T
        truth = replace(case, seen=case.quality)
        return np.concatenate([search(truth, 1000 * (1 + run) + seed, 60_000, 400) for run in range(4)])


def _extreme(case: Case, of: Values, pick: Callable) -> float:
    """The largest or least value of a space, found by changing one layer after another."""
    genome = np.zeros(len(case.choices), dtype=np.int64)
    for layer in range(len(case.choices)):
        several = np.repeat(genome[None], case.choices[layer], axis=0)
        several[:, layer] = np.arange(case.choices[layer])
        values = of(several)
        genome = several[int(np.flatnonzero(values == pick(values))[0])]
    return float(of(genome[None])[0])


def search(
    case: Case, seed: int, budget: int, population: int = POPULATION, predictor: str | None = None
) -> np.ndarray:
    """Everything that NSGA-II evaluates, (budget, L), in that order."""
    options = {} if predictor is None else {"free": case.free, "violations": case.violations}
    algorithm = NSGA2(
        choices=case.choices,
        maximize=case.maximize,
        population=population,
        generator=np.random.default_rng(seed),
        canonical=case.canonical,
        predictor=predictor,
        **options,
    )
    return _evaluated(algorithm, case, budget)


def at_random(case: Case, seed: int, budget: int) -> np.ndarray:
    algorithm = RandomSearch(case.choices, POPULATION, np.random.default_rng(seed), canonical=case.canonical)
    return _evaluated(algorithm, case, budget)


def _evaluated(algorithm, case: Case, budget: int) -> np.ndarray:
    found = [np.empty((0, len(case.choices)), dtype=np.int64)]
    left = budget
    while left > 0 and len(genomes := algorithm.ask()):
        broken = case.violations(genomes)
        values = case.values(genomes, case.seen(genomes))
        algorithm.tell(genomes, values, broken)
        # What breaks a bound costs nothing, as latency is known.
        found.append(genomes[broken == 0])
        left -= len(found[-1])
    return np.concatenate(found)[:budget]


def of_pymoo(case: Case, seed: int, budget: int) -> np.ndarray:
    algorithm = PymooNSGA2(
        pop_size=POPULATION,
        sampling=IntegerRandomSampling(),
        crossover=UniformCrossover(prob=0.9),
        mutation=Redraw(prob=1.0),
    )
    upper = np.array(case.choices) - 1
    bounds = int(case.latency_below is not None)
    problem = PymooProblem(
        n_var=len(upper), n_obj=case.objectives, n_ieq_constr=bounds, xl=0, xu=upper, vtype=int
    )
    algorithm.setup(problem, termination=("n_gen", 10**6), seed=seed)
    signs = np.where(case.maximize, -1.0, 1.0)
    found = np.empty((0, len(upper)), dtype=np.int64)
    while len(found) < budget:
        individuals = algorithm.ask()
        if individuals is None or not len(individuals):
            break
        genomes = individuals.get("X").astype(np.int64)
        broken = case.violations(genomes)
        values = {"F": case.values(genomes, case.seen(genomes)) * signs}
        values |= {"G": broken[:, None]} if bounds else {}
        algorithm.evaluator.eval(StaticProblem(problem, **values), individuals)
        algorithm.tell(infills=individuals)
        found = np.concatenate([found, genomes[broken == 0]])
    return found[:budget]


def arms(case: str) -> dict[str, Callable[[Case, int, int], np.ndarray]]:
    assisted = {name: partial(search, predictor=name) for name in PREDICTORS}
    return {"random": at_random, "pymoo": of_pymoo, "plain": search, **assisted}


def run(name: str, seed: int) -> dict[str, list[float]]:
    """Shares of every search at every budget."""
    make, budgets = CASES[name]
    case = make(seed)
    judge = Judge(case, seed)
    found = {}
    for arm, find in arms(name).items():
        genomes = find(case, seed, budgets[-1])
        found[arm] = [judge.share(genomes[:budget]) for budget in budgets]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10, help="of every problem (10)")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), help="all of them")
    parser.add_argument("--lanes", type=int, default=1, help="processes that work at a time (1)")
    parser.add_argument("--cost", action="store_true", help="only what choosing a generation costs")
    options = parser.parse_args()
    if options.cost:
        print_costs()
        return
    if not (Path(os.environ.get("DNAS_DATA", "data")) / FILE).is_file() and "nasbench_macro" in options.cases:
        print(f"Without nasbench_macro: set DNAS_DATA to a folder that holds {FILE}.")
        options.cases.remove("nasbench_macro")
    with ProcessPoolExecutor(options.lanes) as pool:
        for name in options.cases:
            jobs = [pool.submit(run, name, seed) for seed in range(options.seeds)]
            print_shares(name, [job.result() for job in track(jobs, name, transient=True)])


def print_shares(name: str, found: list[dict[str, list[float]]]) -> None:
    table = Table(
        title=f"{name}: % of the best known hypervolume, mean and 95 % interval, {len(found)} seeds"
    )
    table.add_column("search")
    for budget in CASES[name][1]:
        table.add_column(f"{budget} evaluations", justify="right")
    for arm in found[0]:
        shares = 100 * np.array([each[arm] for each in found])
        table.add_row(arm, *(_with_interval(column) for column in shares.T))
    Console(width=110).print(table)


def _with_interval(values: np.ndarray) -> str:
    half = (
        student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
        if len(values) > 1
        else 0
    )
    return f"{values.mean():.1f} [{values.mean() - half:.1f}, {values.mean() + half:.1f}]"


def print_costs() -> None:
    """Seconds to ask for a generation when so many evaluations are known."""
    case = synthetic(0)
    table = Table(title="seconds to choose a generation of 20, median of 5; 14 layers of 12, 3 objectives")
    for heading in ("evaluations", *PREDICTORS):
        table.add_column(heading, justify="right")
    for known in (100, 200, 500, 1000):
        table.add_row(
            str(known), *(f"{np.median([*_seconds(case, name, known)]):.2f}" for name in PREDICTORS)
        )
    Console().print(table)


def _seconds(case: Case, predictor: str, known: int) -> Iterator[float]:
    for seed in range(5):
        algorithm = NSGA2(
            choices=case.choices,
            maximize=case.maximize,
            population=known,
            generator=np.random.default_rng(seed),
            predictor=predictor,
            free=case.free,
        )
        genomes = algorithm.ask()
        algorithm.tell(genomes, case.values(genomes, case.seen(genomes)))
        algorithm._size = POPULATION  # the next generation alone is of the usual size
        started = time.perf_counter()
        algorithm.ask()
        yield time.perf_counter() - started


if __name__ == "__main__":
    main()
