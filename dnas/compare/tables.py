"""The comparison as CSV text, and as a table for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from dnas.compare.model import Comparison, Devices, Estimate, Method, Outside, Transfer
from dnas.space import SearchSpace

Row = dict[str, Any]
_MEASURES = ("hypervolume", "without\nparams", "evaluations", "search\ns", "training\ns")


def csv_files(comparison: Comparison) -> dict[str, str]:
    """File name -> content of every table. None is an empty cell."""
    tables = {
        "hypervolume.csv": _hypervolumes(comparison),
        "budgets.csv": _budgets(comparison),
        "costs.csv": _costs(comparison),
        "agreement.csv": _agreements(comparison),
        "points.csv": _points(comparison),
    }
    if comparison.outside:
        tables["outside.csv"] = _outside(comparison)
    if comparison.devices is not None:
        tables["devices.csv"] = _transfers(comparison.devices)
        tables["device_picks.csv"] = _picks(comparison.devices)
    return {name: _csv(columns, rows) for name, (columns, rows) in tables.items()}


def _hypervolumes(comparison: Comparison) -> tuple[Sequence[str], Iterator[Row]]:
    """A row per run, and one per method with "mean" for its seed and the interval."""
    columns = ("method", "kind", "seed", "source", *_spread("hypervolume"), *_spread("hypervolume_plane"))

    def rows() -> Iterator[Row]:
        for method in comparison.methods:
            label = {"method": method.name, "kind": method.kind}
            volumes = zip(
                method.runs, method.hypervolume.values, method.hypervolume_plane.values, strict=True
            )
            for run, volume, plane in volumes:
                found = {"hypervolume": volume, "hypervolume_plane": plane}
                yield label | {"seed": run.seed, "source": run.source} | found
            means = _cells("hypervolume", method.hypervolume)
            yield label | {"seed": "mean"} | means | _cells("hypervolume_plane", method.hypervolume_plane)

    return columns, rows()


def _budgets(comparison: Comparison) -> tuple[Sequence[str], Iterator[Row]]:
    """Runs counts those that have a network within the budget; without all there is no mean."""
    quality = comparison.quality
    names = dict.fromkeys((quality, "top1"))
    columns = ("latency_ms", "method", "runs", *(cell for name in names for cell in _spread(name)))
    rows = (
        {
            "latency_ms": each.latency_ms,
            "method": each.method,
            "runs": sum(value is not None for value in each.quality.values),
            **_cells(quality, each.quality),
            **_cells("top1", each.top1),
        }
        for each in comparison.budgets
    )
    return columns, rows


def _costs(comparison: Comparison) -> tuple[Sequence[str], Iterator[Row]]:
    rows = ({"method": method.name, **asdict(method.cost)} for method in comparison.methods)
    columns = ("seconds", "images", "evaluations", "training_seconds", "training_images")
    return ("method", *columns), rows


def _agreements(comparison: Comparison) -> tuple[Sequence[str], Iterator[Row]]:
    """Pairs of methods, then alpha against methods; the last columns are the distances of the decisions."""
    decisions = SearchSpace.from_dict(comparison.space).decisions
    layers = [f"layer_{each.name.replace('L', '')}" for each in decisions]
    pairs = [(each.first, each) for each in comparison.agreement]
    pairs += [
        (f"alpha of {each.first}", each)
        for alpha in comparison.alpha_against_choices
        for each in alpha.against
    ]
    rows = (
        {
            "first": first,
            "second": each.second,
            "same_choice": each.same_choice,
            "distance": each.distance,
            **dict(zip(layers, each.distances, strict=True)),
        }
        for first, each in pairs
    )
    return ("first", "second", "same_choice", "distance", *layers), rows


def _points(comparison: Comparison) -> tuple[Sequence[str], Iterator[Row]]:
    columns = ("name", "top1", "top5", "loss", "latency_ms", "latency_low_ms", "latency_high_ms", "params")
    rows = (
        {
            **asdict(point),
            "method": method.name,
            "seed": run.seed,
            "source": run.source,
            "architecture": " ".join(point.choices),
        }
        for method in comparison.methods
        for run in method.runs
        for point in run.members
    )
    return ("method", "seed", "source", *columns, "madds", "generation", "architecture"), rows


def _outside(comparison: Comparison) -> tuple[Sequence[str], Iterator[Row]]:
    return tuple(field.name for field in fields(Outside)), map(asdict, comparison.outside)


def _transfers(devices: Devices) -> tuple[Sequence[str], Iterator[Row]]:
    """A row per cell of the matrix; levels is the number that same_picks is out of."""
    columns = [field.name for field in fields(Transfer)]
    columns.insert(columns.index("same_picks") + 1, "levels")
    return columns, (asdict(each) | {"levels": len(devices.levels)} for each in devices.transfers)


def _picks(devices: Devices) -> tuple[Sequence[str], Iterator[Row]]:
    """A row per device and level of quality, with the latencies on all devices."""
    latencies = [f"latency_ms_{device.name}" for device in devices.devices]
    rows = (
        {
            **asdict(pick.point),
            "device": device.name,
            "level": pick.level,
            "architecture": " ".join(pick.point.choices),
            **dict(zip(latencies, pick.latency_ms, strict=True)),
        }
        for device in devices.devices
        for pick in device.picks
    )
    sizes = ("params", "madds")
    return ("device", "level", "top1", "top5", "loss", *latencies, *sizes, "architecture"), rows


def _spread(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


def _cells(name: str, estimate: Estimate) -> Row:
    return dict(zip(_spread(name), (estimate.mean, estimate.low, estimate.high), strict=True))


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def summary_table(comparison: Comparison) -> Table:
    """One row per method: seeds, networks, hypervolumes with intervals, what the search took."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column("method", overflow="fold")
    for heading in ("seeds", "networks", *_MEASURES):
        table.add_column(heading, justify="right", no_wrap=True)
    for method in comparison.methods:
        # Text, not str: rich would read a name with brackets as markup.
        table.add_row(*map(Text, _summary(method)))
    return table


