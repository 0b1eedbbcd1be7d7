"""From numbers to places: linear scales, their round ticks, and labels that keep their distance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

LEAST_SPAN = 0.02


@dataclass(frozen=True)
class Scale:
    """A linear scale from ``low`` (0) to ``high`` (1)."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Iterable[float], margin: float = 0.05) -> Scale:
        """The range of ``values`` with a margin on both sides; without finite ones that of 0 and 1.

        It spans at least a fiftieth of the largest value, so that nearly equal values look nearly equal.
        """
        finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
        low, high = min(finite), max(finite)
        least = LEAST_SPAN * (max(abs(low), abs(high)) or 1.0)
        room = max(margin * (high - low), (least - (high - low)) / 2)
        return cls(low - room, high + room)

    def share(self, value: float) -> float:
        """Where ``value`` lies, 0 at ``low`` and 1 at ``high``."""
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Round values inside the scale with their texts, all with the same number of decimals."""
        places = MaxNLocator(nbins=most, steps=[1, 2, 5, 10]).tick_values(self.low, self.high)
        inside = [float(place) for place in places if 0 <= self.share(place) <= 1]
        decimals = _decimals(float(places[1] - places[0]))
        return [(place, f"{place:,.{decimals}f}") for place in inside]


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float] | None:
    """``places`` moved apart to at least ``gap``, within [low, high], in their order; None without room."""
    if gap * (len(places) - 1) > high - low:
        return None
    order = sorted(range(len(places)), key=lambda index: places[index])
    result = list(places)
    floor = low
    for index in order:
        result[index] = floor = max(places[index], floor)
        floor += gap
    ceiling = high
    for index in reversed(order):
        result[index] = ceiling = min(result[index], ceiling)
        ceiling -= gap
    return result


def _decimals(step: float) -> int:
    return next((d for d in range(8) if math.isclose(round(step, d), step, rel_tol=1e-6)), 8)
