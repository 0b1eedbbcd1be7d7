"""The figures of a search and of a derivation, written into a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dnas.report.curves import search_curves
from dnas.report.drawing import architecture_drawing
from dnas.report.heatmap import alpha_heatmap
from dnas.report.history import History
from dnas.report.style import save_figure
from dnas.report.tradeoff import accuracy_latency
from dnas.space.architecture import Architecture


def write_search_figures(
    folder: Path,
    records: Sequence[Mapping[str, float]],
    probabilities: np.ndarray,
    chosen: Architecture,
    latency_kind: str,
    target_ms: float | None = None,
) -> None:
    """``alpha.png`` (heat map of alpha with the chosen blocks) and ``curves.png`` (the course of the search).

    Args:
        records: metrics of every epoch; without any there are no curves.
        probabilities: (L, C) softmax of alpha.
    """
    save_figure(alpha_heatmap(probabilities, chosen.space, chosen), folder / "alpha.png")
    if records:
        history = History.from_records(records)
        save_figure(
            search_curves(history, target_ms=target_ms, latency_kind=latency_kind), folder / "curves.png"
        )


def write_candidate_figures(
    folder: Path, rows: Sequence[Mapping[str, Any]], chosen: Architecture, latency_kind: str
) -> None:
    """``architecture.png``, and ``accuracy_latency.png`` when several networks have an accuracy.

    Args:
        rows: name, latency_ms, top1 (a fraction, or None) and params of every network.
    """
    save_figure(architecture_drawing(chosen), folder / "architecture.png")
    points = [(r["name"], r["latency_ms"], r["top1"], r["params"]) for r in rows if r["top1"] is not None]
    if len(points) > 1:
        figure = accuracy_latency(points, latency_kind=latency_kind, top1_kind="one-shot top-1 accuracy")
        save_figure(figure, folder / "accuracy_latency.png")