def outside_table(comparison: Comparison) -> Table:
    """Published networks outside the space, one row each."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column("outside the space", overflow="fold")
    for heading in ("published\ntop-1", "latency\nms", "90 %\ninterval", "table", "params\nM"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in comparison.outside:
        top1 = "-" if each.published_top1 is None else f"{each.published_top1:.2%}"
        interval = f"{each.latency_low_ms:.2f} to {each.latency_high_ms:.2f}"
        cells = top1, f"{each.latency_ms:.2f}", interval, each.table_kind, f"{each.params / 1e6:.2f}"
        table.add_row(*map(Text, (each.name, *cells)))
    return table


def devices_table(devices: Devices) -> Table:
    """The matrix of extra latency: rows are what networks were chosen for, columns what they run on."""
    names = [device.name for device in devices.devices]
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column("extra latency (%):\nchosen for, on", overflow="fold")
    for name in names:
        table.add_column(Text(name), justify="right", overflow="fold")
    for name in names:
        row = [each.extra_percent for each in devices.transfers if each.chosen_for == name]
        table.add_row(*map(Text, (name, *("-" if extra is None else f"{extra:.1f}" for extra in row))))
    return table


def _summary(method: Method) -> list[str]:
    cost = method.cost
    return [
        method.name,
        "-" if method.kind == "zoo" else str(len(method.runs)),
        str(sum(len(run.members) for run in method.runs)),
        _told(method.hypervolume),
        _told(method.hypervolume_plane),
        *("-" if x is None else f"{x:,.0f}" for x in (cost.evaluations, cost.seconds, cost.training_seconds)),
    ]


def _told(estimate: Estimate) -> str:
    """E.g. '0.713 ± 0.011', which is narrower than the interval's ends."""
    if estimate.mean is None:
        return "-"
    reach = "" if estimate.high is None else f" ± {estimate.high - estimate.mean:.3f}"
    return f"{estimate.mean:.3f}{reach}"
