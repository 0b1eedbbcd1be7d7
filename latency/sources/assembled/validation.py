"""How far the kernel model is off for networks it has not seen: every family of networks left out in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau

from latency.sources.assembled.calibration import calibrate, sum_ms
from latency.sources.assembled.dataset import MeasuredKernel, MeasuredNetwork
from latency.sources.assembled.kernel_model import KernelModel
from latency.sources.assembled.kind_model import Settings
from latency.sources.assembled.launch import Gpu
from latency.sources.assembled.shape import KernelShape

Fit = Callable[[Sequence[MeasuredKernel]], KernelModel]


@dataclass(frozen=True)
class Figures:
    """Errors of ``n`` predictions: mean and largest absolute relative error, and rank correlation."""

    mape: float
    max_error: float
    kendall_tau: float
    n: int

    @classmethod
    def of(cls, predicted: Sequence[float], measured: Sequence[float]) -> Figures:
        """Compare predictions with measurements, in the same unit."""
        errors = np.abs(np.array(predicted) / np.array(measured) - 1)
        tau = float(kendalltau(predicted, measured).statistic) if len(errors) > 1 else float("nan")
        return cls(float(errors.mean()), float(errors.max()), tau, len(errors))


@dataclass(frozen=True)
class HeldOutKernel:
    """A kernel of a family left out.

    Attributes:
        modelled_us, error: what the model says, and its estimate of its own relative error.
        built_us: what a table would say: the measurement of another family where there is one.
        measured_us: mean over the networks of the family.
    """

    family: str
    shape: KernelShape
    modelled_us: float
    error: float
    built_us: float
    measured_us: float


@dataclass(frozen=True)
class HeldOutNetwork:
    """A network whose family was left out of kernel model and calibration, in milliseconds."""

    name: str
    family: str
    predicted_ms: float
    measured_ms: float


def fit_with(settings: Mapping[str, Settings] | None, gpu: Gpu | None = None) -> Fit:
    """Kernel models with these settings; None tunes anew for every family left out, which takes minutes."""
    return lambda kernels: KernelModel(kernels, settings, gpu)


def held_out_kernels(
    kernels: Sequence[MeasuredKernel], families: Iterable[str], kinds: Sequence[str], fit: Fit
) -> Iterator[HeldOutKernel]:
    """Predictions of the distinct kernels of every family, from those of all other families.

    Kernels that the others do not support (maps or kernels of other sizes) are passed over, as a table with
    them would be refused.
    """
    for family in families:
        model = fit([kernel for kernel in kernels if kernel.family != family])
        times: dict[KernelShape, list[float]] = {}
        for kernel in kernels:
            if kernel.family == family and kernel.shape.kind in kinds and not model.unsupported(kernel.shape):
                times.setdefault(kernel.shape, []).append(kernel.us)
        for kind in kinds:
            shapes = [shape for shape in times if shape.kind == kind]
            if shapes and model.knows(kind):
                modelled, built = model.model(shapes), model.predict(shapes)
                for shape, alone, used in zip(shapes, modelled, built, strict=True):
                    mean = float(np.mean(times[shape]))
                    yield HeldOutKernel(family, shape, alone.us, alone.error, used.us, mean)


def held_out_networks(
    kernels: Sequence[MeasuredKernel],
    networks: Sequence[MeasuredNetwork],
    families: Iterable[str],
    fit: Fit,
) -> Iterator[HeldOutNetwork]:
    """End to end of the networks of ``families``: kernel model and calibration come from all others."""
    for family in families:
        model = fit([kernel for kernel in kernels if kernel.family != family])
        yield from _calibrated(model, networks, family)


def calibrated_only(
    model: KernelModel, networks: Sequence[MeasuredNetwork], families: Iterable[str]
) -> Iterator[HeldOutNetwork]:
    """End to end with the kernels of all families known: what additivity alone costs."""
    for family in families:
        yield from _calibrated(model, networks, family)


def _calibrated(
    model: KernelModel, networks: Sequence[MeasuredNetwork], family: str
) -> Iterator[HeldOutNetwork]:
    calibration = calibrate(model, [network for network in networks if network.family != family])
    for network in networks:
        if network.family == family:
            predicted = calibration.end_to_end_ms(sum_ms(model, network))
            yield HeldOutNetwork(network.name, family, predicted, network.end_to_end_ms)
