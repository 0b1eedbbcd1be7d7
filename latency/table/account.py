"""What the milliseconds of a network consist of, and where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

FIXED = "fixed part"
OVERHEAD = "overhead"
UNKNOWN = "unknown"


class Part(NamedTuple):
    """One line of a network's account: a layer with its choice, ``stem``, ``head`` or ``overhead``.

    ``kinds`` are its milliseconds per kernel kind, which add up to ``ms``; empty where they are not known.
    """

    part: str
    choice: str
    ms: float
    kinds: Mapping[str, float]


@dataclass(frozen=True)
class Coverage:
    """Where a table's numbers come from.

    Attributes:
        entries: number of entries per source (``measured``, ``predicted``, ...).
        mean_ms: milliseconds of the mean network, every choice of a layer equally likely.
        share: fraction of ``mean_ms`` per source, and of the fixed part, which has no source of its own.
    """

    entries: Mapping[str, int]
    mean_ms: float
    share: Mapping[str, float]

    def __str__(self) -> str:
        entries = ", ".join(f"{count} {source}" for source, count in self.entries.items())
        share = ", ".join(f"{fraction:.1%} {source}" for source, fraction in self.share.items())
        return f"entries: {entries}; milliseconds of the mean network ({self.mean_ms:.2f}): {share}"


def scaled(parts: Mapping[str, float], ms: float) -> dict[str, float]:
    """``parts`` (rounded milliseconds per kernel kind) made to add up to ``ms`` exactly."""
    total = sum(parts.values())
    return {kind: part * ms / total for kind, part in parts.items()} if total else {}


def kernel_shares(parts: Iterable[Part]) -> dict[str, float]:
    """Milliseconds per kernel kind of a whole network; empty when no part knows its kinds.

    Where only some parts do, the others count as ``unknown``, so that the sum stays the latency.
    """
    parts = list(parts)
    if not any(part.kinds for part in parts):
        return {}
    shares: dict[str, float] = {}
    for part in parts:
        name = OVERHEAD if part.part == OVERHEAD else UNKNOWN
        for kind, ms in (part.kinds or {name: part.ms}).items():
            shares[kind] = shares.get(kind, 0.0) + ms
    return {kind: ms for kind, ms in shares.items() if ms}
