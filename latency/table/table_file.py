"""The file of a latency table: a CSV whose leading ``# `` lines hold a YAML header (docs/latency_tables.md).

``pandas.read_csv(path, comment="#")`` reads the entries. The header's sha256 covers everything else in
the file, so that an edited or cut table is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from dnas.space import shipped_spaces
from dnas.support.documents import MAX_DOCUMENT_BYTES, DocumentError, read_bytes
from dnas.support.files import write_text
from latency.table import shipped, version1
from latency.table.entry import COLUMNS, Entry, parse_row
from latency.table.errors import TableError, how_to_build, raise_all
from latency.table.header import FORMAT, header_problems, parse_header

FOLDER, SUFFIX = "tables", ".csv"
DIGEST = "# sha256:"


@dataclass(frozen=True)
class TableFile:
    """What a table file holds, and all that is wrong with it so far (nothing has been compared with a space).

    ``refused`` are the (layer, choice) of the rows that could not be read: they are wrong, not missing.
    """

    source: str
    header: dict[str, Any]
    entries: tuple[Entry, ...]
    refused: frozenset[tuple[str, ...]]
    problems: tuple[str, ...]


def shipped_files() -> list[tuple[str, str]]:
    """(name, space) of every table file that ships with the library."""
    return sorted(
        (name, space)
        for space in shipped.folders(FOLDER)
        for name in shipped.names(f"{FOLDER}/{space}", SUFFIX)
    )


def shipped_tables(space: str | None = None) -> list[str]:
    """Names of the tables that ship with the library, or of those for the space of that name.

    A name stands for one file per space.
    """
    return sorted({name for name, of in shipped_files() if space in (None, of)})


def read_shipped(name: str, space: str) -> TableFile:
    """The shipped table ``name`` for the shipped space ``space``; raises :class:`TableError` if none is."""
    return parse(_decode(shipped.read(f"{FOLDER}/{space}", name, SUFFIX), name), name)


def read_shipped_header(name: str, space: str) -> dict[str, Any]:
    """The header alone of a shipped table, without a look at its rows; raises as :func:`read_shipped`."""
    return _header(_decode(shipped.read(f"{FOLDER}/{space}", name, SUFFIX), name).splitlines(), name)


def read_file(name_or_path: str | Path, *spaces: str) -> TableFile:
    """Read a shipped table by name, for the first of ``spaces`` that it ships for, or a file by its path.

    Raises:
        TableError: no such table, none for these spaces, or nothing in it that could be read as one. Lesser
            problems are collected in ``problems``, so that the caller can report them with its own.
    """
    source = str(name_or_path)
    ships_for = [space for name, space in shipped_files() if name == source]
    if not ships_for:
        return parse(_decode(_bytes(source), source), source)
    for space in spaces:
        if space in ships_for:
            return read_shipped(source, space)
    raise not_shipped(source, spaces)


def not_shipped(name: str, spaces: Sequence[str], reason: str = "") -> TableError:
    """The error for a table that ships, but not for these spaces."""
    ships_for = [space for each, space in shipped_files() if each == name]
    return TableError(
        f"The table {name} ships for the space(s) {spaces_text(ships_for)}, "
        f"not for {' or '.join(spaces) or 'a space that is not named'}{reason}. "
        + how_to_build(spaces[0] if spaces else "SPACE")
    )


def spaces_text(names: Sequence[str]) -> str:
    """Names of spaces for people: search spaces by name, and how many networks are spaces of their own."""
    searched = [name for name in names if name in shipped_spaces()]
    networks = len(names) - len(searched)
    if not searched or not networks:
        return ", ".join(names)
    return f"{', '.join(searched)} and {networks} network(s) of the zoo"


def parse(text: str, source: str) -> TableFile:
    """Read the text of a table; ``source`` names it in messages. Raises as :func:`read_file` does."""
    lines = text.splitlines()
    start, header = _body_start(lines), _header(lines, source)
    problems = [*header_problems(header), *_digest_problems(header, text)]
    expected, read_row = (
        (COLUMNS, parse_row) if header["format"] == FORMAT else (version1.COLUMNS, version1.parse_row)
    )
    columns = tuple(lines[start].split(",")) if start < len(lines) else ()
    if columns not in (expected, expected[:-1]):
        found = repr(lines[start]) if columns else "the end of the file"
        wanted = f"{','.join(expected)} (the last may be left out)"
        raise_all([*problems, f"line {start + 1}: expected the columns {wanted}, found {found}"], source)
    rows = lines[start + 1 :]
    if header.get("entries", len(rows)) != len(rows):
        problems.append(
            f"entries: the header promises {header['entries']}, here are {len(rows)}: it was cut or edited"
        )
    read = partial(read_row, columns=columns)
    entries, refused, row_problems = _parse_rows(rows, read, first_line=start + 2)
    return TableFile(
        source,
        header,
        entries,
        refused,
        (*problems, *row_problems, *_kinds(header, entries), *_duplicates(entries)),
    )


def render(header: Mapping[str, Any], entries: Iterable[Entry]) -> str:
    """The text of a table file; number of entries and sha256 are filled in."""
    entries = tuple(entries)
    # No name or number of an entry holds a comma or a quote, so no CSV dialect is needed.
    body = "".join(",".join(row) + "\n" for row in (COLUMNS, *(entry.row() for entry in entries)))
    facts = {key: value for key, value in header.items() if key not in {"entries", "sha256"}}
    facts["entries"] = len(entries)
    dumped = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=110)
    comment = "".join(f"# {line}\n" for line in dumped.splitlines())
    value = digest(comment + body)
    return f"{comment}{DIGEST} {value}\n{body}"


def write_file(path: str | Path, header: Mapping[str, Any], entries: Iterable[Entry]) -> Path:
    """Write a table atomically, with its sha256; whether it fits a space is for the reader to check."""
    return write_text(path, render(header, entries))


def seal(path: str | Path) -> str:
    """Sign a table edited by hand: put its number of rows and its sha256 into the header; returns the sha256.

    Raises:
        TableError: the file has other problems than these two; it is left as it was.
    """
    lines = [
        line
        for line in _decode(_bytes(str(path)), str(path)).splitlines()
        if not line.startswith((DIGEST, "# entries:"))
    ]
    start = _body_start(lines)
    lines.insert(start, f"# entries: {len(lines) - start - 1}")
    value = digest("\n".join(lines))
    lines.insert(start + 1, f"{DIGEST} {value}")
    text = "\n".join(lines) + "\n"
    raise_all(parse(text, str(path)).problems, str(path))
    write_text(path, text)
    return value


def digest(text: str) -> str:
    """sha256 of a table's text without its sha256 line; line endings do not count, git may change them."""
    lines = [line for line in text.splitlines() if not line.startswith(DIGEST)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _bytes(source: str) -> bytes:
    path = Path(source)
    if path.is_dir():
        raise TableError(f"{path} is a directory; give the .csv file of a latency table.")
    if path.is_file():
        try:
            return read_bytes(path, MAX_DOCUMENT_BYTES)
        except DocumentError as error:
            raise TableError(f"{path}: {error}.") from error
    kind = "No latency table file" if path.suffix == SUFFIX else "Unknown latency table"
    raise TableError(
        f"{kind} {source!r}. Give one of {', '.join(shipped_tables())}, or the path of a .csv file."
    )


def _decode(content: bytes, source: str) -> str:
    if not content.strip():
        raise TableError(f"{source} is empty; a latency table begins with '# format: {FORMAT}'.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise TableError(
            f"{source} is a binary file; a latency table is text that begins with '# format: {FORMAT}'."
        )
    return text


def _body_start(lines: list[str]) -> int:
    return next((index for index, line in enumerate(lines) if not line.startswith("#")), len(lines))


def _header(lines: list[str], source: str) -> dict[str, Any]:
    return parse_header([line[1:].removeprefix(" ") for line in lines[: _body_start(lines)]], source)


def _digest_problems(header: Mapping[str, Any], text: str) -> list[str]:
    if header.get("sha256", digest(text)) == digest(text):
        return []
    return [
        f"sha256: the header says {str(header['sha256'])[:12]}..., the content has {digest(text)[:12]}...: "
        "a value was edited or the file is damaged ('python -m latency seal FILE' signs edits of your own)"
    ]


def _parse_rows(
    lines: list[str],
    read_row: Callable[[Sequence[str]], tuple[Entry | None, list[str]]],
    first_line: int,
) -> tuple[tuple[Entry, ...], frozenset[tuple[str, ...]], list[str]]:
    entries, refused, problems = [], set(), []
    for number, line in enumerate(lines, start=first_line):
        row = line.split(",")
        entry, wrong = read_row(row)
        problems += [f"line {number} ({' '.join(row[:2])}): {what}" for what in wrong]
        if entry is None:
            refused.add(tuple(row[:2]))
        else:
            entries.append(entry)
    return tuple(entries), frozenset(refused), problems


def _kinds(header: Mapping[str, Any], entries: Iterable[Entry]) -> list[str]:
    models = [
        f"{entry.layer} {entry.choice} ({entry.source})" for entry in entries if entry.source != "measured"
    ]
    wrong = header.get("kind") == "measured" and models
    return [f"kind is measured, but {', '.join(models)}: call the table assembled"] if wrong else []


def _duplicates(entries: Iterable[Entry]) -> list[str]:
    seen, twice = set(), []
    for entry in entries:
        key = (entry.layer, entry.choice)
        if key in seen:
            twice.append(" ".join(key))
        seen.add(key)
    return [f"given twice: {', '.join(twice)}"] if twice else []
