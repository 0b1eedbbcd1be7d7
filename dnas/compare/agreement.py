"""How far methods agree on the choice of every layer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dnas.compare.model import Agreement, AlphaAgainstChoices, Matrix, Method
from dnas.search.gradient.masks import probabilities
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture

FloatArray = npt.NDArray[np.float64]


def choice_frequencies(runs: Sequence[Sequence[Sequence[str]]], space: SearchSpace) -> FloatArray:
    """(L, C) share of every choice, the mean over runs of the share among a run's members.

    Args:
        runs: the choices (L names) of every member of every run; runs without members do not count.
    """
    shares = [_shares(members, space) for members in runs if members]
    return np.mean(shares, axis=0) if shares else np.zeros((len(space), space.max_choices))


def _shares(members: Sequence[Sequence[str]], space: SearchSpace) -> FloatArray:
    genomes = np.array([Architecture.from_names(names, space).indices for names in members])
    return (genomes[:, :, None] == np.arange(space.max_choices)).mean(axis=0)


def mean_probabilities(alphas: Sequence[Tensor], space: SearchSpace) -> FloatArray:
    """(L, C) softmax(alpha), mean over the (L, C) logits of several searches."""
    valid = torch.from_numpy(space.valid)
    return np.mean([probabilities(alpha.double(), valid).numpy() for alpha in alphas], axis=0)


def agree(first: str, p: npt.ArrayLike, second: str, q: npt.ArrayLike) -> Agreement:
    """Compare two (L, C) tables whose rows sum to 1.

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
    """The (L, C) array as plain data."""
    return tuple(map(tuple, table.tolist()))


def _with_members(methods: Sequence[Method]) -> list[Method]:
    return [method for method in methods if any(run.members for run in method.runs)]
