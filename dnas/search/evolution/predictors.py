"""Predictors of quality from genomes, with a spread and a rank correlation that left-out genomes give.

Both see genes as categories, one-hot. Targets are normal scores of quality's ranks (`normal_scores`): a rank
is all that a search needs, and outliers of short evaluations do no harm. What takes long to import is
imported where it is needed: every search imports this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol, get_args

import numpy as np

from dnas.search.evolution.algorithm import FloatArray, IntArray

Kind = Literal["ridge", "trees", "auto"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Shares of the kernel that pairs of genes have, and noise over signal, among which the evidence chooses.
_PAIRS = (0.0, 0.3, 0.6)
_NOISES = (0.03, 0.1, 0.3, 0.6, 1.0, 3.0)
# Members of the trees' ensemble, each of which leaves out one part of the genomes.
_FOLDS = 5


class Predicted(NamedTuple):
    """Mean and spread (a standard deviation) of the normal score of n genomes, (n,) each."""

    mean: FloatArray
    spread: FloatArray


class Predictor(Protocol):
    """A fitted predictor.

    Attributes:
        name: ridge or trees.
        correlation: Spearman's of left-out genomes' predictions with their quality; 0 where it is undefined.
    """

    name: str
    correlation: float

    def predict(self, genomes: IntArray) -> Predicted:
        """Predict the normal scores of (n, L) genomes."""


def fit(kind: Kind, choices: Sequence[int], genomes: IntArray, quality: FloatArray) -> Predictor:
    """Fit a predictor to the quality, (n,), higher is better and finite, of n genomes, (n, L), n at least 4.

    "auto" is the one of both whose left-out predictions rank better.
    """
    scores = normal_scores(quality)
    names = ("ridge", "trees") if kind == "auto" else (kind,)
    fitted = [_PREDICTORS[name](choices, genomes, scores) for name in names]
    return max(fitted, key=lambda each: each.correlation)


def normal_scores(values: FloatArray) -> FloatArray:
    """Return the quantiles of the standard normal distribution at the values' ranks, (n,) (Blom 1958)."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    return np.asarray(ndtri((rankdata(values) - 0.375) / (len(values) + 0.25)))


class Ridge:
    """Ridge regression on genes and on pairs of genes, in its dual form; see `Predictor`.

    The kernel of two genomes that agree in a share s of their genes is (1 - p) s + p s^2. The share p of the
    pairs and the penalty are those of the largest evidence (a Gaussian process's marginal likelihood). One
    eigendecomposition gives it for every penalty, and all leave-one-out predictions (Rasmussen & Williams
    2006, equations 2.30 and 5.12).

    Attributes:
        pairs, penalty: those that were chosen.
    """

    name = "ridge"

    def __init__(self, choices: Sequence[int], genomes: IntArray, scores: FloatArray) -> None:
        self._choices, self._onehot = choices, one_hot(genomes, choices)
        self._mean = scores.mean()
        agreement, best = self._agreement(self._onehot), -np.inf
        for pairs in _PAIRS:
            values, vectors = np.linalg.eigh(_kernel(agreement, pairs))
            rotated, signal = vectors.T @ (scores - self._mean), values.clip(0).mean()
            for noise in _NOISES:
                spectrum = values.clip(0) + noise * signal
                amplitude = np.mean(rotated**2 / spectrum)
                evidence = -np.log(spectrum).sum() - len(scores) * np.log(max(amplitude, 1e-300))
                if evidence > best:
                    best, self.pairs, self.penalty = evidence, pairs, noise * signal
                    self._amplitude, self._spectrum, self._vectors = amplitude, spectrum, vectors
                    self._dual = vectors @ (rotated / spectrum)
        left_out = scores - self._dual / (self._vectors**2 / self._spectrum).sum(axis=1)
        self.correlation = rank_correlation(left_out, scores)

    def predict(self, genomes: IntArray) -> Predicted:
        """Predict the normal scores of (n, L) genomes."""
        kernel = _kernel(self._agreement(one_hot(genomes, self._choices)), self.pairs)
        known = ((kernel @ self._vectors) ** 2 / self._spectrum).sum(axis=1)
        mean = self._mean + kernel @ self._dual
        return Predicted(mean, np.sqrt(self._amplitude * (1 - known).clip(0)))

    def _agreement(self, onehot: FloatArray) -> FloatArray:
        """Return the share of genes, (n, known), in which genomes agree with those that were fitted."""
        return onehot @ self._onehot.T / len(self._choices)


class Trees:
    """Gradient-boosted trees on one-hot genes; members leave out a fold each; see `Predictor`."""

    name = "trees"

    def __init__(self, choices: Sequence[int], genomes: IntArray, scores: FloatArray) -> None:
        from sklearn.ensemble import GradientBoostingRegressor

        self._choices, onehot = choices, one_hot(genomes, choices)
        folds = np.arange(len(scores)) % min(_FOLDS, len(scores))
        left_out = np.empty(len(scores))
        self._members: list[Any] = []
        for fold in range(folds.max() + 1):
            out = folds == fold
            member = GradientBoostingRegressor(
                n_estimators=60, learning_rate=0.15, subsample=0.7, max_features=0.3, random_state=fold
            )
            self._members.append(member.fit(onehot[~out], scores[~out]))
            left_out[out] = member.predict(onehot[out])
        self.correlation = rank_correlation(left_out, scores)

    def predict(self, genomes: IntArray) -> Predicted:
        """Predict the normal scores of (n, L) genomes."""
        onehot = one_hot(genomes, self._choices)
        predictions = np.array([member.predict(onehot) for member in self._members])
        return Predicted(predictions.mean(axis=0), predictions.std(axis=0))


_PREDICTORS: dict[str, Any] = {"ridge": Ridge, "trees": Trees}


def one_hot(genomes: IntArray, choices: Sequence[int]) -> FloatArray:
    """Return (n, sum of choices) zeros and ones: a layer's choices one behind the other, layer by layer."""
    first = np.cumsum(choices) - choices
    columns = np.zeros((len(genomes), sum(choices)))
    columns[np.arange(len(genomes))[:, None], genomes + first] = 1
    return columns


def rank_correlation(predicted: FloatArray, scores: FloatArray) -> float:
    """Return Spearman's rank correlation of two (n,), 0 where one of them is constant."""
    if len(scores) < 3 or np.ptp(predicted) == 0 or np.ptp(scores) == 0:
        return 0.0
    from scipy.stats import spearmanr

    return float(spearmanr(predicted, scores).statistic)


def _kernel(agreement: FloatArray, pairs: float) -> FloatArray:
    return (1 - pairs) * agreement + pairs * agreement**2
