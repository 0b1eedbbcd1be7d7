"""All members of a sweep in one front: sweep.json, a table, a figure and a page that holds them."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from dnas.report.html.markup import Markup, element, join
from dnas.report.style import save_figure
from dnas.report.tradeoff import Point, accuracy_latency, front_indices
from dnas.support.files import write_text
from dnas.sweep.members import Derived, Member

FORMAT, RESULT, FIGURE, PAGE = "dnas-sweep/1", "sweep.json", "front.png", "report.html"
HEADINGS = ("", "network", "space", "latency ms", "top-1", "loss", "params M", "madds M")
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;
max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
img{max-width:100%}table{border-collapse:collapse}td,th{padding:.2rem .7rem;text-align:right}
td:nth-child(-n+3),th:nth-child(-n+3){text-align:left}tr{border-bottom:1px solid #ddd}"""


@dataclass(frozen=True)
class Sweep:
    """What all searches gave, joined.

    Args:
        searches: by name, in their order.
        options: as the user gave them, for the record.
    """

    searches: Mapping[str, Derived]
    options: Mapping[str, Any]

    @property
    def members(self) -> list[Member]:
        """Of all searches."""
        return [member for each in self.searches.values() for member in each.members]

    @property
    def front(self) -> list[Member]:
        """Members with an accuracy that no other one beats in accuracy and latency, the fastest first."""
        known = [(each, each.top1) for each in self.members if each.top1 is not None]
        latency_ms = np.array([each.latency_ms for each, _ in known])
        top1 = np.array([top1 for _, top1 in known])
        return [known[index][0] for index in front_indices(latency_ms, top1)]

    @property
    def notes(self) -> list[str]:
        """What a reader of the front must know."""
        kinds = ", ".join(dict.fromkeys(each.latency_kind for each in self.searches.values()))
        devices = " and ".join(dict.fromkeys(each.device for each in self.searches.values()))
        notes = [f"Latency: {devices}; {kinds}, of the deployed networks."]
        if len(self.searches) > 1 and self.front:
            notes.append(
                "Accuracies are one-shot, of another supernet for every search: between searches they are a "
                "hint. Retrain the front before you choose."
            )
        notes += [
            f"{name}: no network is as fast as {' or '.join(f'{ms:g}' for ms in each.unattainable)} ms, the "
            f"fastest takes {each.fastest_ms:.4g} ms."
            for name, each in self.searches.items()
            if each.unattainable
        ]
        return notes

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as in sweep.json."""
        front = self.front
        return {
            "format": FORMAT,
            "options": dict(self.options),
            "searches": {
                name: {
                    "table": each.table,
                    "latency_kind": each.latency_kind,
                    "device": each.device,
                    "unattainable_ms": list(each.unattainable),
                    "fastest_ms": each.fastest_ms,
                }
                for name, each in self.searches.items()
            },
            "members": [{**dataclasses.asdict(each), "on_front": each in front} for each in self.members],
            "notes": self.notes,
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }


def write(sweep: Sweep, output: Path) -> None:
    """Figure and page first: where sweep.json is, all is there."""
    if sweep.front:
        kinds = ", ".join(dict.fromkeys(each.latency_kind for each in sweep.searches.values()))
        shown, quality = points(sweep.members), "one-shot top-1 accuracy"
        figure = accuracy_latency(shown, latency_kind=kinds, top1_kind=quality)
        save_figure(figure, output / FIGURE)
    else:
        (output / FIGURE).unlink(missing_ok=True)
    write_text(output / PAGE, page(sweep, output))
    write_text(output / RESULT, json.dumps(sweep.to_dict(), indent=1, allow_nan=False) + "\n")


def points(members: Iterable[Member]) -> list[Point]:
    """One for every network: a loose target often finds the network of a tighter one."""
    networks: dict[tuple[str, str], list[Member]] = {}
    for each in members:
        networks.setdefault((each.search, each.architecture), []).append(each)
    found = []
    for (search, _), same in networks.items():
        targets, top1 = ", ".join(f"{each.target_ms:g}" for each in same), same[0].top1
        name = f"{search}, at most {targets} ms"
        found.append(Point(name, same[0].latency_ms, math.nan if top1 is None else top1, same[0].params))
    return found


def rows(sweep: Sweep) -> list[tuple[str, ...]]:
    """The cells of every member under :data:`HEADINGS`, by rising latency; a star marks the front."""
    front = sweep.front
    return [
        (
            "*" if each in front else "",
            each.name,
            f"{each.space}, {each.resolution} px",
            f"{each.latency_ms:.2f}",
            "-" if each.top1 is None else f"{each.top1:.2%}",
            "-" if each.loss is None else f"{each.loss:.3f}",
            f"{each.params / 1e6:.3f}",
            f"{each.madds / 1e6:.2f}",
        )
        for each in sorted(sweep.members, key=lambda each: each.latency_ms)
    ]


def summary_table(sweep: Sweep) -> Table:
    """For the terminal."""
    table = Table(title="Members of the sweep (*: on the front)", title_justify="left")
    table.box, table.padding, table.pad_edge = box.SIMPLE_HEAD, (0, 1, 0, 0), False
    for index, heading in enumerate(HEADINGS):
        # Names may take two lines, numbers are whole.
        table.add_column(heading, justify="left" if index < 3 else "right", no_wrap=index >= 3)
    for cells in rows(sweep):
        table.add_row(*cells)
    return table


def page(sweep: Sweep, output: Path) -> str:
    """One HTML file that needs no other; a member's name links to its architecture file."""
    files = {each.name: each.file for each in sweep.members}
    head = element("tr", *(element("th", heading) for heading in HEADINGS))
    body = [element("tr", *(element("td", _linked(cell, files)) for cell in cells)) for cells in rows(sweep)]
    image = Markup("")
    if sweep.front:
        content = base64.b64encode((output / FIGURE).read_bytes()).decode("ascii")
        image = Markup(f'<img alt="Accuracy against latency" src="data:image/png;base64,{content}">')
    parts = join(
        element("h1", "A sweep of searches"),
        image,
        element("table", head, *body),
        element("ul", *(element("li", note) for note in sweep.notes)),
    )
    title = '<!doctype html><html lang="en"><meta charset="utf-8"><title>dnas sweep</title>'
    return f"{title}<style>{_STYLE}</style><body>{parts}</body></html>\n"


def _linked(text: str, files: Mapping[str, str]) -> str:
    return element("a", text, href=files[text]) if text in files else text
