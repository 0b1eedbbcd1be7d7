"""Latencies of whole networks from a user's CSV file: the columns ``architecture`` and ``latency_ms``."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol, TypeVar

from dnas.blocks.ops import Op
from dnas.space import SearchSpace, zoo
from latency.architectures import resolve
from latency.sources.calibrated import published
from latency.sources.calibrated.documents import read_text
from latency.sources.calibrated.fit import TimedNetwork
from latency.table.entry import amount
from latency.table.errors import TableError

COLUMNS = ("architecture", "latency_ms")


class _Network(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def ops(self) -> tuple[Op, ...]: ...


Network = TypeVar("Network", bound=_Network)


def read_measurements(path: Path, space: SearchSpace) -> list[TimedNetwork]:
    """The networks of the file, each named as ``resolve`` takes it, or as Table 3 of MoGA has it.

    Raises:
        TableError: as :func:`read_networks`.
    """
    return read_networks(path, lambda name, text, ms: TimedNetwork(name, _ops(text, space), ms))


def read_networks(path: Path, network: Callable[[str, str, float], Network]) -> list[Network]:
    """The networks of the file; further columns, and lines that begin with ``#``, are left alone.

    Args:
        network: makes one of a name for people, the text in the column ``architecture`` and milliseconds;
            a ValueError says why it cannot.

    Raises:
        TableError: no such file or columns, or every line that cannot be used and why.
    """
    lines = [(number, line) for number, line in enumerate(read_text(path).splitlines(), 1) if _is_row(line)]
    columns = _cells(lines[0][1]) if lines else []
    if not set(COLUMNS) <= set(columns):
        found = ",".join(columns) or "an empty file"
        raise TableError(f"{path}: expected the columns {','.join(COLUMNS)} (milliseconds), found {found}.")
    networks: list[Network] = []
    problems = []
    for number, line in lines[1:]:
        try:
            networks.append(network(*_row(columns, _cells(line), number)))
        except (ValueError, csv.Error) as error:
            problems.append(f"line {number}: {error}")
    problems += _twice(networks)
    if problems:
        raise TableError(f"{len(problems)} problem(s) in {path}:\n  " + "\n  ".join(problems))
    return networks


def _is_row(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line]))]


def _row(columns: list[str], cells: list[str], number: int) -> tuple[str, str, float]:
    if len(cells) != len(columns):
        raise TableError(f"expected {len(columns)} values, found {len(cells)}")
    row = dict(zip(columns, cells, strict=True))
    text = row["architecture"]
    short = text in {*published.names(), *zoo.names()} or text.endswith(".json")
    return text if short else f"line {number}", text, amount(row["latency_ms"])


def _ops(text: str, space: SearchSpace) -> tuple[Op, ...]:
    if text in published.names():
        return published.load(text).ops
    return resolve(text, space).ops


def _twice(networks: Iterable[Network]) -> list[str]:
    """A repeated network would be predicted by itself when it is left out."""
    names: dict[tuple[Op, ...], list[str]] = {}
    for network in networks:
        names.setdefault(network.ops, []).append(network.name)
    return [
        f"{', '.join(same)}: the same network; give one latency of each"
        for same in names.values()
        if len(same) > 1
    ]
