"""YAML documents, parsed strictly and checked against JSON Schemas: everything that is wrong, in words."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from dnas.support.documents import GivenTwice, load_yaml
from latency.table.errors import TableError


def parse_document(text: str, source: str, what: str) -> dict[str, Any]:
    """A YAML mapping as plain data, dates as texts; ``what`` it should be is said when it is none.

    Raises:
        TableError: damaged YAML, no mapping, or a key given twice, which YAML would drop silently.
    """
    try:
        document = load_yaml(text)
        # Through JSON, because YAML turns an unquoted date into a date object.
        plain = json.loads(json.dumps(document, default=str))
    except GivenTwice as error:
        raise TableError(f"{source}: {error}.") from error
    except (ValueError, TypeError) as error:
        raise TableError(f"{source}: not valid YAML: {error}") from error
    if not isinstance(plain, dict):
        raise TableError(f"{source} is not {what}.")
    return plain


def schema_problems(
    document: Mapping[str, Any], schema: str, hints: Mapping[str, str] | None = None
) -> list[str]:
    """Everything that the shipped ``schema`` (a file name) refuses, and every number that is not finite.

    Args:
        hints: place in the document -> what to do, added to the message about a wrong constant.
    """
    finite = (error for error in _validator(schema).iter_errors(document) if error.instance != math.inf)
    errors = sorted(finite, key=lambda error: [*map(str, error.absolute_path)])
    return [*(_say(error, hints or {}) for error in errors), *_not_finite(document, "")]


@lru_cache
def _validator(schema: str) -> Draft202012Validator:
    text = resources.files("latency").joinpath("data", schema).read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))


def _say(error: ValidationError, hints: Mapping[str, str]) -> str:
    place = ".".join(map(str, error.absolute_path))
    if error.validator == "const":
        return f"{place}: expected {error.validator_value!r}, found {error.instance!r}{hints.get(place, '')}"
    return f"{place or 'header'}: {error.message}"


def _not_finite(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _not_finite(item, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _not_finite(item, f"{place}.{index}")
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{place}: {value} is not a finite number"
