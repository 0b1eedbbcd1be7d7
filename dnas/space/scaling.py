"""Members of a space's family: the same layers and choices, wider or narrower, for smaller or larger images.

MobileNets (arXiv 1704.04861) name both factors, the width multiplier and the resolution; FBNet
(arXiv 1812.03443) searches its space anew for such members.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from dnas.blocks.widths import rounded
from dnas.space.assembly import stages_of
from dnas.space.space_file import SpaceError

DIVISOR = 8
# Options of choices that are numbers of channels; all others are ratios, which follow their layer.
CHANNEL_OPTIONS = ("hidden", "squeezed")
_NAME = re.compile(
    r"(?P<family>.+?)(_w(?P<width>\d+(\.\d+)?(e-\d+)?)(_div(?P<divisor>\d+))?(?P<head>_fullhead)?)?"
    r"(_(?P<resolution>\d+)px)?"
)


def scaled(
    definition: Mapping[str, Any],
    *,
    width: float,
    resolution: int | None,
    divisor: int | None,
    head: bool,
) -> dict[str, Any]:
    """The plain data of the member; arguments as of :meth:`dnas.space.SearchSpace.scale`, raises alike."""
    own = definition["resolution"]
    resolution = own if resolution is None else resolution
    usual = definition.get("divisor", DIVISOR)
    divisor = usual if divisor is None else divisor
    _refuse(definition, _wrong_arguments(width, resolution, divisor))
    member = copy.deepcopy(dict(definition))
    # Its tables hold the operations of another network.
    member.pop("reduced_from", None)
    member["resolution"] = resolution
    parts = []
    if width != 1:
        _refuse(definition, _vanishing_widths(member, width, head))
        for entry, key in _channels(member, head):
            entry[key] = rounded(entry[key] * width, divisor)
        parts.append(f"w{width:.10g}")
        parts += [f"div{divisor}"] if divisor != usual else []
        parts += [] if head else ["fullhead"]
    if resolution != own:
        _refuse(definition, _vanishing_maps(member))
        parts.append(f"{resolution}px")
    member["name"] = "_".join([definition["name"], *parts])
    member["description"] = _description(definition, width, resolution, divisor, head)
    return member


def factors_of(name: str) -> tuple[str, dict[str, Any]]:
    """The family in a member's name, and the arguments of ``scale`` that give the name; none for others."""
    found = _NAME.fullmatch(name)
    if found is None:
        return name, {}
    types: dict[str, type] = {"width": float, "resolution": int, "divisor": int}
    given = {key: of(found[key]) for key, of in types.items() if found[key] is not None}
    return found["family"], given | ({"head": False} if found["head"] else {})


def _channels(definition: Mapping[str, Any], head: bool) -> Iterator[tuple[dict[str, Any], str]]:
    """Every place where a number of channels is written: the entry, and its key."""
    for part in (definition["stem"], stages_of(definition), definition["head"] if head else ()):
        yield from ((entry, "out") for entry in part if "out" in entry)
    for options in definition["choices"].values():
        yield from ((options, key) for key in CHANNEL_OPTIONS if options.get(key) is not None)


def _refuse(definition: Mapping[str, Any], problems: list[str]) -> None:
    if problems:
        raise SpaceError(f"The space {definition['name']} cannot be scaled: {'; '.join(problems)}.")


def _wrong_arguments(width: Any, resolution: Any, divisor: Any) -> list[str]:
    problems = []
    if not _is_number(width) or not (math.isfinite(width) and width > 0):
        problems.append(f"width must be a number above 0, got {width!r}")
    for name, value in (("resolution", resolution), ("divisor", divisor)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            problems.append(f"{name} must be a whole number of at least 1, got {value!r}")
    return problems


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _vanishing_widths(definition: Mapping[str, Any], width: float, head: bool) -> list[str]:
    """Rounding gives the divisor at least: a width that leaves no whole channel would go unnoticed."""
    narrowest = min(entry[key] for entry, key in _channels(definition, head))
    if narrowest * width >= 1:
        return []
    return [
        f"width {width:.10g} leaves nothing of {narrowest} channels; it must be at least {1 / narrowest:.4g}"
    ]


def _vanishing_maps(definition: Mapping[str, Any]) -> list[str]:
    """A stride on a map of one pixel skips nothing: what follows sees no image any more."""
    before = 1
    for place, stride in _strides(definition):
        if definition["resolution"] <= before:
            least = math.prod(stride for _, stride in _strides(definition)) // 2 + 1
            return [
                f"resolution {definition['resolution']} vanishes: {place} has stride {stride} on a map of "
                f"1 pixel; it must be at least {least}"
            ]
        before *= stride
    return []


def _strides(definition: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The strides above 1, all of them 2, with their places."""
    key = "stages" if "stages" in definition else "layers"
    parts = (("stem", definition["stem"]), (key, stages_of(definition)))
    return [
        (f"{part}[{index}]", entry["stride"])
        for part, entries in parts
        for index, entry in enumerate(entries)
        if entry["stride"] > 1
    ]


def _description(
    definition: Mapping[str, Any], width: float, resolution: int, divisor: int, head: bool
) -> str:
    """Where the member comes from, after what its family says about itself."""
    factors = []
    if width != 1:
        kept = "" if head else ", the head's kept"
        factors.append(f"width {width:.10g} (channels in multiples of {divisor}{kept})")
    if resolution != definition["resolution"]:
        factors.append(f"{resolution} px")
    origin = f"{definition['name']} at {' and '.join(factors)}"
    return "; ".join(filter(None, [definition.get("description", ""), origin]))
