"""The table of a space, computed from a calibrated model; equal input gives an equal file, byte for byte."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dnas.blocks.ops import Op
from dnas.space import Choice, Layer, SearchSpace
from latency.sources.calibrated.model import CalibratedModel
from latency.table.entry import Entry, Geometry
from latency.table.fit_to_space import fixed_operations
from latency.table.header import FORMAT
from latency.table.table import SIGMA_PER_MAPE
from latency.table.table_file import write_file

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
    """Assumed relative standard deviation of one entry: errors of L equal, independent blocks average out.

    The mean error m of whole networks is a standard deviation of m * sqrt(pi / 2), and sqrt(L) times as much
    in one block.
    """
    return round(model.leave_one_out_mean * SIGMA_PER_MAPE * math.sqrt(len(space)), 3)


def _entry(model: CalibratedModel, layer: Layer, choice: Choice, error: float) -> Entry:
    ms, parts = _rounded(model, choice.ops(layer))
    return Entry(
        layer.name,
        choice.name,
        Geometry.of(layer, choice),
        ms,
        "calibrated",
        error if ms else 0.0,
        parts=parts,
    )


def _rounded(model: CalibratedModel, ops: Iterable[Op]) -> tuple[float, dict[str, float]]:
    parts = model.parts_ms(ops)
    return round(sum(parts.values()), DECIMALS), {kind: round(ms, DECIMALS) for kind, ms in parts.items()}


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
        "validation": _validation(model, space),
        "fixed": _fixed(model, space),
        "calibration": None,
    }


def _error(model: CalibratedModel, space: SearchSpace) -> dict[str, Any]:
    mean, worst = model.leave_one_out_mean, model.leave_one_out_max
    return {
        "statement": (
            f"whole networks left out of the fit: {mean:.1%} mean, {worst:.1%} max relative error; per entry "
            f"a standard deviation of {entry_error(model, space):.1%} is an assumption derived from it "
            "(errors of blocks independent)"
        ),
        "network_mean": mean,
        "network_max": worst,
    }


def _validation(model: CalibratedModel, space: SearchSpace) -> dict[str, Any]:
    facts = model.provenance
    tau = {"kendall_tau": facts["leave_one_out_tau"]} if "leave_one_out_tau" in facts else {}
    figures = {
        "what": "whole networks",
        "mape": model.leave_one_out_mean,
        "max_error": model.leave_one_out_max,
        **tau,
        "n": facts["fitted_networks"],
    }
    method = "each network of the fit left out and predicted by a fit to the others; no block was ever timed"
    weak_spots = _weak_spots(model, space)
    return {"method": method, "figures": [figures], **({"weak_spots": weak_spots} if weak_spots else {})}


def _weak_spots(model: CalibratedModel, space: SearchSpace) -> list[str]:
    """What the runtime's description assumes about operations that this space has."""
    blocks = (op for layer in space.layers for choice in layer.choices for op in choice.ops(layer))
    ops = (*space.stem_ops, *blocks, *space.head_ops)
    present = {op.type for op in ops} | {op.activation for op in ops}
    return [f"{name}: {text}" for name, text in model.assumptions.items() if name in present]


def _fixed(model: CalibratedModel, space: SearchSpace) -> dict[str, Any]:
    stem_ms, stem_parts = _rounded(model, space.stem_ops)
    head_ms, head_parts = _rounded(model, space.head_ops)
    return {
        "stem_ms": stem_ms,
        "head_ms": head_ms,
        "overhead_ms": 0.0,
        "overhead_note": "the model has no constant term; starting a network is in the cost per kernel",
        "stem_parts": stem_parts,
        "head_parts": head_parts,
        **fixed_operations(space),
    }
