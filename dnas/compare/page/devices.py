"""Several devices on the page: the matrix of transfers as heat maps, and what each device picks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dnas.compare.looks import darkest_percent, quality_axis
from dnas.compare.model import Comparison, Devices, Transfer
from dnas.compare.page.heat import DARK
from dnas.compare.page.tables import scrolling_table
from dnas.report.html.markup import Markup, element, join, number

# These cells hold more than the per cent of a layer's.
ROOM = "padding:3px 10px"


def device_tables(devices: Devices) -> Markup:
    """The tables of the devices, and a matrix for every number of a transfer."""
    darkest = darkest_percent(devices)
    levels = len(devices.levels)
    return join(
        _devices(devices),
        _matrix(
            devices,
            "Extra latency at equal quality (%), and how far the interval reaches",
            lambda each: each.extra_percent,
            lambda value: f"{value:.1f}",
            lambda value: value / darkest,
            _reach,
        ),
        _matrix(
            devices,
            "Hypervolume of quality and latency that is kept (%)",
            lambda each: each.kept_hypervolume,
            lambda value: f"{100 * value:.1f}",
            lambda value: 1 - value,
        ),
        _matrix(
            devices,
            f"Equal picks, of {levels} levels of quality",
            lambda each: float(each.same_picks),
            lambda value: f"{value:.0f}",
            lambda value: value / max(levels, 1),
        ),
        _matrix(
            devices,
            "Kendall's tau of the latencies of all networks",
            lambda each: each.tau,
            lambda value: f"{value:.2f}",
            lambda value: max(value, 0.0),
        ),
    )


def pick_table(devices: Devices, comparison: Comparison) -> Markup:
    """A row per device and level: the fastest network there, and its latency on all devices."""
    axis = quality_axis(comparison)
    sense = "at least" if axis.rising else "at most"
    rows = [
        element(
            "tr",
            element("th", device.name, scope="row"),
            element("td", f"{sense} {axis.text(pick.level)}", class_="num"),
            element("td", axis.text(getattr(pick.point, comparison.quality)), class_="num"),
            *(element("td", f"{ms:.2f}", class_="num") for ms in pick.latency_ms),
            element("td", element("code", " ".join(pick.point.choices)), class_="network"),
        )
        for device in devices.devices
        for pick in device.picks
    ]
    latencies = [f"ms on {device.name}" for device in devices.devices]
    names = ("picked for", axis.short, f"its {axis.short}", *latencies, "network, first layer first")
    head = element("tr", *(element("th", name, scope="col") for name in names))
    return scrolling_table("Fastest networks by level of quality", head, rows, "plain") if rows else Markup()


def _devices(devices: Devices) -> Markup:
    rows = [
        element(
            "tr",
            element("th", device.name, scope="row"),
            element("td", device.table.kind),
            element("td", str(len(device.front)), class_="num"),
            element("td", device.table.description),
        )
        for device in devices.devices
    ]
    names = ("device", "latency", "networks of its front", "table")
    head = element("tr", *(element("th", name, scope="col") for name in names))
    return scrolling_table("Devices", head, rows, "plain")


def _matrix(
    devices: Devices,
    caption: str,
    get: Callable[[Transfer], float | None],
    write: Callable[[float], str],
    shade: Callable[[float], float],
    small: Callable[[Transfer], str] = lambda each: "",
) -> Markup:
    """One heat map; ``shade`` gives how dark a cell is, in [0, 1]."""
    names = [device.name for device in devices.devices]

    def cell(each: Transfer) -> Markup:
        value = get(each)
        if value is None:
            return element("td", "–", class_="none", style=ROOM)
        share = shade(value)
        text = [write(value), *([element("small", small(each))] if small(each) else [])]
        return element(
            "td", *text, style=f"--v:{number(share, 2)};{ROOM}", class_="dark" if share >= DARK else None
        )

    rows = [
        _row(name, [cell(each) for each in devices.transfers if each.chosen_for == name]) for name in names
    ]
    heads = (element("th", name, scope="col", style=ROOM) for name in names)
    head = element("tr", element("th", "chosen for, on:"), *heads)
    return scrolling_table(caption, head, rows, "heat")


def _row(name: str, cells: Sequence[Markup]) -> Markup:
    return element("tr", element("th", name, scope="row"), *cells)


def _reach(each: Transfer) -> str:
    return f"± {each.interval_percent:.1f}" if each.interval_percent else ""
