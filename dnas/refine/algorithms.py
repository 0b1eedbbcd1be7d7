"""The algorithms of ``dnas refine`` by name: all on the same problem, evaluator and budget of evaluations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dnas.refine.devices import AnyProblem
from dnas.refine.problem import Problem
from dnas.refine.seeds import Seeds
from dnas.refine.settings import Settings
from dnas.search.evolution.algorithm import Algorithm
from dnas.search.evolution.mutation import Mutation
from dnas.search.evolution.netadapt import NetAdapt
from dnas.search.evolution.nsga2 import NSGA2
from dnas.search.evolution.random_search import RandomSearch
from dnas.search.evolution.regularised_evolution import RegularisedEvolution
from dnas.search.evolution.rewards import MnasNetReward, accuracy, likelihood
from dnas.space.networks import networks

# Children of one step of regularised evolution: enough for several processes, few enough to learn from each.
CHILDREN = 10


class Plan(NamedTuple):
    """An algorithm, how many of the objectives it is told, and how often it is asked at most."""

    algorithm: Algorithm
    objectives: int
    rounds: float


def make_plan(settings: Settings, problem: AnyProblem, seeds: Seeds) -> Plan:
    """The algorithm that the settings name, at its beginning.

    Raises:
        ValueError: what the algorithm cannot be made with.
    """
    return _MAKERS[settings.algorithm](settings, problem, seeds)


def _nsga2(settings: Settings, problem: AnyProblem, seeds: Seeds, without: int = 0, **changes: Any) -> Plan:
    """Told all objectives, ``without`` as many of the last ones."""
    objectives = len(problem.maximize) - without
    weights = problem.weights(settings.weights)
    assert weights is not None
    options: dict[str, Any] = {
        "weights": weights[:objectives],
        "mutation": Mutation(),
        "prior": seeds.prior,
    }
    if settings.predictor != "none":
        options["predictor"] = settings.predictor
        options["free"] = lambda genomes: problem.values(genomes, [None] * len(genomes))[:, :objectives]
        options["violations"] = problem.violations if problem.bounds else None
        if problem.views is not None:
            options["views"] = [[column for column in view if column < objectives] for view in problem.views]
    algorithm = NSGA2(
        choices=problem.space.num_choices,
        maximize=problem.maximize[:objectives],
        population=settings.population,
        generator=np.random.default_rng(settings.seed),
        initial=seeds.genomes,
        canonical=networks(problem.space),
        **(options | changes),
    )
    return Plan(algorithm, objectives, settings.generations)


def _equal_weights(settings: Settings, problem: AnyProblem, seeds: Seeds) -> Plan:
    return _nsga2(settings, problem, seeds, weights=None)


def _random_mutation(settings: Settings, problem: AnyProblem, seeds: Seeds) -> Plan:
    return _nsga2(settings, problem, seeds, mutation=Mutation.only_random(), prior=None)


def _two_objectives(settings: Settings, problem: AnyProblem, seeds: Seeds) -> Plan:
    return _nsga2(settings, problem, seeds, without=1)


def _random(settings: Settings, problem: AnyProblem, seeds: Seeds) -> Plan:
    generator = np.random.default_rng(settings.seed)
    space = problem.space
    algorithm = RandomSearch(
        space.num_choices,
        settings.population,
        generator,
        seeds.genomes,
        canonical=networks(space),
        over=settings.draw_over,
    )
    return Plan(algorithm, len(problem.maximize), settings.generations)


def _evolution(settings: Settings, problem: AnyProblem, seeds: Seeds) -> Plan:
    return _regularised(settings, problem, seeds, accuracy if problem.quality == "top1" else likelihood)


def _mnasnet(settings: Settings, problem: AnyProblem, seeds: Seeds) -> Plan:
    assert settings.target_ms is not None
    reward = MnasNetReward(settings.target_ms, quality_maximize=problem.quality == "top1")
    return _regularised(settings, problem, seeds, reward)


def _regularised(settings: Settings, problem: AnyProblem, seeds: Seeds, score: Any) -> Plan:
    size = settings.population
    batch = min(CHILDREN, size)
    algorithm = RegularisedEvolution(
        problem.space.num_choices,
        score,
        population=size,
        sample=max(1, size // 4),  # as 25 of 100 in the paper
        batch=batch,
        generator=np.random.default_rng(settings.seed),
        initial=seeds.genomes,
        canonical=networks(problem.space),
    )
    return Plan(algorithm, len(problem.maximize), 1 + math.ceil(size * (settings.generations - 1) / batch))


def _netadapt(settings: Settings, problem: AnyProblem, seeds: Seeds) -> Plan:
    assert isinstance(problem, Problem)  # the settings refuse several tables
    algorithm = NetAdapt(
        problem.space.num_choices,
        seeds.genomes[0],
        problem.table.ms,
        fixed_ms=problem.table.fixed_ms,
        target_ms=settings.target_ms,
        quality_maximize=problem.quality == "top1",
        canonical=networks(problem.space),
    )
    return Plan(algorithm, len(problem.maximize), math.inf)


_MAKERS: dict[str, Callable[[Settings, AnyProblem, Seeds], Plan]] = {
    "nsga2": _nsga2,
    "nsga2-equal-weights": _equal_weights,
    "nsga2-random-mutation": _random_mutation,
    "nsga2-two-objectives": _two_objectives,
    "random": _random,
    "regularised-evolution": _evolution,
    "mnasnet": _mnasnet,
    "netadapt": _netadapt,
}
