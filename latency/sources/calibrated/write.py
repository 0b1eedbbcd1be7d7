"""A fit as the file of a model, with what a user states of the device; ``build-calibrated`` takes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dnas.support.files import write_text
from latency.sources.calibrated import documents
from latency.sources.calibrated.fit import Fit
from latency.sources.calibrated.model import FORMAT
from latency.table.errors import TableError
from latency.table.facts import REQUIRED

DIGITS = 4  # significant ones of a coefficient: far below the error of any fit
FACTS = ("name", *REQUIRED)


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
