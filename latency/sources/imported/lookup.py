"""YAML or JSON files that map keys to latencies, with the line of every key and keys given twice kept."""

from __future__ import annotations

from collections.abc import Callable

import yaml

from latency.sources.imported.reading import ImportResult, Reading, Unread, amount, ms_per_unit

MAX_DEPTH = 8
TOO_DEEP = "nested too deeply for a look-up table"
# The C parser is many times as fast, and look-up tables are long.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_lookup(
    text: str, source: str, unit: str | None, value_of: Callable[[yaml.Node], str]
) -> ImportResult:
    """Readings of a mapping; ``value_of`` finds the number in a value, or raises ``ValueError``."""
    try:
        scale = ms_per_unit(None, unit)
        root = _compose(text)
    except ValueError as error:
        return ImportResult(unread=(Unread(source, 0, str(error)),))
    if not isinstance(root, yaml.MappingNode):
        return ImportResult(unread=(Unread(source, 1, "expected a mapping from keys to latencies"),))
    readings, unread = [], []
    for key, value in root.value:
        line = key.start_mark.line + 1
        try:
            ms = amount(value_of(value)) * scale
            readings.append(Reading(str(key.value), ms, source, line))
        except ValueError as error:
            unread.append(Unread(source, line, f"{key.value}: {error}"))
    return ImportResult(tuple(readings), tuple(unread))


def _compose(text: str) -> yaml.Node | None:
    """The nodes of a document; JSON is YAML but for tabs between its tokens."""
    text, depth = text.replace("\t", " "), 0
    try:
        # The C parser composes by recursion and dies of deep nesting, so the depth is found out first.
        for event in yaml.parse(text, Loader=LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise ValueError(TOO_DEEP)
        root: yaml.Node | None = yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError as error:
        if "nesting depth" in str(error):  # the C parser's own limit, in newer versions
            raise ValueError(TOO_DEEP) from error
        raise ValueError(f"neither YAML nor JSON: {' '.join(str(error).split())}") from error
    return root
