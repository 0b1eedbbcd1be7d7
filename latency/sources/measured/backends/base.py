"""What a runtime must do to be measured."""

from __future__ import annotations

import platform
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from latency.table.errors import TableError

MAX_RUNS = 1000  # of one visit, however short the graph
# The processor time of one thread leaves out what other processes took of the processor meanwhile.
CLOCKS: dict[str, Callable[[], int]] = {"wall": time.perf_counter_ns, "cpu": time.thread_time_ns}


@dataclass(frozen=True)
class Options:
    """What the backends can be told; each looks at what concerns it.

    ``work_dir`` is theirs for converted models and logs; the others are explained at the command line.
    """

    work_dir: Path
    threads: int = 1
    clock: str = "wall"
    serial: str | None = None
    benchmark_model: Path | None = None
    benchmark_flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Effort:
    """How much one visit of a graph takes: untimed runs, the least timed ones, and milliseconds to fill."""

    warmup: int
    runs: int
    visit_ms: float


@dataclass(frozen=True)
class Times:
    """The milliseconds of a visit and the runs behind them; each may be the mean of several runs."""

    ms: tuple[float, ...]
    runs: int


class Backend(ABC):
    """A runtime on a device.

    Class attributes are defaults of the command: ``statistic`` (see
    :mod:`latency.sources.measured.visits`), ``rounds`` and ``runs``. ``empty`` is a module of the least
    that the runtime can be asked to run.
    """

    statistic = "fastest"
    rounds = 12
    runs = 10
    empty: type[nn.Module] = nn.Identity

    @abstractmethod
    def __init__(self, options: Options) -> None:
        """Raises :class:`TableError` saying everything that is missing."""

    @abstractmethod
    def prepare(self, name: str, build: Callable[[], nn.Module], shape: Sequence[int]) -> Any:
        """What :meth:`time` runs: the module of ``build()`` for an input of ``shape`` (N, C, H, W).

        ``name`` belongs to this graph alone: what was converted under it need not be converted again.
        """

    @abstractmethod
    def time(self, runnable: Any, runs: int) -> list[float]:
        """Milliseconds of every one of ``runs`` runs, one after another."""

    @abstractmethod
    def facts(self) -> dict[str, str]:
        """Device, soc, gpu, runtime, runtime_version, backend and precision, for the table's header."""

    def visit(self, runnable: Any, effort: Effort) -> Times:
        """Warm up, then time as many runs as fill ``effort.visit_ms``."""
        warm = min(self.time(runnable, max(1, effort.warmup)))
        runs = min(MAX_RUNS, max(effort.runs, int(effort.visit_ms / max(warm, 1e-6))))
        return Times(tuple(self.time(runnable, runs)), runs)


def time_calls(call: Callable[[], object], runs: int, clock: str) -> list[float]:
    """Milliseconds, by one of :data:`CLOCKS`, of ``runs`` calls that return when their work is done."""
    now, times = CLOCKS[clock], []
    for _ in range(runs):
        started = now()
        call()
        times.append((now() - started) / 1e6)
    return times


def clock_problems(options: Options) -> list[str]:
    """What is wrong with the clock asked for, for a backend on this computer's processor."""
    if options.clock == "cpu" and options.threads > 1:
        return [f"--threads 1: the clock 'cpu' sees one thread, not {options.threads}; or --clock wall"]
    return []


def cpu_name() -> str:
    """What the operating system calls the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(filter(None, names), platform.processor() or platform.machine() or "unknown")


def cpu_facts(runtime: str, version: str, how: str, options: Options) -> dict[str, str]:
    """The facts of a runtime on this computer's processor, fp32; ``how`` it runs there."""
    clock = "wall time" if options.clock == "wall" else "processor time"
    return {
        "device": f"computer with {cpu_name()}",
        "soc": cpu_name(),
        "gpu": "none (CPU)",
        "runtime": runtime,
        "runtime_version": version,
        "backend": f"{how}, {options.threads} thread(s), {clock}",
        "precision": "fp32",
    }


def refuse_if(missing: Sequence[str], backend: str) -> None:
    """Raise one :class:`TableError` naming everything a backend lacks."""
    if missing:
        listing = "\n  ".join(missing)
        raise TableError(
            f"The backend {backend} cannot run here; missing:\n  {listing}\nSee docs/latency_measure.md."
        )
