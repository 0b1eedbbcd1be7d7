"""Which searches a sweep consists of, and the options that ``dnas fit`` gets for each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

# In an option's value they stand for what the search varies; beside them how its folder's name says it.
PLACES = {"{width}": "w{}", "{resolution}": "{}px", "{target}": "{}ms"}


@dataclass(frozen=True)
class Search:
    """One search.

    Attributes:
        name: of its folder, as ``w0.35_96px_8ms``.
        arguments: of ``dnas fit``.
        targets: latencies in ms; for every one a network that is at most as slow is derived.
    """

    name: str
    arguments: tuple[str, ...]
    targets: tuple[float, ...]


@dataclass(frozen=True)
class Grid:
    """What a sweep varies.

    Args:
        config: of ``dnas fit``.
        targets: latencies in ms.
        widths, resolutions: of the space's family; none: those of the config.
        settings: further options of ``dnas fit``, KEY=VALUE. ``{width}``, ``{resolution}`` and ``{target}``
            in them stand for the search's own; with ``{target}`` every target has a search of its own.
    """

    config: str
    targets: Sequence[float]
    widths: Sequence[float] = ()
    resolutions: Sequence[int] = ()
    settings: Sequence[str] = ()

    def problems(self) -> list[str]:
        """Everything that no sweep can be made of."""
        found = [
            f"--set {each}: expected KEY=VALUE" for each in self.settings if not each.partition("=")[0::2][1]
        ]
        for name, values in (("width", self.widths), ("resolution", self.resolutions)):
            if not values:
                what = f"{{{name}}} stands for a value of --{name}s, which is not given"
                found += [f"--set {each}: {what}" for each in self.settings if f"{{{name}}}" in each]
        return found

    def searches(self) -> list[Search]:
        """All of them, those of the first width first."""
        own = any("{target}" in each for each in self.settings)
        groups = [(target,) for target in self.targets] if own else [tuple(self.targets)]
        grid = product(self.widths or (None,), self.resolutions or (None,), groups)
        return [
            self._search((width, resolution, targets[0] if own else None), targets)
            for width, resolution, targets in grid
        ]

    def _search(self, varied: tuple[float | None, ...], targets: tuple[float, ...]) -> Search:
        values = {
            place: f"{value:.10g}" for place, value in zip(PLACES, varied, strict=True) if value is not None
        }
        scale = [
            f"--model.{place.strip('{}')}={text}" for place, text in values.items() if place != "{target}"
        ]
        settings = [f"--{_filled(each, values)}" for each in self.settings]
        name = "_".join(PLACES[place].format(text) for place, text in values.items()) or "search"
        return Search(name, (f"--config={self.config}", *scale, *settings), targets)


def _filled(text: str, values: Mapping[str, str]) -> str:
    # Not str.format: values of options have braces of their own.
    for place, value in values.items():
        text = text.replace(place, value)
    return text


def number_problems(option: str, numbers: Sequence[float]) -> list[str]:
    """What is wrong with numbers that must be above 0 and given once."""
    listed = " ".join(f"{number:g}" for number in numbers)
    if not all(math.isfinite(number) and number > 0 for number in numbers):
        return [f"{option} must be numbers above 0, got {listed}"]
    return [f"{option}: the same value twice ({listed})"] if len(set(numbers)) < len(numbers) else []
