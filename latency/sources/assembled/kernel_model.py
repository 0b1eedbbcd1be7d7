"""The time of any kernel on one device: looked up where it was measured, else predicted with an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.optimize import nnls

from latency.sources.assembled.dataset import MeasuredKernel
from latency.sources.assembled.features import traffic_mb, work
from latency.sources.assembled.kind_model import KindModel, Settings, trend, tune
from latency.sources.assembled.launch import Gpu
from latency.sources.assembled.shape import KernelShape
from latency.table.errors import TableError

MODELLED = ("pointwise", "depthwise", "conv", "grouped", "linear", "pool", "window")
# A squeeze-excite multiplication was never measured alone: that it takes what copying takes is an assumption.
ASSUMED_ERROR = 1.0
# Fewer distinct kernels of a kind say nothing about others: the trend alone has five coefficients.
LEAST_KERNELS = 10
# How far a kernel may lie outside the measurements (the estimated error tells the price); maps may not.
TIMES_CHANNELS = 2
WIDER = 2  # pixels of the kernel's side: 7x7 from 3x3 and 5x5
# Of which too few were measured to reach that far.
WITHIN = ("window",)


@dataclass(frozen=True)
class Prediction:
    """Time of one kernel.

    Attributes:
        error: one standard deviation, as a fraction of ``us``.
        measured: whether it was looked up.
        shared: whether all kernels of this kind are wrong alike: an assumption or an extrapolation.
    """

    us: float
    error: float
    measured: bool
    shared: bool = False


class KernelModel:
    """Times of kernels on one device.

    Args:
        kernels: measured ones; equal shapes are averaged.
        settings: of the model of every kind; a kind without is tuned, which takes seconds.
        gpu: what is known of how the device launches kernels.
    """

    def __init__(
        self,
        kernels: Iterable[MeasuredKernel],
        settings: Mapping[str, Settings] | None = None,
        gpu: Gpu | None = None,
    ) -> None:
        self._gpu = gpu
        repeats: dict[KernelShape, list[float]] = {}
        for kernel in kernels:
            repeats.setdefault(kernel.shape, []).append(kernel.us)
        self._repeats = repeats
        self._us = {shape: float(np.mean(times)) for shape, times in repeats.items()}
        self._settings = dict(settings or {})
        self._models: dict[str, KindModel] = {}

    def predict(self, shapes: Sequence[KernelShape]) -> list[Prediction]:
        """The time of every kernel.

        Raises:
            TableError: kernels that the measurements do not support, each with the reason.
        """
        wanted = list(dict.fromkeys(shapes))
        reasons = {shape: reason for shape in wanted if (reason := self.unsupported(shape))}
        if reasons:
            listing = "\n  ".join(f"{shape}: {reason}" for shape, reason in reasons.items())
            raise TableError(f"{len(reasons)} kernel(s) that the measurements do not support:\n  {listing}")
        found = {shape: self._lookup(shape) for shape in wanted if shape in self._us}
        missing = [shape for shape in wanted if shape not in found]
        for kind in dict.fromkeys(shape.kind for shape in missing):
            same = [shape for shape in missing if shape.kind == kind]
            found.update(zip(same, self.model(same), strict=True))
        return [found[shape] for shape in shapes]

    def model(self, shapes: Sequence[KernelShape]) -> list[Prediction]:
        """Predictions of kernels of one kind without looking any up."""
        kind = shapes[0].kind
        if kind in {"multiply", "copy"}:
            return [self._moved(shape) for shape in shapes]
        model = self._model(kind)
        us, error = model.predict(shapes)
        beyond = np.array([self._beyond(shape) for shape in shapes])
        us = np.where(beyond, model.trend_us(shapes), us)
        error = np.where(beyond, self.extrapolation_error if beyond.any() else 0.0, error)
        unknown = np.array([kind == "window" and not self.knows_window(shape) for shape in shapes])
        error = np.where(unknown, np.maximum(error, self.window_error if unknown.any() else 0.0), error)
        columns = zip(us.tolist(), error.tolist(), (beyond | unknown).tolist(), strict=True)
        return [Prediction(time, wrong, measured=False, shared=far) for time, wrong, far in columns]

    def unsupported(self, shape: KernelShape) -> str:
        """Why the measurements say nothing about a kernel; empty when they do."""
        if shape in self._us:
            return ""
        kind = {"multiply": "concat", "copy": "concat"}.get(shape.kind, shape.kind)
        others = list(self._measured(kind))
        if len(others) < LEAST_KERNELS:
            return f"{len(others) or 'no'} {kind} kernel(s) measured, {LEAST_KERNELS} are needed"
        if self._beyond(shape):
            scarce = [dense for dense in ("conv", "pointwise") if not self.knows(dense)]
            return f"too few {' and '.join(scarce)} kernels to tell its error" if scarce else ""
        sizes = [other.size for other in others]
        if not min(sizes) <= shape.size <= max(sizes):
            return f"measured are maps of {min(sizes)} to {max(sizes)} px"
        if kind == "concat":
            return ""
        return self._unsupported_form(shape, others)

    def _unsupported_form(self, shape: KernelShape, others: Sequence[KernelShape]) -> str:
        within = shape.kind in WITHIN
        for name in ("in_channels", "out_channels"):
            largest = max(getattr(other, name) for other in others)
            if getattr(shape, name) > largest * (1 if within else TIMES_CHANNELS):
                return f"{name} measured up to {largest}"
        largest = max(self._kernels(shape.kind))
        if shape.kernel > largest + (0 if within else WIDER):
            return f"measured are kernels up to {largest}"
        largest = max(other.stride for other in others)
        return f"measured are strides up to {largest}" if within and shape.stride > largest else ""

    def _beyond(self, shape: KernelShape) -> bool:
        """Grouped 1x1 convolutions, where only wider ones were measured: extrapolated by the trend alone."""
        return shape.kind == "grouped" and shape.kernel == 1 and 1 not in self._kernels("grouped")

    @cached_property
    def repeatability(self) -> dict[str, float]:
        """Per kind: standard deviation of the logarithm of the time of one kernel in different networks."""
        kinds = sorted({shape.kind for shape in self._us})
        return {
            kind: _pooled(times for shape, times in self._repeats.items() if shape.kind == kind)
            for kind in kinds
        }

    @cached_property
    def extrapolation_error(self) -> float:
        """How far the trend of wide dense convolutions is off when it is asked about 1x1 ones (measured)."""
        wide, narrow = self._measured("conv"), self._measured("pointwise")
        shapes = [shape for shape in narrow if shape.size <= max(other.size for other in wide)]
        us = np.array([narrow[shape] for shape in shapes])
        predicted = work(shapes) @ trend([*wide], np.array([*wide.values()]))
        return float(np.sqrt(np.mean(np.log(predicted / us) ** 2)))

    @cached_property
    def window_error(self) -> float:
        """How far the model is off about a form of windows that was not measured: each left out in turn.

        That of an assumption where too few others were measured to find out.
        """
        known = self._measured("window")
        off: list[float] = []
        for form in sorted({shape.form for shape in known}):
            left_out = {shape: us for shape, us in known.items() if shape.form == form}
            others = {shape: us for shape, us in known.items() if shape not in left_out}
            if len(others) >= LEAST_KERNELS:
                us, _ = self._fitted("window", others).predict([*left_out])
                off += np.log(us / np.array([*left_out.values()])).tolist()
        return float(np.sqrt(np.mean(np.square(off)))) if off else ASSUMED_ERROR

    def knows(self, kind: str) -> bool:
        """Whether enough kernels of this kind were measured to predict others."""
        return len(self._measured(kind)) >= LEAST_KERNELS

    def knows_window(self, shape: KernelShape) -> bool:
        """Whether windows of this side and stride were measured, pooled alike, on whatever map."""
        return shape.form in {other.form for other in self._measured("window")}

    def settings(self, kind: str) -> Settings:
        """The settings of a kind, tuned if none were given."""
        if kind not in self._settings:
            known = self._measured(kind)
            self._settings[kind] = tune([*known], np.array([*known.values()]), self._gpu)
        return self._settings[kind]

    def _model(self, kind: str) -> KindModel:
        if kind not in self._models:
            self._models[kind] = self._fitted(kind, self._measured(kind))
        return self._models[kind]

    def _fitted(self, kind: str, known: Mapping[KernelShape, float]) -> KindModel:
        settings = self.settings(kind)
        # Repeats of one kernel differ by this much: less noise would be fitted to what does not repeat.
        settings = replace(settings, noise=max(settings.noise, self.repeatability[kind]))
        return KindModel([*known], np.array([*known.values()]), settings, self._gpu)

    def _measured(self, kind: str) -> dict[KernelShape, float]:
        return {shape: us for shape, us in self._us.items() if shape.kind == kind}

    def _kernels(self, kind: str) -> set[int]:
        return {shape.kernel for shape in self._us if shape.kind == kind}

    def _lookup(self, shape: KernelShape) -> Prediction:
        error = self.repeatability[shape.kind] / len(self._repeats[shape]) ** 0.5
        return Prediction(self._us[shape], error, measured=True)

    def _moved(self, shape: KernelShape) -> Prediction:
        """Kernels that only move data: bandwidth, and for a copy the start, of concatenations."""
        start, per_mb = self._copying
        us = per_mb * traffic_mb(shape) + (start if shape.kind == "copy" else 0.0)
        return Prediction(us, ASSUMED_ERROR, measured=False, shared=True)

    @cached_property
    def _copying(self) -> tuple[float, float]:
        known = self._measured("concat")
        us = np.array([*known.values()])
        amounts = np.array([[1.0, traffic_mb(shape)] for shape in known])
        (start, per_mb), _ = nnls(amounts / us[:, None], np.ones(len(us)))
        return float(start), float(per_mb)


def _pooled(groups: Iterable[Sequence[float]]) -> float:
    """Pooled standard deviation within groups, of logarithms."""
    logs = [np.log(group) for group in groups if len(group) > 1]
    freedom = sum(len(log) - 1 for log in logs)
    return float(np.sqrt(sum(((log - log.mean()) ** 2).sum() for log in logs) / freedom)) if freedom else 0.0
