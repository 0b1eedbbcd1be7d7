"""The one error of this package: a table, or data behind it, that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence


class TableError(ValueError):
    """A latency table that cannot be used; the message lists everything that is wrong with it."""


def raise_all(problems: Sequence[str], source: str) -> None:
    """Raise one :class:`TableError` naming every problem of ``source``; nothing when there is none."""
    if problems:
        listing = "\n  ".join(problems)
        raise TableError(
            f"{len(problems)} problem(s) in the latency table {source}:\n  {listing}\n"
            "The format is described in docs/latency_tables.md."
        )
