"""What specialising for a device is worth: networks found for one device, run on another.

FBNet (arXiv 1812.03443) runs what it found for one phone on another phone. Here that is a matrix over all
pairs of devices, of everything that was evaluated: choosing from it takes no further search.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau

from dnas.compare.files import RunError
from dnas.compare.fronts import Evaluations, make_points
from dnas.compare.judging import Terms
from dnas.compare.model import Device, Devices, Pick, Point, Table, Transfer
from dnas.compare.sentences import devices_finding
from dnas.compare.source import Found
from dnas.costs import LatencyCosts
from dnas.device_tables import DeviceTables
from dnas.search.evolution.hypervolume import share_of_box
from dnas.space.architecture import Architecture

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LEVELS = 5
# Sums of equal milliseconds in another order differ in their last bits; they are the same latency.
DECIMALS = 9


def compare_devices(tables: DeviceTables, evaluations: Evaluations, terms: Terms) -> Devices:
    """The fronts of all devices and the matrix of transfers between them.

    Args:
        tables: by device, two or more, of the space of the terms.
        evaluations: by canonical architecture; those without a finite loss are left out.

    Raises:
        RunError: a table gives a network no time at all, so that nothing is a per cent of it.
    """
    finite = {each: value for each, value in evaluations.items() if math.isfinite(value.loss)}
    # In the order of their names, so that the first of equal networks does not depend on the runs.
    networks = sorted(finite, key=lambda each: each.names)
    quality = np.array([getattr(finite[each], terms.quality) for each in networks], dtype=np.float64)
    sign = 1.0 if terms.quality == "top1" else -1.0
    views = [View(device, table, networks, sign * quality) for device, table in tables.items()]
    levels = make_levels(views)
    devices = tuple(_device(view, views, levels, sign, finite, terms) for view in views)
    transfers = tuple(_transfer(row, column, levels, sign, terms) for row in views for column in views)
    finding = devices_finding(transfers, len(networks))
    return Devices(finding, len(networks), tuple(sign * level for level in levels), devices, transfers)


@dataclass(frozen=True, eq=False)
class View:
    """All n networks as one device sees them.

    Attributes:
        worth: (n,) quality, higher is better.
    """

    device: str
    table: LatencyCosts
    networks: Sequence[Architecture]
    worth: FloatArray

    @cached_property
    def latency_ms(self) -> FloatArray:
        """(n,), equal where it would differ by rounding alone."""
        latency_ms = np.round(self.table.latency_ms(self.networks), DECIMALS)
        if latency_ms.size and latency_ms.min() <= 0:
            raise RunError(
                f"The table of {self.device} ({self.table.name}) gives a network no time at all (0 ms): "
                "no penalty can be a share of it. Give a table with the times of that device."
            )
        return latency_ms

    @cached_property
    def front(self) -> IntArray:
        """Networks that none dominates in quality and latency, by rising latency; all of equal ones."""
        order = np.lexsort((-self.worth, self.latency_ms))
        places, number = np.unique(self.latency_ms[order], return_inverse=True)
        best = np.full(len(places), -np.inf)
        np.maximum.at(best, number, self.worth[order])
        # The best of everything faster: nothing is faster than the fastest.
        before = np.concatenate([[-np.inf], np.maximum.accumulate(best)[:-1]]) if len(best) else best
        worth = self.worth[order]
        return np.asarray(order[(worth == best[number]) & (worth > before[number])], dtype=np.int64)

    def fastest(self, levels: Sequence[float] | FloatArray) -> IntArray:
        """The fastest network of each level's quality or better; of equals the first by its names.

        Every level must be reached by a network.
        """
        # Along the front, quality rises with latency; lexsort keeps equals in the order of names.
        return self.front[np.searchsorted(self.worth[self.front], levels, side="left")]


def make_levels(views: Sequence[View], number: int = LEVELS) -> list[float]:
    """Qualities, higher is better, evenly from the lowest on any front to the best; [] without networks."""
    fronts = [view.worth[view.front] for view in views if len(view.front)]
    if not fronts:
        return []
    low, high = min(worth[0] for worth in fronts), max(worth[-1] for worth in fronts)
    return np.unique(np.linspace(low, high, number)).tolist()


def _device(
    view: View,
    views: Sequence[View],
    levels: Sequence[float],
    sign: float,
    evaluations: Evaluations,
    terms: Terms,
) -> Device:
    table = view.table
    points = {
        point.choices: point
        for point in make_points(
            [Found(view.networks[each]) for each in {*view.front.tolist(), *view.fastest(levels).tolist()}],
            evaluations,
            table,
            terms.costs,
        )
    }

    def point(network: int) -> Point:
        return points[view.networks[network].names]

    picks = tuple(
        Pick(sign * level, point(network), tuple(float(other.latency_ms[network]) for other in views))
        for level, network in zip(levels, view.fastest(levels).tolist(), strict=True)
    )
    return Device(
        name=view.device,
        table=Table(table.name, table.kind, table.sha256, table.describe()),
        front=tuple(point(network) for network in view.front.tolist()),
        picks=picks,
    )


def _transfer(row: View, column: View, levels: Sequence[float], sign: float, terms: Terms) -> Transfer:
    """The networks of the row's device on the column's."""
    own = column.fastest(row.worth[row.front])
    extra = column.latency_ms[row.front] / column.latency_ms[own] - 1
    fastest = [column.networks[each] for each in own]
    high = column.table.latency_interval(fastest)[1]
    reach = high / column.table.latency_ms(fastest) - 1
    return Transfer(
        chosen_for=row.device,
        runs_on=column.device,
        extra_percent=_percent(extra),
        interval_percent=_percent(reach),
        kept_hypervolume=_kept(row, column, sign, terms),
        same_picks=int((row.fastest(levels) == column.fastest(levels)).sum()),
        tau=_tau(row.latency_ms, column.latency_ms),
    )


def _percent(shares: FloatArray) -> float | None:
    return float(100 * shares.mean()) if shares.size else None


def _kept(row: View, column: View, sign: float, terms: Terms) -> float | None:
    whole = _volume(column.front, column, sign, terms)
    return _volume(row.front, column, sign, terms) / whole if whole > 0 else None


def _volume(networks: IntArray, view: View, sign: float, terms: Terms) -> float:
    """Of quality and latency on the view's device, within the extremes of the space there."""
    ends = [view.table.latency_ms(each) for each in (view.table.dearest(), view.table.cheapest())]
    values = np.column_stack([sign * view.worth[networks], view.latency_ms[networks]])
    return share_of_box(values, [terms.box.quality, [round(end, DECIMALS) for end in ends]])


def _tau(first: FloatArray, second: FloatArray) -> float | None:
    """Kendall's tau-b; None where it is not defined."""
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(kendalltau(first, second).statistic)
