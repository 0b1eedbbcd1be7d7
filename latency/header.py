"""The YAML header of a latency table, checked against its JSON Schema (``latency/table_schema.json``)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from latency.errors import TableError

FORMAT = "dnas-latency-table/1"
HINTS = {
    "unit": "; convert every value to milliseconds",
    "batch": "; the searches ask for the latency of one image",
}


def parse_header(lines: Sequence[str], source: str) -> dict[str, Any]:
    """The header as plain data.

    Raises:
        TableError: no header, damaged YAML, a key given twice, or another format: the rest means nothing.
    """
    text = "\n".join(lines)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        header = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TableError(f"{source}: the header is not valid YAML: {error}") from error
    if not isinstance(header, dict) or not isinstance(node, yaml.MappingNode):
        raise TableError(
            f"{source} is not a latency table: it must begin with '# format: {FORMAT}' and its header."
        )
    if header.get("format") != FORMAT:
        raise TableError(
            f"{source}: expected format {FORMAT!r}, found {header.get('format')!r}: "
            "not a latency table, or one of another version of this library."
        )
    twice = _given_twice(node)
    if twice:
        raise TableError(f"{source}: given twice in the header: {', '.join(twice)}.")
    # YAML turns an unquoted date into a date object; the header is to stay plain data.
    plain: dict[str, Any] = json.loads(json.dumps(header, default=str))
    return plain


def header_problems(header: Mapping[str, Any]) -> list[str]:
    """Everything that the schema refuses, that is not finite, or that contradicts itself."""
    errors = sorted(_validator().iter_errors(header), key=lambda error: list(map(str, error.absolute_path)))
    problems = [_say(error) for error in errors] + [*_not_finite(header, "")]
    return problems or _contradictions(header)


def _contradictions(header: Mapping[str, Any]) -> list[str]:
    calibration = header["calibration"]
    if calibration and calibration["offset_ms"] and header["fixed"]["overhead_ms"]:
        return ["fixed.overhead_ms and calibration.offset_ms both state the overhead per inference; keep one"]
    return []


@lru_cache(maxsize=1)
def _validator() -> Draft202012Validator:
    schema = resources.files("latency").joinpath("table_schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(schema))


def _say(error: ValidationError) -> str:
    place = ".".join(map(str, error.absolute_path))
    if error.validator == "const":
        return f"{place}: expected {error.validator_value!r}, found {error.instance!r}{HINTS.get(place, '')}"
    return f"{place or 'header'}: {error.message}"


def _not_finite(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _not_finite(item, f"{place}.{key}".lstrip("."))
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{place}: {value} is not a finite number"


def _given_twice(node: yaml.Node) -> list[str]:
    """Keys that occur twice in a mapping; YAML would silently keep the last."""
    if not isinstance(node, yaml.MappingNode):
        return []
    keys = [key.value for key, _ in node.value]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    return twice + [key for _, item in node.value for key in _given_twice(item)]
