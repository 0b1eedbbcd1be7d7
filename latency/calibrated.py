"""Latency from three coefficients: t = a * dense multiply-adds + b * depthwise multiply-adds + c * kernels.

The coefficients are data (``latency/models``), fitted to published end-to-end latencies (MoGA,
arXiv 1908.01314, table 3). What comes out is a calibrated model, never a measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dnas.ops import Op
from latency import shipped
from latency.kernels import Runtime

FORMAT = "dnas-latency-model/1"


@dataclass(frozen=True)
class CalibratedModel:
    """Coefficients, the runtime whose kernels are counted, and where both come from.

    Attributes:
        dense_ms_per_gmadd: ms per 1e9 multiply-adds of linear layers and convolutions that are not depthwise.
        depthwise_ms_per_gmadd: ms per 1e9 multiply-adds of depthwise convolutions.
        kernel_us: microseconds per kernel started.
        leave_one_out_mean, leave_one_out_max: relative error of *whole networks* left out of the fit.
        provenance: the whole data file.
    """

    name: str
    runtime: Runtime
    dense_ms_per_gmadd: float
    depthwise_ms_per_gmadd: float
    kernel_us: float
    leave_one_out_mean: float
    leave_one_out_max: float
    provenance: Mapping[str, Any]

    @classmethod
    def load(cls, name: str) -> CalibratedModel:
        """A shipped model by name; raises :class:`TableError` naming the shipped ones."""
        data = shipped.load("models", name, FORMAT)
        return cls(
            name=data["name"],
            runtime=Runtime.load(data["runtime_description"]),
            dense_ms_per_gmadd=data["dense_ms_per_gmadd"],
            depthwise_ms_per_gmadd=data["depthwise_ms_per_gmadd"],
            kernel_us=data["kernel_us"],
            leave_one_out_mean=data["leave_one_out_mean"],
            leave_one_out_max=data["leave_one_out_max"],
            provenance=data,
        )

    def latency_ms(self, ops: Iterable[Op]) -> float:
        """Milliseconds of ``ops``, one after another, for one image; linear, so parts add up to the whole."""
        kernels = self.runtime.kernels(ops)
        depthwise = sum(kernel.madds for kernel in kernels if kernel.kind == "depthwise")
        dense = sum(kernel.madds for kernel in kernels) - depthwise
        arithmetic = self.dense_ms_per_gmadd * dense + self.depthwise_ms_per_gmadd * depthwise
        return arithmetic / 1e9 + self.kernel_us * len(kernels) / 1e3
