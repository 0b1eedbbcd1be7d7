"""The table of a measured plan, and its networks beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dnas.space import Choice, Layer, SearchSpace
from dnas.space.architecture import Architecture
from latency.sources.measured.additivity import Agreement, Line, agreement, choose_line, split
from latency.sources.measured.plan import EMPTY, HEAD, STEM, Plan
from latency.sources.measured.visits import Estimate, median_repeat
from latency.table.entry import Entry, Geometry
from latency.table.errors import TableError
from latency.table.fit_to_space import fixed_operations
from latency.table.header import FORMAT

DECIMALS = 6  # of a millisecond: a nanosecond
SHARE_DECIMALS = 4


@dataclass(frozen=True)
class Compared:
    """A reported network: what the table says of it, and what the device needed."""

    name: str
    architecture: Architecture
    predicted_ms: float
    measured_ms: float


@dataclass(frozen=True)
class Result:
    """Everything that the visits of a plan say.

    ``plain`` and ``final`` are the agreement of the reported networks with the plain sum and with the
    calibrated one; both None when none was measured.
    """

    entries: list[Entry]
    fixed: dict[str, Any]
    line: Line | None
    plain: Agreement | None
    final: Agreement | None
    compared: list[Compared]
    unsteady: list[str]
    repeat: float


def conclude(plan: Plan, estimates: Mapping[str, Estimate]) -> Result:
    """Entries, fixed part, calibration and its test.

    Raises:
        TableError: blocks that were not slower than their prefix alone: noise is larger than they are.
    """
    parts = {name: estimates[name].minus(estimates[before]) for name, before in plan.before.items()}
    _refuse_negative(parts)
    entries = [_entry(plan, parts, layer, choice) for layer in plan.space.layers for choice in layer.choices]
    fixed = _fixed(plan.space, parts, estimates[EMPTY])
    reported, fitting = split(list(plan.networks))
    sums = {name: _sum(plan, parts, arch) for name, arch in plan.networks.items()}
    line = choose_line(_array(sums, fitting), _measured(estimates, fitting), fixed["overhead_ms"])
    plain = _array(sums, reported) + fixed["overhead_ms"]
    final = line.at(_array(sums, reported)) if line else plain
    measured = _measured(estimates, reported)
    return Result(
        entries=entries,
        fixed={**fixed, "overhead_ms": 0.0, "overhead_note": "in the calibration"} if line else fixed,
        line=line,
        plain=agreement(plain, measured) if reported else None,
        final=agreement(final, measured) if reported else None,
        compared=[
            Compared(name, plan.networks[name], float(predicted), estimates[name].ms)
            for name, predicted in zip(reported, final, strict=True)
        ],
        unsteady=[name for name, estimate in estimates.items() if not estimate.steady],
        repeat=median_repeat(estimates),
    )


def table_header(space: SearchSpace, result: Result, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The header of the table; ``facts`` are those that measuring does not tell."""
    return {
        "format": FORMAT,
        **facts,
        "kind": "measured",
        "unit": "ms",
        "space": space.name,
        "resolution": space.resolution,
        "batch": 1,
        "error": _error(result),
        "fixed": result.fixed,
        "calibration": _calibration(result),
    }


def _refuse_negative(parts: Mapping[str, Estimate]) -> None:
    bad = [f"{name} ({part.ms:.6f} ms)" for name, part in parts.items() if part.ms <= 0]
    if bad:
        raise TableError(
            f"Graphs no slower than the part of them that is taken off: {', '.join(bad)}. The "
            "noise is larger than they are: let the device rest and give more --rounds (all visits are kept)."
        )


def _entry(plan: Plan, parts: Mapping[str, Estimate], layer: Layer, choice: Choice) -> Entry:
    geometry = Geometry.of(layer, choice)
    if geometry.is_identity:
        return Entry(layer.name, choice.name, geometry, ms=0.0, source="measured", relative_error=0.0)
    part = parts[plan.blocks[geometry]]
    return Entry(
        layer.name,
        choice.name,
        geometry,
        ms=round(part.ms, DECIMALS),
        source="measured",
        relative_error=round(part.repeat / part.ms, SHARE_DECIMALS),
        n=part.n,
        std=round(part.std, DECIMALS),
        p90=round(max(part.p90, part.ms), DECIMALS),
    )


def _fixed(space: SearchSpace, parts: Mapping[str, Estimate], empty: Estimate) -> dict[str, Any]:
    return {
        "stem_ms": round(parts[STEM].ms, DECIMALS),
        "head_ms": round(parts[HEAD].ms, DECIMALS),
        "overhead_ms": round(empty.ms, DECIMALS),
        **fixed_operations(space),
    }


def _sum(plan: Plan, parts: Mapping[str, Estimate], arch: Architecture) -> float:
    blocks = [
        Geometry.of(layer, choice) for layer, choice in zip(plan.space.layers, arch.choices, strict=True)
    ]
    timed = [parts[plan.blocks[geometry]].ms for geometry in blocks if not geometry.is_identity]
    return parts[STEM].ms + parts[HEAD].ms + sum(timed)


def _array(sums: Mapping[str, float], names: list[str]) -> np.ndarray:
    return np.array([sums[name] for name in names], dtype=float)


def _measured(estimates: Mapping[str, Estimate], names: list[str]) -> np.ndarray:
    return np.array([estimates[name].ms for name in names], dtype=float)


def _error(result: Result) -> dict[str, Any]:
    repeat = f"a graph's time repeats to {result.repeat:.1%} (median)"
    if result.final is None:
        return {"statement": f"no whole network was measured; {repeat}"}
    found = result.final
    how = "calibrated with others" if result.line else "not calibrated"
    return {
        "statement": (
            f"{found.networks} random networks measured whole, {how}: {found.mape:.1%} mean, "
            f"{found.max_error:.1%} max error, Kendall tau {found.kendall_tau:.2f}; {repeat}"
        ),
        "network_mean": round(found.mape, SHARE_DECIMALS),
        "network_max": round(found.max_error, SHARE_DECIMALS),
    }


def _calibration(result: Result) -> dict[str, Any] | None:
    if result.line is None or result.final is None:
        return None
    return {
        "offset_ms": round(result.line.offset_ms, DECIMALS),
        "slope": round(result.line.slope, DECIMALS),
        "networks": result.final.networks,
        "mape": round(result.final.mape, SHARE_DECIMALS),
        "max_error": round(result.final.max_error, SHARE_DECIMALS),
        "kendall_tau": round(result.final.kendall_tau, SHARE_DECIMALS),
    }
