"""The file of an adapted table: predicted entries, never measured; equal input gives an equal file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dnas.space import Choice, Layer
from dnas.support.files import write_text
from latency.sources.adapted.adaptation import ASSUMED_BLOCK_ERROR, Adaptation
from latency.sources.adapted.model import LEAST, OVERHEAD_COLUMN
from latency.table.entry import Entry, Geometry
from latency.table.errors import raise_all
from latency.table.facts import REQUIRED
from latency.table.fit_to_space import fixed_operations
from latency.table.header import FORMAT
from latency.table.table import SIGMA_PER_MAPE
from latency.table.table_file import parse, render

KIND = "predicted"
POOR = 0.15  # a mean error of timings left out that says: the known phones are no guide to this one
SHORT = 3  # digits of a relative error after the point
SAME = ("runtime", "runtime_version", "backend", "precision")  # what known phones should agree on


def write_table(path: str | Path, adapted: Adaptation, facts: Mapping[str, str], tool: str) -> Path:
    """Write the table to ``path``.

    Args:
        facts: of the new phone, any of :data:`latency.table.facts.FACTS`; the others are ``unknown``.
        tool: the command that makes the table.

    Raises:
        TableError: facts that a header cannot hold; nothing is written.
    """
    text = render(_header(adapted, facts, tool), _entries(adapted))
    raise_all(parse(text, str(path)).problems, str(path))
    return write_text(path, text)


def _entries(adapted: Adaptation) -> list[Entry]:
    layers = adapted.known.space.layers
    places = [(layer, choice) for layer in layers for choice in layer.choices]
    rows = zip(
        places, adapted.blocks_ms(), adapted.relative_errors(), strict=False
    )  # stem and head come last
    return [_entry(adapted, *place, kinds, error) for place, kinds, error in rows]


def _entry(adapted: Adaptation, layer: Layer, choice: Choice, kinds: np.ndarray, error: float) -> Entry:
    return Entry(
        layer=layer.name,
        choice=choice.name,
        geometry=Geometry.of(layer, choice),
        ms=_digits(kinds.sum()),
        source=KIND,
        relative_error=round(float(error), SHORT),
        parts=_parts(adapted, kinds),
    )


def _parts(adapted: Adaptation, kinds: np.ndarray) -> dict[str, float]:
    if not adapted.known.by_kind:
        return {}
    named = zip(adapted.known.kinds, kinds, strict=True)
    return {kind: _digits(ms) for kind, ms in named if ms and kind != adapted.known.kinds[OVERHEAD_COLUMN]}


def _header(adapted: Adaptation, facts: Mapping[str, str], tool: str) -> dict[str, Any]:
    space = adapted.known.space
    unknown = dict.fromkeys(REQUIRED, "unknown")
    stated = {**unknown, **facts}
    return {
        "format": FORMAT,
        "name": stated.pop("name"),
        "kind": KIND,
        **stated,
        "unit": "ms",
        "statistic": "adapted: known phones' tables, corrected by timings of whole networks",
        "space": space.name,
        "resolution": space.resolution,
        "batch": 1,
        "tool": tool,
        "licence": f"of the timings: {stated['licence']}; of the known phones: {_licences(adapted)}",
        "source": f"timings: {stated['source']}; known phones: {_sources(adapted)}",
        "error": _error(adapted),
        "validation": _validation(adapted),
        "fixed": _fixed(adapted),
        "calibration": None,
    }


def _sources(adapted: Adaptation) -> str:
    """Which tables, by content, and where they are from; equal origins are named once."""
    tables = ", ".join(
        f"{table.name} ({table.kind}, sha256 {table.sha256[:12]})" for table in adapted.known.tables
    )
    origins = dict.fromkeys(str(table.provenance["source"]) for table in adapted.known.tables)
    return f"{tables}, from {' and from '.join(origins)}"


def _licences(adapted: Adaptation) -> str:
    return "; ".join(dict.fromkeys(str(table.provenance["licence"]) for table in adapted.known.tables))


def _error(adapted: Adaptation) -> dict[str, Any]:
    left_out = adapted.left_out
    return {
        "statement": (
            f"{len(adapted.timings)} networks timed, each predicted from the others: {left_out.mape:.1%} "
            f"mean, {left_out.max_error:.1%} max relative error; the model expects a standard deviation of "
            f"{left_out.sigma:.1%} of a network; no block was ever timed on this phone"
        ),
        "network_mean": round(left_out.sigma / SIGMA_PER_MAPE, SHORT),
        "network_max": round(left_out.max_error, SHORT),
    }


def _validation(adapted: Adaptation) -> dict[str, Any]:
    left_out = adapted.left_out
    tau = {} if math.isnan(left_out.kendall_tau) else {"kendall_tau": round(left_out.kendall_tau, SHORT)}
    figures = {
        "what": "whole networks",
        "mape": round(left_out.mape, SHORT),
        "max_error": round(left_out.max_error, SHORT),
        **tau,
        "n": len(adapted.timings),
    }
    weak_spots = [*_weak_spots(adapted)]
    return {
        "method": "each timed network left out and predicted from the known phones and the other timings",
        "figures": [figures],
        **({"weak_spots": weak_spots} if weak_spots else {}),
    }


def _weak_spots(adapted: Adaptation) -> Iterator[str]:
    known = adapted.known
    if len(known.tables) == 1:
        yield (
            f"one known phone: how blocks of phones differ is an assumption ({ASSUMED_BLOCK_ERROR:.0%}), and "
            "so is the noise that is expected"
        )
    if not known.by_kind:
        yield "the tables do not tell kinds of kernels apart: the new phone has one factor for all of them"
    if not any(table.overhead_ms for table in known.tables):
        yield "no table states an overhead per inference: that of the new phone is in its blocks"
    for fact in SAME:
        found = list(dict.fromkeys(str(table.provenance[fact]) for table in known.tables))
        if len(found) > 1:
            yield f"the known phones differ in {fact}: {', '.join(found)}"
    if held := adapted.held():
        yield (
            f"{held} of {len(adapted.keys)} blocks: by the timings alone a kind of kernels would take less "
            f"than {LEAST:.0%} of what the known phones say; it is held there"
        )
    if adapted.left_out.mape > POOR:
        yield (
            f"the known phones explain these timings badly (mean error {adapted.left_out.mape:.0%}): another "
            "runtime, or timings that are wrong"
        )


def _fixed(adapted: Adaptation) -> dict[str, Any]:
    stem, head = adapted.blocks_ms()[-2:]
    return {
        "stem_ms": _digits(stem.sum()),
        "head_ms": _digits(head.sum()),
        "overhead_ms": _digits(adapted.overhead_ms()),
        "stem_parts": _parts(adapted, stem),
        "head_parts": _parts(adapted, head),
        **fixed_operations(adapted.known.space),
    }


def _digits(value: float) -> float:
    """Five digits: far below the errors, and never rounded to 0."""
    return float(f"{value:.5g}")
