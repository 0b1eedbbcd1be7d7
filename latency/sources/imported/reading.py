"""What a reader of somebody else's file hands over: readings, and everything that it could not read."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from latency.table.entry import MAX_AMOUNT as MAX_MS

MS_PER_UNIT = {"ns": 1e-6, "us": 0.001, "ms": 1.0, "s": 1000.0}
_SPELLINGS = {
    "ns": "ns nsec nsecs nanosecond nanoseconds nanos",
    "us": "us \u00b5s \u03bcs usec usecs microsecond microseconds micros",
    "ms": "ms msec msecs millisecond milliseconds millis",
    "s": "s sec secs second seconds",
}
UNITS = {text: unit for unit, texts in _SPELLINGS.items() for text in texts.split()}


# In whatever unit; sums and squares of it are finite.
MAX_AMOUNT = 1e15


@dataclass(frozen=True)
class Reading:
    """One latency as a file states it.

    Attributes:
        key: whose latency it is; :func:`latency.sources.imported.keys.parse_key` reads it.
        ms, std, p90: mean (or whatever the file holds), standard deviation and 90th percentile, milliseconds.
        source, line: where it was read, lines from 1.
        n: number of runs, None when the file does not say.
        cpu: whether the run was on the CPU; None when the file does not say.
        table: which of the tables in the file holds it, where there are several (one per device).
        kernels: (label, milliseconds) of every kernel, where the format has them; their sum is ``ms``.
    """

    key: str
    ms: float
    source: str
    line: int
    n: int | None = None
    std: float | None = None
    p90: float | None = None
    cpu: bool | None = None
    table: str | None = None
    kernels: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no table takes, with a ValueError."""
        if self.ms > MAX_MS:
            raise ValueError(f"{self.ms:g} ms, a table takes at most {MAX_MS:g}")

    def __str__(self) -> str:
        return f"{self.key} ({self.source}:{self.line})"


@dataclass(frozen=True)
class Unread:
    """A line that was not understood, or a whole file (line 0), and why."""

    source: str
    line: int
    reason: str

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}" if self.line else self.source
        return f"{place}: {self.reason}"


@dataclass(frozen=True)
class ImportResult:
    """Everything that was read from one file or several.

    Attributes:
        facts: (name, value) of what the files state of themselves, of :data:`latency.table.facts.FACTS`.
    """

    readings: tuple[Reading, ...] = ()
    unread: tuple[Unread, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


class Importer(Protocol):
    """One format: a module, or an object, with these names.

    ``UNIT`` is the unit that the format states, None where its files state none (the user must);
    ``WHOLE_INFERENCES`` whether a reading holds the overhead of one inference; ``KIND`` and ``STATISTIC``
    what the table says of its entries.
    """

    UNIT: str | None
    WHOLE_INFERENCES: bool
    KIND: str
    STATISTIC: str

    def read(self, text: str, source: str, unit: str | None) -> ImportResult:
        """Everything in a file's text; ``unit`` is what the user says that the file's unit is."""


def merge(results: Iterable[ImportResult]) -> ImportResult:
    """The results of several files as one."""
    results = tuple(results)
    return ImportResult(
        tuple(reading for result in results for reading in result.readings),
        tuple(unread for result in results for unread in result.unread),
        tuple(dict.fromkeys(fact for result in results for fact in result.facts)),
    )


def ms_per_unit(stated: str | None, given: str | None) -> float:
    """Milliseconds in the unit that a file states, or else the user; ``ValueError`` for none or two."""
    if stated and given and stated != given:
        raise ValueError(f"the latencies are in {stated}, not in {given}: leave out --unit")
    unit = stated or given
    if unit is None:
        raise ValueError("the file does not state the unit of its latencies: give --unit ns, us, ms or s")
    return MS_PER_UNIT[unit]


def runs(text: str) -> int:
    """A number of runs, at least 1; raises ``ValueError`` otherwise."""
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}(\.0+)?", text):
        raise ValueError(f"n {text[:40]!r} is not a number of runs")
    return int(float(text))


def mean_and_std(values: Sequence[float]) -> tuple[float, float | None]:
    """Of single runs; the standard deviation is that of a sample, None for a single run."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def amount(text: str, what: str = "the latency") -> float:
    """A finite number of at least 0; raises ``ValueError`` saying what is wrong."""
    try:
        value = float(text.replace("_", "?"))  # Python would read 1_000 as a thousand
    except ValueError:
        hint = ": write it with a decimal point and no comma" if "," in text else ""
        raise ValueError(f"{what} {text!r} is not a number{hint}") from None
    if not 0 <= value <= MAX_AMOUNT:
        raise ValueError(f"{what} {text} is not a finite number of at least 0, at most {MAX_AMOUNT:g}")
    return value
