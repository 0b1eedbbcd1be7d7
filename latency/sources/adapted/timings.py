"""Whole networks timed on the new phone, from the file that ``latency calibrate`` reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dnas.blocks.ops import Op
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency.architectures import resolve
from latency.sources.calibrated.measurements import read_networks
from latency.table.errors import TableError

LEAST_TIMINGS = 5


@dataclass(frozen=True)
class Timing:
    """A network and its end-to-end milliseconds on the new phone."""

    name: str
    architecture: Architecture
    latency_ms: float

    @property
    def ops(self) -> tuple[Op, ...]:
        """All its operations, in order."""
        return self.architecture.ops


def read_timings(path: Path, space: SearchSpace) -> list[Timing]:
    """The timings of the file: networks of ``space``, of the zoo, or architecture files.

    Raises:
        TableError: no such file or columns, every line that cannot be used and why (a network that is not
            known, one given twice, a latency that is not above 0), or fewer than :data:`LEAST_TIMINGS`.
    """

    def timing(name: str, text: str, latency_ms: float) -> Timing:
        if latency_ms <= 0:
            raise TableError(f"a latency is above 0 ms, not {latency_ms:g}")
        return Timing(name, resolve(text, space), latency_ms)

    timings = read_networks(path, timing)
    if len(timings) < LEAST_TIMINGS:
        raise TableError(
            f"{path}: {len(timings)} timing(s), at least {LEAST_TIMINGS} are needed, better 20. Time more "
            "networks that differ in kernel size, width, squeeze-excite and depth."
        )
    return timings
