"""The three coefficients of a calibrated model, fitted to end-to-end latencies of whole networks.

Least squares on *relative* errors, sum_i (x_i c / t_i - 1)^2 over c >= 0, where x_i counts the dense
multiply-adds, the depthwise multiply-adds and the kernels of network i, and t_i is its latency. How good it
is, is told by leaving out one network at a time and predicting it by the fit to the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from scipy.stats import kendalltau

from dnas.blocks.ops import Op
from latency.kernels import Runtime
from latency.table.errors import TableError

LEAST_NETWORKS = 4  # three coefficients, and one network to leave out


@dataclass(frozen=True)
class TimedNetwork:
    """A network and its end-to-end latency on the device."""

    name: str
    ops: tuple[Op, ...]
    latency_ms: float


@dataclass(frozen=True)
class FittedNetwork:
    """A network of the fit: milliseconds timed, fitted, and predicted by a fit to the others."""

    name: str
    kernels: int
    timed_ms: float
    fitted_ms: float
    left_out_ms: float

    @property
    def left_out_error(self) -> float:
        """Relative error of the prediction; negative when it is faster than timed."""
        return self.left_out_ms / self.timed_ms - 1


@dataclass(frozen=True)
class Fit:
    """Coefficients and how well they do; errors are fractions, over whole networks."""

    dense_ms_per_gmadd: float
    depthwise_ms_per_gmadd: float
    kernel_us: float
    networks: tuple[FittedNetwork, ...]

    @property
    def mape(self) -> float:
        """Mean error of the networks that were fitted; flattering, as they were seen."""
        return float(np.mean([abs(network.fitted_ms / network.timed_ms - 1) for network in self.networks]))

    @property
    def leave_one_out_mean(self) -> float:
        """Mean error of the networks left out."""
        return float(np.mean([abs(network.left_out_error) for network in self.networks]))

    @property
    def leave_one_out_max(self) -> float:
        """Largest error of the networks left out."""
        return max(abs(network.left_out_error) for network in self.networks)

    @property
    def leave_one_out_tau(self) -> float:
        """Kendall's tau of the predictions left out; NaN when the latencies timed are all equal."""
        timed = [network.timed_ms for network in self.networks]
        return float(kendalltau(timed, [network.left_out_ms for network in self.networks]).statistic)


def fit(runtime: Runtime, networks: Sequence[TimedNetwork]) -> Fit:
    """Fit the coefficients of ``runtime`` to the latencies of ``networks``.

    Raises:
        TableError: too few networks, latencies that are not positive, or networks too much alike to tell the
            coefficients apart; operations that the runtime does not describe.
    """
    problems = _problems(networks)
    if problems:
        raise TableError("No fit: " + "; ".join(problems) + ".")
    counts = np.array([_counts(runtime, network.ops) for network in networks])
    timed = np.array([network.latency_ms for network in networks])
    relative = counts / timed[:, None]
    left_out = [np.delete(relative, row, axis=0) for row in range(len(networks))]
    _check_rank([relative, *left_out], ["all", *(f"all but {network.name}" for network in networks)])
    dense, depthwise, per_kernel = coefficients = _solve(relative)
    predictions = [float(row @ _solve(others)) for row, others in zip(counts, left_out, strict=True)]
    rows = zip(networks, counts, counts @ coefficients, predictions, strict=True)
    return Fit(
        dense_ms_per_gmadd=float(dense),
        depthwise_ms_per_gmadd=float(depthwise),
        kernel_us=float(per_kernel),  # ms per 1e3 kernels
        networks=tuple(
            FittedNetwork(network.name, round(1e3 * count[2]), network.latency_ms, float(fitted), predicted)
            for network, count, fitted, predicted in rows
        ),
    )


def _counts(runtime: Runtime, ops: Sequence[Op]) -> tuple[float, float, float]:
    """1e9 dense multiply-adds, 1e9 depthwise multiply-adds, 1e3 kernels: ms are their weighted sum."""
    kernels = runtime.kernels(ops)
    depthwise = sum(kernel.madds for kernel in kernels if kernel.kind == "depthwise")
    dense = sum(kernel.madds for kernel in kernels) - depthwise
    return dense / 1e9, depthwise / 1e9, len(kernels) / 1e3


def _solve(relative: np.ndarray) -> np.ndarray:
    solution: np.ndarray = nnls(relative, np.ones(len(relative)))[0]
    return solution


def _problems(networks: Sequence[TimedNetwork]) -> list[str]:
    problems = []
    if len(networks) < LEAST_NETWORKS:
        problems.append(
            f"{len(networks)} network(s) given, at least {LEAST_NETWORKS} are needed, better 20 or more"
        )
    bad = [network for network in networks if not 0 < network.latency_ms < np.inf]
    if bad:
        texts = ", ".join(f"{network.name}: {network.latency_ms}" for network in bad)
        problems.append(f"latencies must be finite and above 0 ms ({texts})")
    return problems


def _check_rank(systems: Sequence[np.ndarray], names: Sequence[str]) -> None:
    """A column that is a multiple of the others, to a millionth, leaves its coefficient to chance."""
    norms = np.linalg.norm(systems[0], axis=0)
    scale = np.where(norms == 0, 1.0, norms)
    bad = [
        name
        for system, name in zip(systems, names, strict=True)
        if np.linalg.matrix_rank(system / scale, tol=1e-6) < system.shape[1]
    ]
    if bad:
        raise TableError(
            "No fit: the networks are too much alike to tell the costs of dense multiply-adds, of depthwise "
            f"multiply-adds and of kernels apart ({'; '.join(bad)}). Add networks that differ in kernel "
            "size, width, squeeze-excite and activation."
        )
