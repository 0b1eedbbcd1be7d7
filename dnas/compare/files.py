"""JSON and CSV files of runs, checked against the JSON Schemas beside this module before they are used."""

from __future__ import annotations

import csv
import hashlib
import json
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from dnas.support import documents
from dnas.support.sealed_json import unseal


class RunError(ValueError):
    """A run that cannot be compared; the message names the file and everything that is wrong with it."""


def read_text(path: Path) -> str:
    """The text of a file of a run; raises :class:`RunError`."""
    try:
        return documents.read_text(path, documents.MAX_LOG_BYTES)
    except FileNotFoundError:
        raise RunError(f"{path} is missing: the run is incomplete.") from None
    except documents.DocumentError as error:
        raise RunError(f"{path} is damaged: {error}") from error


def read_json(path: Path, schema: str) -> dict[str, Any]:
    """The content of a JSON file that keeps ``schema``, a definition in ``schema.json``.

    Raises:
        RunError: missing, damaged, another format, or with wrong values: all of them in one message.
    """
    text = read_text(path)
    try:
        content = documents.load_json(text, finite=True)
    except documents.DocumentError as error:
        raise RunError(f"{path} is damaged, it is not valid JSON: {error}") from error
    try:
        content = unseal(content)
    except ValueError as error:
        raise RunError(f"{path} is damaged: {error}.") from error
    errors = sorted(_validator(schema).iter_errors(content), key=lambda error: error.json_path)
    if errors:
        listing = "; ".join(f"{error.json_path}: {_shortened(error.message)}" for error in errors)
        raise RunError(f"{path}: {listing}.")
    assert isinstance(content, dict)
    return content


def read_columns(path: Path, names: tuple[str, ...]) -> list[tuple[float, ...]]:
    """The named columns of a CSV file as numbers, one tuple per row; raises :class:`RunError`."""
    rows = csv.DictReader(read_text(path).splitlines())
    missing = [name for name in names if name not in (rows.fieldnames or ())]
    if missing:
        raise RunError(f"{path} has no column {', '.join(missing)}; found {rows.fieldnames or 'none'}.")
    try:
        return [tuple(float(row[name]) for name in names) for row in rows]
    except (TypeError, ValueError) as error:
        raise RunError(f"{path}, line {rows.line_num}: expected numbers in {', '.join(names)}.") from error


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _shortened(message: str) -> str:
    """jsonschema quotes the whole value, which may be the whole file."""
    return message if len(message) <= 200 else f"{message[:90]} ... {message[-90:]}"


@lru_cache
def _validator(name: str) -> Draft202012Validator:
    schema = json.loads(resources.files("dnas.compare").joinpath("schema.json").read_text(encoding="utf-8"))
    return Draft202012Validator({**schema["$defs"][name], "$defs": schema["$defs"]})
