"""What is measured of methods: what their runs attain, the best within budgets, agreement on choices."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dnas.compare.estimate import estimate
from dnas.compare.model import (
    Agreement,
    AlphaAgainstChoices,
    Attainment,
    Budget,
    Curve,
    Matrix,
    Method,
    Point,
    Quality,
    Run,
)
from dnas.search.gradient.masks import probabilities
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture

FloatArray = npt.NDArray[np.float64]


def attainment(fronts: Sequence[Sequence[Point]], quality: Quality) -> Attainment:
    """The surfaces that one, half (rounded up) and all of the runs attain, one front per run.

    Grunert da Fonseca, Fonseca and Hall 2001: a run attains a point if a member of its front is at least as
    good in both objectives; the k-th surface bounds the points that at least k of the runs attain.
    """
    sign = 1.0 if quality == "top1" else -1.0
    latencies = np.unique([point.latency_ms for front in fronts for point in front])
    reached = np.array([_reached(front, quality, sign, latencies) for front in fronts])
    reached = -np.sort(-reached.reshape(len(fronts), len(latencies)), axis=0)
    runs = len(fronts)
    surfaces = [_corners(latencies, reached[k - 1], sign) for k in (1, (runs + 1) // 2, runs)]
    return Attainment(*surfaces)


def _reached(front: Sequence[Point], quality: Quality, sign: float, latencies: FloatArray) -> FloatArray:
    """(n,) the best sign * quality of the front within each of n rising latencies; -inf where none is."""
    best = np.full(len(latencies), -np.inf)
    for point in front:
        start = np.searchsorted(latencies, point.latency_ms)
        best[start] = max(best[start], sign * getattr(point, quality))
    return np.maximum.accumulate(best)


def _corners(latencies: FloatArray, reached: FloatArray, sign: float) -> Curve:
    """The places where the curve rises."""
    rises = reached > np.concatenate([[-np.inf], reached[:-1]])
    return tuple(zip(latencies[rises].tolist(), (sign * reached[rises]).tolist(), strict=True))


def default_budgets(methods: Sequence[Method], number: int = 5) -> list[float]:
    """The upper ends of ``number`` equal parts of the range of all members' latencies; [] without any."""
    latencies = [point.latency_ms for method in methods for run in method.runs for point in run.members]
    if not latencies:
        return []
    return sorted(set(np.linspace(min(latencies), max(latencies), number + 1)[1:].tolist()))


def best_within(methods: Sequence[Method], budgets: Sequence[float], quality: Quality) -> tuple[Budget, ...]:
    """Every method's best member within every budget (ms), by ``quality``, budgets rising."""
    return tuple(_budget(ms, method, quality) for ms in sorted(budgets) for method in methods)


def _budget(ms: float, method: Method, quality: Quality) -> Budget:
    best = [_best(run, ms, quality) for run in method.runs]
    return Budget(
        latency_ms=ms,
        method=method.name,
        quality=estimate([None if point is None else getattr(point, quality) for point in best]),
        top1=estimate([None if point is None else point.top1 for point in best]),
    )


def _best(run: Run, ms: float, quality: Quality) -> Point | None:
    """Of equals the fastest, which comes first."""
    within = [point for point in run.members if point.latency_ms <= ms]
    if quality == "top1":
        return max(within, key=lambda point: point.top1, default=None)
    return min(within, key=lambda point: point.loss, default=None)


def choice_frequencies(runs: Sequence[Sequence[Sequence[str]]], space: SearchSpace) -> FloatArray:
    """(D, C) share of every choice, the mean over runs of the share among a run's members.

    Args:
        runs: the choices (D names) of every member of every run; runs without members do not count.
    """
    shares = [_shares(members, space) for members in runs if members]
    return np.mean(shares, axis=0) if shares else np.zeros((len(space), space.max_choices))


def _shares(members: Sequence[Sequence[str]], space: SearchSpace) -> FloatArray:
    genomes = np.array([Architecture.from_names(names, space).indices for names in members])
    return (genomes[:, :, None] == np.arange(space.max_choices)).mean(axis=0)


def mean_probabilities(alphas: Sequence[Tensor], space: SearchSpace) -> FloatArray:
    """(D, C) softmax(alpha), mean over the (D, C) logits of several searches."""
    valid = torch.from_numpy(space.valid)
    return np.mean([probabilities(alpha.double(), valid).numpy() for alpha in alphas], axis=0)


def agree(first: str, p: npt.ArrayLike, second: str, q: npt.ArrayLike) -> Agreement:
    """Compare two (D, C) tables whose rows sum to 1.

    The total-variation distance of two rows is half the sum of their absolute differences. Where several
    choices of a layer are equally frequent, sharing one of them counts as the same choice.
    """
    p, q = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    distances = np.abs(p - q).sum(axis=1) / 2
    same = (_is_mode(p) & _is_mode(q)).any(axis=1)
    return Agreement(first, second, float(same.mean()), float(distances.mean()), tuple(distances.tolist()))


def _is_mode(table: FloatArray) -> npt.NDArray[np.bool_]:
    return np.isclose(table, table.max(axis=1, keepdims=True), rtol=0, atol=1e-12)


def all_pairs(methods: Sequence[Method]) -> tuple[Agreement, ...]:
    """The agreement of all pairs of methods that have members."""
    pairs = combinations(_with_members(methods), 2)
    return tuple(agree(a.name, a.choice_frequencies, b.name, b.choice_frequencies) for a, b in pairs)


def alpha_against_choices(method: str, table: FloatArray, methods: Sequence[Method]) -> AlphaAgainstChoices:
    """A method's mean softmax(alpha) against the choices of all others that have members, but the zoo."""
    others = [each for each in _with_members(methods) if each.name != method and each.kind != "zoo"]
    against = tuple(agree(method, table, each.name, each.choice_frequencies) for each in others)
    return AlphaAgainstChoices(method, as_matrix(table), against)


def as_matrix(table: FloatArray) -> Matrix:
    """The (D, C) array as plain data."""
    return tuple(map(tuple, table.tolist()))


def _with_members(methods: Sequence[Method]) -> list[Method]:
    return [method for method in methods if any(run.members for run in method.runs)]
