"""A latency table for a runtime that cannot be timed block by block: fitted to whole networks alone.

End-to-end latencies determine the differences between the choices of a layer, and the latency of the average
network; nothing in them says how much of the rest belongs to which layer, to the stem or to the head.
**Convention, an assumption:** the latency of the network of the fastest choices is shared out among stem,
head and its blocks in proportion to their multiply-adds; the overhead is 0. A skip that does nothing then
gets 0 where it is its layer's fastest choice, and every block gets more than 0. Sums over whole networks and
differences within a layer do not depend on this convention, single entries do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dnas.costs import count
from dnas.space import Layer, SearchSpace
from dnas.support.files import write_text
from latency.analysis.profile.effects import Effects, cross_validated, fit_effects
from latency.analysis.profile.samples import Samples
from latency.table.entry import Entry, Geometry
from latency.table.errors import TableError, raise_all
from latency.table.facts import REQUIRED, read
from latency.table.fit_to_space import fixed_operations
from latency.table.header import FORMAT
from latency.table.table_file import parse, render

TOLD = {"date", "source"}  # the command knows them
CONVENTION = (
    "only sums over whole networks and differences within a layer come from the measurements; "
    "assumption: the latency of the fastest choices is shared out by multiply-adds (stem, head, layers)"
)


@dataclass(frozen=True, eq=False)
class NetworkFit:
    """Block effects in ms from whole networks, and how well networks left out of the fit are predicted."""

    samples: Samples
    effects: Effects
    relative_errors: np.ndarray
    folds: int

    @property
    def mape(self) -> float:
        """Mean absolute relative error of the networks left out."""
        return float(np.abs(self.relative_errors).mean())

    @property
    def max_error(self) -> float:
        """Largest absolute relative error of a network left out."""
        return float(np.abs(self.relative_errors).max())


def fit_networks(samples: Samples, space: SearchSpace, folds: int = 10, seed: int = 0) -> NetworkFit:
    """Fit block effects to end-to-end milliseconds, and cross-validate with ``folds`` random folds.

    Raises:
        TableError: the networks do not determine the effects; names what is missing and how many are needed.
    """
    effects = fit_effects(samples.genomes, samples.values, space)
    generator = np.random.default_rng(seed)
    predicted = cross_validated(samples.genomes, samples.values, space, folds, generator)
    return NetworkFit(samples, effects, predicted / samples.values - 1, folds)


def header_facts(path: str | Path | None) -> dict[str, str]:
    """Facts of the device from a YAML file; what a header needs and is not given is ``unknown``.

    Raises:
        TableError: see :func:`latency.table.facts.read`.
    """
    unknown = {key: "unknown" for key in REQUIRED if key not in TOLD}
    return unknown | (read(path) if path else {})


def write_table(path: str | Path, fit: NetworkFit, facts: Mapping[str, str], tool: str) -> Path:
    """Write the table to ``path``; ``tool`` is the command that made it.

    Raises:
        TableError: facts that a header cannot hold, a negative latency of the fastest network, or a space
            in which layers share a decision: nothing says which of them takes how long.
    """
    space = fit.effects.space
    if space.shared:
        raise TableError(
            f"A table has rows for every layer, but layers of {space.name} share decisions, and latencies "
            "of whole networks do not say what each of them takes. Measure blocks: python -m latency measure."
        )
    base_ms, shares = _base_ms(fit.effects), _shares(fit.effects)
    entries = [entry for layer in space.layers for entry in _entries(layer, fit.effects, base_ms, shares)]
    fixed = {"stem_ms": _short(base_ms * shares[0]), "head_ms": _short(base_ms * shares[1])}
    text = render(_header(fit, facts, tool, fixed), entries)
    raise_all(parse(text, str(path)).problems, str(path))
    return write_text(path, text)


def _base_ms(effects: Effects) -> float:
    """Estimated latency of the network of the fastest choices."""
    base_ms = effects.mean + float(_fastest_effects(effects).sum())
    if base_ms <= 0:
        raise TableError(
            f"By these measurements the fastest network of {effects.space.name} would take {base_ms:.4g} ms: "
            f"the noise ({effects.noise:.3g} ms) is too large, or blocks do not add up on this runtime. "
            "Measure more networks, or blocks by themselves."
        )
    return base_ms


def _fastest_effects(effects: Effects) -> np.ndarray:
    fastest: np.ndarray = np.where(effects.space.valid, effects.effect, np.inf).min(axis=1)
    return fastest


def _shares(effects: Effects) -> np.ndarray:
    """(2 + L,) shares of multiply-adds of stem, head and every layer's fastest choice."""
    space = effects.space
    fastest = np.where(space.valid, effects.effect, np.inf).argmin(axis=1)
    madds = [
        sum(op.madds for op in space.stem_ops),
        sum(op.madds for op in space.head_ops),
        *count(space).madds[np.arange(len(space)), fastest],
    ]
    return np.array(madds) / sum(madds)


def _entries(layer: Layer, effects: Effects, base_ms: float, shares: np.ndarray) -> list[Entry]:
    row = effects.effect[layer.index, : len(layer.choices)]
    ms = base_ms * shares[2 + layer.index] + row - row.min()
    errors = effects.standard_error[layer.index]
    return [
        Entry(
            layer.name,
            choice.name,
            Geometry.of(layer, choice),
            _short(ms[column]),
            "calibrated",
            relative_error=_short(errors[column] / ms[column]) if ms[column] else 0.0,
        )
        for column, choice in enumerate(layer.choices)
    ]


def _short(value: float) -> float:
    """Seven digits: far below any measurement's error, and never rounded to 0."""
    return float(f"{value:.7g}")


def _header(
    fit: NetworkFit, facts: Mapping[str, str], tool: str, fixed: Mapping[str, float]
) -> dict[str, Any]:
    space, networks = fit.effects.space, len(fit.samples.values)
    return {
        "format": FORMAT,
        "name": f"{space.name}_from_networks",
        "kind": "calibrated",
        **facts,
        "unit": "ms",
        "statistic": f"block effects fitted by least squares to {networks} networks measured end to end",
        "space": space.name,
        "resolution": space.resolution,
        "batch": 1,
        "tool": tool,
        "notes": CONVENTION,
        "error": _error(fit),
        "fixed": {
            **fixed,
            "overhead_ms": 0.0,
            "overhead_note": "whole networks do not tell the overhead from stem and head",
            **fixed_operations(space),
        },
        "calibration": None,
    }


def _error(fit: NetworkFit) -> dict[str, Any]:
    return {
        "statement": (
            f"networks left out of the fit ({fit.folds} folds): {fit.mape:.1%} mean, {fit.max_error:.1%} max "
            "relative error; per entry: the standard error of its difference from the layer's mean"
        ),
        "network_mean": _short(fit.mape),
        "network_max": _short(fit.max_error),
    }
