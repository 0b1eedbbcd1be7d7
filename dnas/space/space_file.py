"""Reading a search space from YAML: every mistake in the file is reported at once, with its place.

The schema is the JSON Schema beside the shipped spaces (``dnas/space/spaces/schema.json``), in version 2
of the format with that of each block type's options; what a schema cannot say (names that must exist,
channels that groups must divide) is checked here, or by the block type.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import yaml
from jsonschema import Draft202012Validator, TypeChecker
from jsonschema.validators import extend

from dnas import blocks
from dnas.blocks.base import BlockType, options_schema
from dnas.space.assembly import assemble, choices_by_name, stages_of
from dnas.space.decisions import unknown_names
from dnas.space.layers import Layer
from dnas.support.documents import DocumentError, check_values, load_yaml

# Choices of version 1 are inverted residuals and skips; version 2 adds the type of a block, and stages.
FORMATS = ("dnas-space/1", "dnas-space/2")
SINCE_VERSION_2 = ("stages", "divisor", "norm")
Place = tuple[str | int, ...]
# Of one block: a million times those of large networks, and sums of a thousand are exact in floats and int64.
MAX_MADDS = 10**12
MAX_LAYERS = 1000
_AT_MOST = f"multiply-adds, expected at most {MAX_MADDS:.0e}"


class SpaceError(ValueError):
    """A search space that cannot be used; the message lists everything that is wrong with it."""


def parse(content: str | bytes, source: str) -> dict[str, Any]:
    """Parse and check the YAML ``content`` of a space (bytes: UTF-8); ``source`` names it in messages.

    Raises:
        SpaceError: listing every mistake with its key path and line.
    """
    try:
        text = content.decode("utf-8") if isinstance(content, bytes) else content
        document = load_yaml(text, unique=False)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise SpaceError(f"{source} is not valid YAML: {error}") from error
    if node is None or not isinstance(document, dict):
        raise SpaceError(
            f"{source} is not a search space: expected a YAML mapping with 'format: {FORMATS[-1]}'."
        )
    lines: dict[Place, int] = {}
    problems = [f"{source}:{line}: {what}" for line, what in _walk(node, (), lines)]
    problems += [f"{source}:{_line(lines, place)}: {what}" for place, what in find_problems(document)]
    raise_all(problems, source)
    return document


def check(document: Mapping[str, Any]) -> None:
    """Check a space given as plain data (as embedded in an architecture file or a checkpoint)."""
    if not isinstance(document, Mapping):
        raise SpaceError(f"A search space is a mapping with 'format: {FORMATS[-1]}', got {document!r}.")
    try:
        check_values(document)
    except DocumentError as error:
        raise SpaceError(f"A search space given as data: {error}.") from error
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
    problems = _schema_problems(_schema(str(document.get("format"))), document)
    if not problems and document["format"] != FORMATS[0]:
        problems = [each for item in document["choices"].items() for each in _option_problems(*item)]
    problems = problems or _too_many_layers(document)
    problems = problems or [
        *_unknown_choices(document),
        *_stage_problems(document),
        *_linear_on_maps(document),
    ]
    return problems or [*_misplaced(document)] or [*_too_much_work(document)]


def _schema_problems(schema: Any, instance: Any, root: Place = ()) -> list[tuple[Place, str]]:
    """What JSON Schema finds; here 8.0 is no integer (no convolution takes it), and NaN is no number."""
    errors = _validator()(schema).iter_errors(instance)
    found = [((*root, *error.absolute_path), error) for error in errors]
    return [
        (place, _say(place, error)) for place, error in sorted(found, key=lambda each: [*map(str, each[0])])
    ]


@lru_cache(maxsize=1)
def _validator() -> Any:
    types = Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number})
    return extend(Draft202012Validator, type_checker=types)


@cache
def _schema(version: str) -> Any:
    text = resources.files("dnas.space").joinpath("spaces/schema.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    if version == FORMATS[0]:
        schema["required"].append("layers")
        for key in SINCE_VERSION_2:
            del schema["properties"][key]
    else:
        schema["$defs"]["choice"] = {"type": "object"}  # its type says what it may hold
        schema["oneOf"] = [{"required": ["layers"]}, {"required": ["stages"]}]
    return schema


def _option_problems(name: str, given: Mapping[str, Any]) -> list[tuple[Place, str]]:
    """What is wrong with the type of a choice, or with its options."""
    type_name = given.get("type", "inverted_residual")
    if type_name not in blocks.names():
        what = f"no block type {type_name!r}; known are {', '.join(blocks.names())}"
        place: Place = ("choices", name, "type")
        return [(place, f"{_dotted(place)}: {what} (types of your own: --blocks FILE.py, or register)")]
    options = {key: value for key, value in given.items() if key != "type"}
    make = blocks.get(type_name).Options
    problems = _schema_problems(options_schema(make), options, ("choices", name))
    try:
        if not problems:
            make(**options)
    except ValueError as error:  # what a type's options say among themselves
        return [(("choices", name), f"{_dotted(('choices', name))}: {error}")]
    return problems


def _is_integer(checker: TypeChecker, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(checker: TypeChecker, value: object) -> bool:
    return _is_integer(checker, value) or (isinstance(value, float) and math.isfinite(value))


def _say(where: Place, error: Any) -> str:
    place = _dotted(where)
    if error.validator == "oneOf" and not where:
        return f"{place}: must give either 'layers' or 'stages'"
    if error.validator == "oneOf" and "skip" not in error.validator_value[0]["required"]:
        names = [each["required"][0] for each in error.validator_value if "required" in each]
        return f"{place}: must give {' or '.join(map(repr, names))}, one of both"
    if error.validator == "oneOf":
        hint = f" ('type' needs format: {FORMATS[-1]})" if "type" in error.instance else ""
        return f"{place}: {error.instance!r} must give 'expansion' and 'kernel', or 'skip: true' alone{hint}"
    if error.validator == "not":
        return f"{place}: {error.instance!r} must be odd"
    if error.validator in {"contains", "maxContains"}:
        return f"{place}: must hold exactly one 'pool'"
    if error.validator == "type" and error.validator_value == "string" and not _is_collection(error.instance):
        unquoted = "YAML reads no, on, numbers, dates as texts in quotes alone"
        return f"{place}: {error.instance!r} where a text is expected ({unquoted})"
    if error.validator == "type" and "number" in error.validator_value and _is_exponent(error.instance):
        return f"{place}: YAML reads {error.instance} as a text: write it with a point, as in 1.0e-5"
    return f"{place}: {error.message}"


def _stages(document: Mapping[str, Any]) -> Iterator[tuple[Place, dict[str, Any]]]:
    key = "stages" if "stages" in document else "layers"
    yield from (((key, index), stage) for index, stage in enumerate(stages_of(document)))


def _is_collection(value: object) -> bool:
    return isinstance(value, dict | list)


def _is_exponent(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[+-]?\d+e[+-]?\d+", value, re.IGNORECASE) is not None


def _unknown_choices(document: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    known = choices_by_name(document)
    for where, stage in _stages(document):
        unknown = unknown_names(stage, known)
        if unknown:
            place = (*where, "choices")
            what = f"unknown choice(s) {', '.join(unknown)}; known are {', '.join(known)}"
            yield place, f"{_dotted(place)}: {what}{_with_depth(stage)}"


def _with_depth(stage: Mapping[str, Any]) -> str:
    """What else the names of a shared stage may say, where some of its layers are optional."""
    if not (stage.get("shared") and stage.get("optional")):
        return ""
    most = stage.get("repeat", 1)
    return f", each alone or in x{most - stage['optional']} to x{most} layers"


def _first_layers(document: Mapping[str, Any]) -> Iterator[tuple[Place, dict[str, Any], Layer]]:
    layers, start = assemble(document).layers, 0
    for where, stage in _stages(document):
        yield where, stage, layers[start]
        start += stage.get("repeat", 1)


def _stage_problems(document: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Optional layers that a network cannot do without."""
    named = choices_by_name(document).get("skip")
    for where, stage, first in _first_layers(document):
        repeat, optional, place = stage.get("repeat", 1), stage.get("optional", 0), (*where, "optional")
        needed = int(stage.get("shared", False) or not first.keeps_shape)
        if optional > repeat - needed:
            change = f"{first.in_channels} > {first.out_channels} channels, stride {first.stride}"
            why = "one of a shared stage must stay" if first.keeps_shape else f"the first changes {change}"
            reason = f", {why}" if needed else ""
            what = f"{optional} of {repeat} layer(s) cannot be optional{reason}: at most {repeat - needed}"
            yield place, f"{_dotted(place)}: {what}"
        if optional and named and not named.skip:
            what = "optional layers have a choice 'skip'; rename the block that has this name here"
            yield place, f"{_dotted(place)}: {what}"


