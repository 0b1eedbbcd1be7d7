"""Latency from three coefficients: t = a * dense multiply-adds + b * depthwise multiply-adds + c * kernels.

The coefficients are data (``latency/data/models``), fitted to end-to-end latencies of whole networks by
:mod:`latency.sources.calibrated.fit`. What comes out is a calibrated model, never a measurement. A fit of
one's own becomes the file of a model, with what a user states of the device.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dnas.blocks.ops import Op
from dnas.support.files import write_text
from latency.kernels import FORMAT as RUNTIME_FORMAT
from latency.kernels import Runtime
from latency.sources.calibrated import documents
from latency.sources.calibrated.fit import Fit
from latency.table.errors import TableError
from latency.table.facts import REQUIRED

FORMAT = "dnas-latency-model/1"
FACTS = ("name", *REQUIRED)
DIGITS = 4  # significant ones of a coefficient: far below the error of any fit


@dataclass(frozen=True)
class CalibratedModel:
    """Coefficients, the runtime whose kernels are counted, and where both come from.

    Attributes:
        dense_ms_per_gmadd: ms per 1e9 multiply-adds of linear layers and convolutions that are not depthwise.
        depthwise_ms_per_gmadd: ms per 1e9 multiply-adds of depthwise convolutions.
        kernel_us: microseconds per kernel started.
        leave_one_out_mean, leave_one_out_max: relative error of *whole networks* left out of the fit.
        assumptions: type of operation or activation -> what the runtime's description assumes about it.
        provenance: the whole data file.
    """

    name: str
    runtime: Runtime
    dense_ms_per_gmadd: float
    depthwise_ms_per_gmadd: float
    kernel_us: float
    leave_one_out_mean: float
    leave_one_out_max: float
    assumptions: Mapping[str, str]
    provenance: Mapping[str, Any]

    @classmethod
    def load(cls, name_or_path: str) -> CalibratedModel:
        """A shipped model by name, or a user's own from a YAML file.

        Raises:
            TableError: neither (naming the shipped ones), or everything that is wrong with the file.
        """
        data = documents.load("models", name_or_path, FORMAT)
        runtime = runtime_data(data["runtime_description"])
        return cls(
            name=data["name"],
            runtime=Runtime.from_dict(runtime),
            dense_ms_per_gmadd=data["dense_ms_per_gmadd"],
            depthwise_ms_per_gmadd=data["depthwise_ms_per_gmadd"],
            kernel_us=data["kernel_us"],
            leave_one_out_mean=data["leave_one_out_mean"],
            leave_one_out_max=data["leave_one_out_max"],
            assumptions=runtime.get("assumptions", {}),
            provenance=data,
        )

    def latency_ms(self, ops: Iterable[Op]) -> float:
        """Milliseconds of ``ops``, one after another, for one image; linear, so parts add up to the whole."""
        return sum(self.parts_ms(ops).values())

    def parts_ms(self, ops: Iterable[Op]) -> dict[str, float]:
        """Milliseconds of ``ops`` per kind of kernel."""
        parts: dict[str, float] = {}
        for kernel in self.runtime.kernels(ops):
            slope = self.depthwise_ms_per_gmadd if kernel.kind == "depthwise" else self.dense_ms_per_gmadd
            ms = slope * kernel.madds / 1e9 + self.kernel_us / 1e3
            parts[kernel.kind] = parts.get(kernel.kind, 0.0) + ms
        return parts


def runtime_data(description: str | dict[str, Any]) -> dict[str, Any]:
    """The data of a runtime: shipped under this name, at this path, or given as a whole.

    Raises:
        TableError: there is none, or everything that is wrong with it.
    """
    if isinstance(description, str):
        return documents.load("runtimes", description, RUNTIME_FORMAT)
    documents.check(description, RUNTIME_FORMAT, "the runtime description")
    return description


def write_model(path: Path, result: Fit, runtime: str | dict[str, Any], facts: Mapping[str, Any]) -> Path:
    """Write a ``dnas-latency-model/1`` file and return its path.

    Args:
        runtime: the name of a shipped description, or the whole data of another one.
        facts: the values of :data:`FACTS`.

    Raises:
        TableError: everything that is missing, unknown or wrong in ``facts``; nothing is written.
    """
    unknown = [key for key in facts if key not in FACTS]
    if unknown:
        raise TableError(f"Of a device these can be stated: {', '.join(FACTS)}; not {', '.join(unknown)}.")
    model = {"format": FORMAT, "runtime_description": runtime, **_numbers(result), **facts}
    documents.check(model, FORMAT, "the facts of the device")
    return write_text(path, yaml.safe_dump(model, sort_keys=False, allow_unicode=True, width=110))


def _numbers(result: Fit) -> dict[str, Any]:
    tau = result.leave_one_out_tau
    return {
        "dense_ms_per_gmadd": _rounded(result.dense_ms_per_gmadd),
        "depthwise_ms_per_gmadd": _rounded(result.depthwise_ms_per_gmadd),
        "kernel_us": _rounded(result.kernel_us),
        "leave_one_out_mean": round(result.leave_one_out_mean, 4),
        "leave_one_out_max": round(result.leave_one_out_max, 4),
        **({} if math.isnan(tau) else {"leave_one_out_tau": round(tau, 3)}),
        "fitted_networks": len(result.networks),
    }


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
