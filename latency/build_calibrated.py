"""The table of a space, computed from a calibrated model; equal input gives an equal file, byte for byte."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from dnas.ops import block_ops, head_ops, stem_ops
from dnas.space import Choice, Layer, SearchSpace
from latency.calibrated import CalibratedModel
from latency.entry import Entry, Geometry
from latency.fit_to_space import fixed_operations
from latency.header import FORMAT
from latency.table_file import write_file

DECIMALS = 4  # of a millisecond: far below the model's error, and short in a diff
DEVICE_KEYS = ("device", "soc", "gpu", "runtime", "runtime_version", "backend", "precision")


def build_calibrated(model: CalibratedModel, space: SearchSpace, output: str | Path) -> Path:
    """Write the table of ``space`` to ``output`` and return its path.

    Raises:
        TableError: the space uses an operation that the model's runtime does not describe.
    """
    error = entry_error(model, space)
    entries = [_entry(model, layer, choice, error) for layer in space.layers for choice in layer.choices]
    return write_file(output, _header(model, space), entries)


def entry_error(model: CalibratedModel, space: SearchSpace) -> float:
    """Assumed relative error of one entry: errors of L equal, independent blocks average out by sqrt(L)."""
    return round(model.leave_one_out_mean * math.sqrt(len(space)), 3)


def _entry(model: CalibratedModel, layer: Layer, choice: Choice, error: float) -> Entry:
    ms = round(model.latency_ms(block_ops(layer, choice)), DECIMALS)
    return Entry(layer.name, choice.name, Geometry.of(layer, choice), ms, "calibrated", error if ms else 0.0)


def _header(model: CalibratedModel, space: SearchSpace) -> dict[str, Any]:
    facts = model.provenance
    return {
        "format": FORMAT,
        "name": f"{model.name}_calibrated",
        "kind": "calibrated",
        **{key: facts[key] for key in DEVICE_KEYS},
        "unit": "ms",
        "statistic": "prediction of a three-parameter model",
        "space": space.name,
        "resolution": space.resolution,
        "batch": 1,
        "date": facts["date"],
        "tool": f"python -m latency build-calibrated {model.name} --space {space.name}",
        "model": model.name,
        "licence": facts["licence"],
        "source": facts["source"],
        "error": _error(model, space),
        "fixed": _fixed(model, space),
        "calibration": None,
    }


def _error(model: CalibratedModel, space: SearchSpace) -> dict[str, Any]:
    mean, worst = model.leave_one_out_mean, model.leave_one_out_max
    return {
        "statement": (
            f"whole networks left out of the fit: {mean:.1%} mean, {worst:.1%} max relative error; per entry "
            f"{entry_error(model, space):.1%} is an assumption derived from it (errors of blocks independent)"
        ),
        "network_mean": mean,
        "network_max": worst,
    }


def _fixed(model: CalibratedModel, space: SearchSpace) -> dict[str, Any]:
    return {
        "stem_ms": round(model.latency_ms(stem_ops(space)), DECIMALS),
        "head_ms": round(model.latency_ms(head_ops(space)), DECIMALS),
        "overhead_ms": 0.0,
        "overhead_note": "the model has no constant term; starting a network is in the cost per kernel",
        **fixed_operations(space),
    }