def _linear_on_maps(document: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    types = [entry["type"] for entry in document["head"]]
    for index, each in enumerate(types[: types.index("pool")]):
        if each == "linear":
            place = ("head", index)
            yield place, f"{_dotted(place)}: a linear layer stands after the 'pool'; before it take a 'conv'"


def _misplaced(document: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Choices that cannot stand in a layer, for reasons of their types."""
    layers = assemble(document).layers
    for where, stage, first in _first_layers(document):
        repeat = stage.get("repeat", 1)
        for layer in layers[first.index : first.index + repeat]:
            at = f" in {layer.name}" if repeat > 1 else ""
            for choice in layer.choices:
                for problem in choice.type.problems(layer, choice.options):
                    yield where, f"{_dotted(where)}: {choice.name}{at} {problem}"


def _too_many_layers(document: Mapping[str, Any]) -> list[tuple[Place, str]]:
    number = sum(stage.get("repeat", 1) for _, stage in _stages(document))
    return [((), f"{number} layers, expected at most {MAX_LAYERS}")] if number > MAX_LAYERS else []


def _too_much_work(document: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Blocks whose multiply-adds would overflow where costs are added up."""
    parts = assemble(document)
    for key, entries in (("stem", parts.stem), ("head", parts.head)):
        for index, entry in enumerate(entries):
            if (madds := sum(op.madds for op in entry.ops)) > MAX_MADDS:
                yield (key, index), f"{_dotted((key, index))}: {madds:.3g} {_AT_MOST}"
    for where, stage, first in _first_layers(document):
        for layer in parts.layers[first.index : first.index + stage.get("repeat", 1)]:
            for choice in layer.choices:
                # Other types must be built to be counted.
                if type(choice.type).ops is BlockType.ops:
                    continue
                if (madds := sum(op.madds for op in choice.ops(layer))) > MAX_MADDS:
                    yield where, f"{_dotted(where)}: {choice.name} in {layer.name} has {madds:.3g} {_AT_MOST}"


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
