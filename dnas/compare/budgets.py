"""The best accuracy within a latency budget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dnas.compare.estimate import estimate
from dnas.compare.model import Budget, Method, Point, Quality, Run


def default_budgets(methods: Sequence[Method], number: int = 5) -> list[float]:
    """The upper ends of ``number`` equal parts of the range of all members' latencies; [] without any."""
    latencies = [point.latency_ms for method in methods for run in method.runs for point in run.members]
    if not latencies:
        return []
    return sorted(set(np.linspace(min(latencies), max(latencies), number + 1)[1:].tolist()))


def best_within(methods: Sequence[Method], budgets: Sequence[float], quality: Quality) -> tuple[Budget, ...]:
    """Every method's best member within every budget (ms), by ``quality``, budgets rising."""
    return tuple(_budget(ms, method, quality) for ms in sorted(budgets) for method in methods)


def _budget(ms: float, method: Method, quality: Quality) -> Budget:
    best = [_best(run, ms, quality) for run in method.runs]
    return Budget(
        latency_ms=ms,
        method=method.name,
        quality=estimate([None if point is None else getattr(point, quality) for point in best]),
        top1=estimate([None if point is None else point.top1 for point in best]),
    )


def _best(run: Run, ms: float, quality: Quality) -> Point | None:
    """Of equals the fastest, which comes first."""
    within = [point for point in run.members if point.latency_ms <= ms]
    if quality == "top1":
        return max(within, key=lambda point: point.top1, default=None)
    return min(within, key=lambda point: point.loss, default=None)
