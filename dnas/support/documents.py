"""Reading YAML, JSON and text that strangers may have written: bounded in bytes, depth, size and numbers.

What passes here exhausts neither the memory nor the stack of the code that looks at it, nor the range of a
float, and its texts can be printed: no control characters, and none that turn the direction of writing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

# A space has some kilobytes, a table 100 kB, a profile with all its events some tens of megabytes.
MAX_DOCUMENT_BYTES, MAX_LOG_BYTES = 16 << 20, 256 << 20
MAX_DEPTH = 64
# What all aliases of a YAML document may come to, written out.
MAX_NODES = 1_000_000
MAX_INTEGER = 2**64
# Control characters but tab and newline, marks that turn the direction of writing, halves of surrogates.
_UNFIT = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# What YAML 1.1 reads as numbers of base 8 and 60, and nobody means: 040 is 32 to it, 1:30 is 90.
_OTHER_BASE = re.compile("[-+]?(0[0-7_]+|[0-9][0-9_]*(:[0-5]?[0-9])+([.][0-9_]*)?)")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class DocumentError(ValueError):
    """A text that cannot be used as a document; the message has no name of a file."""


class GivenTwice(DocumentError):
    """Keys that are given twice; the message names them."""

    def __init__(self, keys: Iterable[str]) -> None:
        super().__init__(f"given twice: {', '.join(sorted(set(keys)))}")


def read_text(path: Path, most_bytes: int = MAX_DOCUMENT_BYTES) -> str:
    """The text of a file in UTF-8, a mark of its byte order left out.

    Raises:
        DocumentError: longer than ``most_bytes``, or not UTF-8.
    """
    try:
        return read_bytes(path, most_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"not a text in UTF-8 (byte {error.start})") from error


def read_bytes(path: Path, most_bytes: int) -> bytes:
    """The content of a file; raises :class:`DocumentError` if it is longer than ``most_bytes``."""
    with path.open("rb") as stream:
        content = stream.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise DocumentError(
            f"longer than {most_bytes / (1 << 20):g} MiB, the most that is read of such a file"
        )
    return content


def load_json(text: str, *, finite: bool = False) -> Any:
    """The data of a JSON text.

    Args:
        finite: refuse numbers that are not, as JSON itself does; Python writes and reads them.

    Raises:
        DocumentError: no JSON, a key given twice, or anything beyond the limits of this module.
    """
    try:
        data = json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise DocumentError(_too_deep()) from None
    except GivenTwice:
        raise
    except ValueError as error:  # int() of thousands of digits, too
        raise DocumentError(_reason(error)) from error
    check_values(data, math.inf, finite=finite)
    return data


def load_yaml(text: str, *, unique: bool = True) -> Any:
    """The data of a YAML text; nothing in it is executed.

    Args:
        unique: refuse keys that are given twice, of which YAML would silently keep the last.

    Raises:
        DocumentError: no YAML, or anything beyond the limits of this module.
    """
    try:
        twice = [*_twice(text)]
        # In C, where PyYAML has it, this is five times as fast.
        data = yaml.load(text, Loader=_LOADER)
    # Besides its own errors PyYAML lets through those of int() and datetime() for scalars such as 2020-13-45,
    # and of keys and tags that do not fit their value.
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise DocumentError(_reason(error)) from error
    if unique and twice:
        raise GivenTwice(twice)
    check_values(data)
    return data


def check_values(data: Any, most: float = MAX_NODES, *, finite: bool = False) -> None:
    """Refuse what no document holds: depth, more than ``most`` values, texts that cannot be printed, integers
    beyond 64 bits, and, if asked, numbers that are not ``finite``.

    Raises:
        DocumentError: the first of these.
    """
    level, depth, nodes = [data], 0, 0
    while level:
        nodes += len(level)
        if nodes > most:
            raise DocumentError(_too_many())
        if depth >= MAX_DEPTH and any(isinstance(value, dict | list | tuple | set) for value in level):
            raise DocumentError(_too_deep())
        deeper: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                deeper += [*value, *value.values()]
            elif isinstance(value, list | tuple | set):
                deeper += value
            elif isinstance(value, str) and (character := unfit(value)):
                raise DocumentError(f"the character {character} in the text {ascii(value)[:80]}")
            elif isinstance(value, float) and finite and not math.isfinite(value):
                raise DocumentError(f"{value} is no finite number")
            elif isinstance(value, int) and abs(value) > MAX_INTEGER:
                raise DocumentError(f"an integer beyond 2^64 ({len(hex(value)) - 2} hexadecimal digits)")
        level, depth = deeper, depth + 1


def printable(text: str) -> str:
    """The text with escapes in place of characters that a terminal would act upon."""
    return _UNFIT.sub(lambda match: ascii(match[0])[1:-1], text)


def unfit(text: str) -> str:
    """The first character that no name and no text may have, as an escape; empty if there is none."""
    match = _UNFIT.search(text)
    return ascii(match[0])[1:-1] if match else ""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise GivenTwice(key for key in keys if keys.count(key) > 1)
    return found


class _Collection:
    """A collection that the parser is in: its anchor, and the nodes before it."""

    def __init__(self, event: yaml.CollectionStartEvent, before: int) -> None:
        self.anchor, self.before = event.anchor, before
        self.keys: set[str] | None = set() if isinstance(event, yaml.MappingStartEvent) else None
        self.at_key = self.keys is not None

    def is_repeated(self, event: yaml.NodeEvent) -> bool:
        """Take the next node; whether it is a key that was there before."""
        is_key, self.at_key = self.at_key, self.keys is not None and not self.at_key
        if self.keys is None or not is_key or not isinstance(event, yaml.ScalarEvent):
            return False
        known = event.value in self.keys
        self.keys.add(event.value)
        return known


def _twice(text: str) -> Iterator[str]:
    """Keys given twice; refuses depth and aliases before anything is built, by recursion or in memory."""
    nodes, inside = 0, list[_Collection]()
    sizes: dict[str | None, int] = {}
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionEndEvent):
            ended = inside.pop()
            sizes[ended.anchor] = nodes - ended.before + 1
        elif isinstance(event, yaml.NodeEvent):
            if _has_other_base(event):
                raise DocumentError(_of_other_base(event.value))  # type: ignore[attr-defined]
            if inside and inside[-1].is_repeated(event):
                yield event.value  # type: ignore[attr-defined]
            nodes += _nodes(event, sizes)
            if isinstance(event, yaml.CollectionStartEvent):
                inside.append(_Collection(event, nodes))
        if len(inside) > MAX_DEPTH:
            raise DocumentError(_too_deep())
        if nodes > MAX_NODES:
            raise DocumentError(_too_many())


def _nodes(event: yaml.NodeEvent, sizes: dict[str | None, int]) -> int:
    """How many an event stands for; ``sizes`` are those of the anchors so far."""
    if isinstance(event, yaml.ScalarEvent):
        sizes[event.anchor] = 1
    if not isinstance(event, yaml.AliasEvent):
        return 1
    if event.anchor not in sizes:
        raise DocumentError(f"the alias *{event.anchor} names nothing, or what it stands in")
    return sizes[event.anchor]


def _reason(error: Exception) -> str:
    if "nesting depth" in str(error):  # the C parser's own limit
        return _too_deep()
    return str(error).partition("; use sys.set_int_max")[0]


def _has_other_base(event: yaml.NodeEvent) -> bool:
    if not isinstance(event, yaml.ScalarEvent) or not event.implicit[0] or event.tag:
        return False
    return _OTHER_BASE.fullmatch(event.value) is not None


def _of_other_base(text: str) -> str:
    read = yaml.load(text, Loader=_LOADER)
    return f"YAML reads {text} as {read}: write {read}, or '{text}' in quotes for a text"


def _too_deep() -> str:
    return f"nested more than {MAX_DEPTH} levels deep"


def _too_many() -> str:
    return f"more than {MAX_NODES:,} values, aliases written out"
