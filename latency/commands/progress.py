"""Progress bars of the subcommands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.progress import track


def tracker(console: Console) -> Callable[[Sequence[str], str], Iterator[str]]:
    """``track(names, what)``: yields the names behind a bar that vanishes when done."""
    return lambda names, what: iter(track(names, description=what, console=console, transient=True))
