"""A new phone's milliseconds from those of known phones, corrected by timings of whole networks.

Bayesian linear regression on relative latencies. Let x_pk be the milliseconds that the table of phone p gives
to the kernels of kind k of a network (k = 0 is the overhead per inference), scaled by one factor per phone,
such that each table agrees on average with the networks timed. With base = mean over phones of their totals
and z_k = mean over phones of x_pk,

    t = base + sum_p a_p (total_p - base) + sum_k b_k z_k,    a_p ~ N(0, phones^2), b_k ~ N(0, kinds^2)

and timings have independent relative errors. So before anything is timed the new phone is the mean of the
known ones; the timings say which of them it resembles, and which kinds of kernels it runs faster or slower.
All is linear, so the same weights give a network, a single block, and the standard deviation of both. The
level of noise is not known: it is averaged over, by how well each level explains the timings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

OVERHEAD_COLUMN = 0
# No kernel is free: of what the known phones say, a kind of kernel takes at least this part.
LEAST = 0.1
# Levels of noise, as multiples of the expected one: normal in the logarithm, with this deviation.
LEVELS = np.exp(np.linspace(-1.5, 1.5, 13))
LEVEL_DEVIATION = 0.5


@dataclass(frozen=True)
class Spread:
    """How much phones differ: standard deviations before anything is timed, relative.

    Attributes:
        phones: of the weight of a known phone.
        kinds: of the factor of a kind of kernels.
        overhead: of the factor of the overhead per inference.
        noise: of a network's latency about what these can express; the level that is expected.
    """

    phones: float
    kinds: float
    overhead: float
    noise: float

    def variances(self, phones: int, columns: int) -> np.ndarray:
        """(P + K,) variances of the weights of P phones and K columns, the overhead being the first."""
        kinds = np.full(columns, self.kinds**2)
        kinds[OVERHEAD_COLUMN] = self.overhead**2
        return np.concatenate([np.full(phones, self.phones**2), kinds])


@dataclass(frozen=True, eq=False)
class Adapted:
    """What is known of the new phone.

    Attributes:
        scale: (P,) factors of the known phones' milliseconds.
        mean, covariance: (P + K,) and (P + K, P + K), of the weights of phones and kinds.
        noise: relative standard deviation of a network about the model.
    """

    scale: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    noise: float

    def parts_ms(self, parts: np.ndarray) -> np.ndarray:
        """(n, K) milliseconds by kind of networks or blocks; ``parts`` (P, n, K) is what known phones say.

        A kind takes at least :data:`LEAST` of what the known phones say of it.
        """
        by_kind, least = self._by_kind(parts)
        return np.asarray(np.maximum(by_kind, least))

    def held(self, parts: np.ndarray) -> np.ndarray:
        """(n,) whether the timings alone would say less than the least of some kind of kernels."""
        by_kind, least = self._by_kind(parts)
        return np.asarray((by_kind < least).any(axis=1))

    def latency_ms(self, parts: np.ndarray) -> np.ndarray:
        """(n,) milliseconds; ``parts`` as in :meth:`parts_ms`."""
        return np.asarray(self.parts_ms(parts).sum(axis=1))

    def deviation_ms(self, parts: np.ndarray) -> np.ndarray:
        """(n,) standard deviations that the weights leave, noise apart, in milliseconds."""
        _, features = _features(parts * self.scale[:, None, None])
        return np.sqrt(np.einsum("ni,ij,nj->n", features, self.covariance, features))

    def _by_kind(self, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scaled = parts * self.scale[:, None, None]
        kinds = scaled.mean(axis=0)
        phones, factors = np.split(self.mean, [len(parts)])
        by_kind = kinds * (1 + factors) + np.einsum("p,pnk->nk", phones, scaled - kinds)
        return by_kind, LEAST * kinds


def adapt(parts: np.ndarray, timed_ms: np.ndarray, spread: Spread) -> Adapted:
    """The new phone, from networks timed on it.

    Args:
        parts: (P, n, K) milliseconds of the networks by kind, in the tables of the known phones.
        timed_ms: (n,) milliseconds on the new phone.
    """
    scale = np.exp(np.log(timed_ms / parts.sum(axis=2)).mean(axis=1))
    features, relative = relative_to_base(parts * scale[:, None, None], timed_ms)
    prior = spread.variances(len(parts), parts.shape[2])
    covariance = (features * prior) @ features.T
    levels = spread.noise * LEVELS
    log_weight, means, covariances = [], [], []
    for level in levels:
        observed = covariance + level**2 * np.eye(len(relative))
        gain = np.linalg.solve(observed, features * prior)  # (n, P + K)
        means.append(relative @ gain)
        covariances.append(np.diag(prior) - (features * prior).T @ gain)
        expected = (np.log(level / spread.noise) / LEVEL_DEVIATION) ** 2 / 2
        log_weight.append(log_evidence(covariance, relative, level) - expected)
    weight = np.exp(np.array(log_weight) - max(log_weight))
    weight /= weight.sum()
    mean = weight @ np.array(means)
    off = np.array(means) - mean
    spread_of_means = np.einsum("l,li,lj->ij", weight, off, off)
    return Adapted(
        scale=scale,
        mean=mean,
        covariance=np.einsum("l,lij->ij", weight, np.array(covariances)) + spread_of_means,
        noise=float(np.sqrt(weight @ levels**2)),
    )


def relative_to_base(scaled: np.ndarray, timed_ms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, P + K) features as fractions of the base, and (n,) how far the timings are from it.

    Args:
        scaled: (P, n, K) milliseconds of the known phones, scaled to the new one.
    """
    base, features = _features(scaled)
    return features / base[:, None], timed_ms / base - 1


def log_evidence(covariance: np.ndarray, relative: np.ndarray, noise: float) -> float:
    """Logarithm of the likelihood of ``relative`` (n,), normal with mean 0; constants are left out."""
    lower = np.linalg.cholesky(covariance + noise**2 * np.eye(len(relative)))
    whitened = np.linalg.solve(lower, relative)
    return float(-whitened @ whitened / 2 - np.log(np.diag(lower)).sum())


def _features(scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) milliseconds of the base and (n, P + K) what the weights multiply, from scaled (P, n, K) parts."""
    totals, kinds = scaled.sum(axis=2), scaled.mean(axis=0)
    base = totals.mean(axis=0)
    return base, np.concatenate([(totals - base).T, kinds], axis=1)
