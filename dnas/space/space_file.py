"""Reading a search space from YAML: every mistake in the file is reported at once, with its place.

The schema is the JSON Schema beside the shipped spaces (``dnas/space/spaces/schema.json``); what a schema
cannot say (names that must exist, channels that groups must divide) is checked here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml
from jsonschema import Draft202012Validator, TypeChecker
from jsonschema.validators import extend

Place = tuple[str | int, ...]


class SpaceError(ValueError):
    """A search space that cannot be used; the message lists everything that is wrong with it."""


def parse(content: str | bytes, source: str) -> dict[str, Any]:
    """Parse and check the YAML ``content`` of a space (bytes: UTF-8); ``source`` names it in messages.

    Raises:
        SpaceError: listing every mistake with its key path and line.
    """
    try:
        text = content.decode("utf-8") if isinstance(content, bytes) else content
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    # Besides its own errors PyYAML lets through those of int() and datetime() for scalars such as 2020-13-45.
    except (yaml.YAMLError, ValueError) as error:
        raise SpaceError(f"{source} is not valid YAML: {error}") from error
    if node is None or not isinstance(document, dict):
        raise SpaceError(
            f"{source} is not a search space: expected a YAML mapping with 'format: dnas-space/1'."
        )
    lines: dict[Place, int] = {}
    problems = [f"{source}:{line}: {what}" for line, what in _walk(node, (), lines)]
    problems += [f"{source}:{_line(lines, place)}: {what}" for place, what in find_problems(document)]
    raise_all(problems, source)
    return document


def check(document: Mapping[str, Any]) -> None:
    """Check a space given as plain data (as embedded in an architecture file or a checkpoint)."""
    if not isinstance(document, Mapping):
        raise SpaceError(f"A search space is a mapping with 'format: dnas-space/1', got {document!r}.")
    source = str(document.get("name", "given as data"))
    raise_all([f"{source}: {what}" for _, what in find_problems(document)], source)


def raise_all(problems: list[str], source: str) -> None:
    """Raise one :class:`SpaceError` that lists all ``problems``, if there are any."""
    if problems:
        listing = "\n  ".join(problems)
        raise SpaceError(
            f"{len(problems)} problem(s) in the search space {source}:\n  {listing}\n"
            "The format is described in docs/spaces.md; dnas/space/spaces/moga.yaml is an example."
        )


def find_problems(document: Mapping[str, Any]) -> list[tuple[Place, str]]:
    """All problems as (place, message); an empty list means that the space can be built."""
    errors = sorted(_validator().iter_errors(document), key=lambda error: list(map(str, error.absolute_path)))
    problems = [(tuple(error.absolute_path), _say(error)) for error in errors]
    return problems or [*_unknown_choices(document), *_bad_groups(document)]


@lru_cache(maxsize=1)
def _validator() -> Any:
    """JSON Schema, but 8.0 is no integer (no convolution takes it), and NaN and infinity are no numbers."""
    schema = resources.files("dnas.space").joinpath("spaces/schema.json").read_text(encoding="utf-8")
    types = Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number})
    return extend(Draft202012Validator, type_checker=types)(json.loads(schema))


def _is_integer(checker: TypeChecker, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(checker: TypeChecker, value: object) -> bool:
    return _is_integer(checker, value) or (isinstance(value, float) and math.isfinite(value))


def _say(error: Any) -> str:
    place = _dotted(error.absolute_path)
    if error.validator == "oneOf":
        return f"{place}: {error.instance!r} must give 'expansion' and 'kernel', or 'skip: true' alone"
    if error.validator == "not":
        return f"{place}: {error.instance!r} must be odd"
    if error.validator in {"contains", "maxContains"}:
        return f"{place}: must hold exactly one 'pool'"
    return f"{place}: {error.message}"


def _unknown_choices(document: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    known = list(document["choices"])
    for index, layer in enumerate(document["layers"]):
        unknown = [name for name in layer.get("choices", []) if name not in known]
        if unknown:
            place = ("layers", index, "choices")
            what = f"unknown choice(s) {', '.join(unknown)}; known are {', '.join(known)}"
            yield place, f"{_dotted(place)}: {what}"


def _bad_groups(document: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    channels = document["stem"][-1]["out"]
    for index, layer in enumerate(document["layers"]):
        place = ("layers", index)
        for name in layer.get("choices", document["choices"]):
            choice = document["choices"].get(name, {})
            groups, hidden = choice.get("groups", 1), hidden_channels(channels, choice.get("expansion", 1))
            bad = ", ".join(str(c) for c in (channels, hidden, layer["out"]) if c % groups)
            what = f"{_dotted(place)}: {name}"
            if bad:
                yield place, f"{what} has {groups} groups, which do not divide {bad} channels"
            if int(hidden * choice.get("se", 0)) == 0 < choice.get("se", 0):
                yield place, f"{what} squeezes {hidden} hidden channels to none (se {choice['se']})"
        channels = layer["out"]


def hidden_channels(in_channels: int, expansion: float) -> int:
    """Hidden channels of an inverted residual: input channels times expansion, rounded, at least 1."""
    return max(1, round(in_channels * expansion))


def _walk(node: yaml.Node, place: Place, lines: dict[Place, int]) -> Iterator[tuple[int, str]]:
    """Fill ``lines`` with the line of every place; yield keys given twice, which YAML would drop silently."""
    lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _walk(item, (*place, index), lines)
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.start_mark.line + 1, f"{_dotted((*place, key.value))}: given twice"
            seen.add(key.value)
            yield from _walk(value, (*place, key.value), lines)


def _line(lines: Mapping[Place, int], place: Place) -> int:
    while place not in lines:
        place = place[:-1]
    return lines[place]


def _dotted(place: Any) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.lstrip(".") or "the file"
