"""The time of one kind of kernel: a trend in the work it does, and a Gaussian process for the rest.

Trend: non-negative least squares on relative errors. The process explains the logarithm of measured / trend
by shape and launch, with a smooth and a rough component: times of mobile-GPU kernels jump where the
delegate changes its tiling. Its standard deviation is the estimated relative error: small beside measured
kernels, large far off.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy.optimize import nnls
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Matern, WhiteKernel

from latency.sources.assembled.features import AXES, coordinates, work
from latency.sources.assembled.launch import Gpu
from latency.sources.assembled.shape import KernelShape

DIGITS = 3  # of tuned settings: they are not known better, and short numbers read well in a diff
# Kinds whose times follow the halvings of their slices; the others were predicted worse with that axis.
HALVED = ("depthwise", "pool")
# Least noise that is tuned; repeats of a device's kernels may show that there is more.
LEAST_NOISE = 0.02
RESTARTS = 1  # besides the fixed start: the likelihood has several maxima


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters of the Gaussian process of one kind on one device.

    Attributes:
        smooth, rough: standard deviations of the two components (of the logarithm of the time).
        noise: standard deviation of what no shape explains.
        smooth_scale, rough_scale: axis of :data:`latency.sources.assembled.features.AXES` -> length over
            which times are alike; axes that do not vary in the data are left out.
    """

    smooth: float
    rough: float
    noise: float
    smooth_scale: Mapping[str, float]
    rough_scale: Mapping[str, float]

    def kernel(self) -> Kernel:
        """The covariance, as scikit-learn's."""
        # The bounds serve tuning alone.
        wide, narrow = (0.1, 50.0), (0.03, 20.0)
        smooth = Matern([*self.smooth_scale.values()], wide, nu=1.5)
        rough = Matern([*self.rough_scale.values()], narrow, nu=0.5)
        return (
            ConstantKernel(self.smooth**2, (1e-4, 10)) * smooth
            + ConstantKernel(self.rough**2, (1e-5, 1)) * rough
            + WhiteKernel(self.noise**2, (LEAST_NOISE**2, 1e-1))
        )

    def to_dict(self) -> dict[str, object]:
        """Plain data for a YAML file."""
        return {
            key: dict(value) if isinstance(value, Mapping) else value for key, value in asdict(self).items()
        }


class KindModel:
    """Predicts the microseconds of kernels of one kind on one device.

    Args:
        shapes, us: distinct kernels and their times.
        settings: hyper-parameters (:func:`tune` finds them).
        gpu: whose launches are known; None where they are not.
    """

    def __init__(
        self, shapes: Sequence[KernelShape], us: np.ndarray, settings: Settings, gpu: Gpu | None = None
    ) -> None:
        self._gpu = gpu
        self._axes = [AXES.index(axis) for axis in settings.smooth_scale]
        self._coefficients = trend(shapes, us, gpu)
        self._process = GaussianProcessRegressor(settings.kernel(), optimizer=None)
        self._process.fit(self._coordinates(shapes), np.log(us / self.trend_us(shapes)))

    def predict(self, shapes: Sequence[KernelShape]) -> tuple[np.ndarray, np.ndarray]:
        """(n,) microseconds and (n,) estimated relative errors (one standard deviation)."""
        residual, error = self._process.predict(self._coordinates(shapes), return_std=True)
        return self.trend_us(shapes) * np.exp(residual), error

    def trend_us(self, shapes: Sequence[KernelShape]) -> np.ndarray:
        """(n,) microseconds of the trend alone."""
        return work(shapes, self._gpu) @ self._coefficients

    def _coordinates(self, shapes: Sequence[KernelShape]) -> np.ndarray:
        return coordinates(shapes, self._gpu)[:, self._axes]


def tune(shapes: Sequence[KernelShape], us: np.ndarray, gpu: Gpu | None = None) -> Settings:
    """Settings of the largest marginal likelihood (Rasmussen and Williams 2006, eq. 5.8)."""
    axes = _varying(shapes, gpu)
    start = Settings(0.2, 0.1, 0.03, dict.fromkeys(axes, 2.0), dict.fromkeys(axes, 0.5))
    columns = [AXES.index(axis) for axis in axes]
    process = GaussianProcessRegressor(start.kernel(), n_restarts_optimizer=RESTARTS, random_state=0)
    with warnings.catch_warnings():
        # A scale at its bound is no fault: the axis does not matter, or no two of its values are alike.
        warnings.simplefilter("ignore", ConvergenceWarning)
        residual = np.log(us / (work(shapes, gpu) @ trend(shapes, us, gpu)))
        process.fit(coordinates(shapes, gpu)[:, columns], residual)
    return _settings(process.kernel_, axes)


def _varying(shapes: Sequence[KernelShape], gpu: Gpu | None) -> list[str]:
    """Axes whose values differ, without those that repeat another (output channels of a depthwise kernel)."""
    axes: list[str] = []
    columns: list[np.ndarray] = []
    for axis, column in zip(AXES, coordinates(shapes, gpu).T, strict=True):
        if axis == "halvings" and shapes[0].kind not in HALVED:
            continue
        if np.ptp(column) > 0 and not any(np.array_equal(column, other) for other in columns):
            axes.append(axis)
            columns.append(column)
    return axes


def trend(shapes: Sequence[KernelShape], us: np.ndarray, gpu: Gpu | None = None) -> np.ndarray:
    """(6,) non-negative microseconds per unit of :func:`~latency.sources.assembled.features.work`."""
    coefficients, _ = nnls(work(shapes, gpu) / us[:, None], np.ones(len(us)))
    return coefficients


def _settings(kernel: Kernel, axes: Sequence[str]) -> Settings:
    smooth, rough, noise = kernel.k1.k1, kernel.k1.k2, kernel.k2
    return Settings(
        smooth=_short(smooth.k1.constant_value**0.5),
        rough=_short(rough.k1.constant_value**0.5),
        noise=_short(noise.noise_level**0.5),
        smooth_scale=dict(zip(axes, map(_short, np.atleast_1d(smooth.k2.length_scale)), strict=True)),
        rough_scale=dict(zip(axes, map(_short, np.atleast_1d(rough.k2.length_scale)), strict=True)),
    )


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
