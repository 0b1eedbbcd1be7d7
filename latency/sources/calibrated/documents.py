"""Models and runtime descriptions: those that ship, by name, and a user's own, by the path of a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dnas.support import documents
from latency.table import shipped
from latency.table.document import parse_document, schema_problems
from latency.table.errors import TableError

SCHEMAS = {
    "dnas-latency-model/1": "model_schema.json",
    "dnas-runtime/1": "runtime_schema.json",
}


def load(folder: str, name_or_path: str, expected_format: str) -> dict[str, Any]:
    """The document as plain data.

    Raises:
        TableError: none of that name (the shipped ones are listed) or at that path, not YAML, another
            format, or everything that its schema refuses.
    """
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        return shipped.load(folder, name_or_path, expected_format)
    document = parse_document(read_text(path), str(path), f"a {expected_format} document")
    if document.get("format") != expected_format:
        raise TableError(f"{path}: expected format {expected_format!r}, found {document.get('format')!r}.")
    check(document, expected_format, str(path))
    return document


def check(document: dict[str, Any], expected_format: str, source: str) -> None:
    """Raise one :class:`TableError` naming everything that the schema of the format refuses."""
    problems = schema_problems(document, SCHEMAS[expected_format])
    if problems:
        listing = "\n  ".join(problems)
        raise TableError(
            f"{len(problems)} problem(s) in {source} ({expected_format}):\n  {listing}\n"
            "The format is described in docs/latency_calibrated.md."
        )


def read_text(path: Path) -> str:
    """The text of a file in UTF-8; raises :class:`TableError` when there is none."""
    if not path.is_file():
        raise TableError(f"No file {path}.")
    try:
        return documents.read_text(path)
    except documents.DocumentError as error:
        raise TableError(f"{path} is {error}.") from None
