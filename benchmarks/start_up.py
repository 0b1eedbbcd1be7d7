"""How long a user waits for a light command, and how much memory it takes: beside ``import torch``.

    python benchmarks/start_up.py

Every line is a process of its own, its start included. Lines take turns, so that a slow minute slows all. The
peak is read from /proc, so this runs on Linux.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = (
    "--help",
    "--version",
    "configs",
    "latency list",
    "latency show adreno640_tflite2.10",
)
IMPORTS = ("import dnas", "import dnas; dnas.Network", "import torch")
# The kernel's own peak of the process, in kB. That of getrusage begins with the parent's memory.
PEAK = """
import sys
sys.stderr.write(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=7, help="of every line, after one that warms the disk")
    runs = parser.parse_args().runs
    codes = {f"dnas {line}": of_command(line.split()) for line in COMMANDS} | {line: line for line in IMPORTS}
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in codes}
    for turn in range(runs + 1):
        for name, code in codes.items():
            result = run(code)
            if turn:
                measured[name].append(result)
    grid = Table("", "seconds", "fastest", "peak MB", box=None)
    for column in grid.columns[1:]:
        column.justify = "right"
    for name, results in measured.items():
        seconds, megabytes = zip(*results, strict=True)
        grid.add_row(name, f"{median(seconds):.2f}", f"{min(seconds):.2f}", f"{median(megabytes):.0f}")
    Console(width=110).print(grid)


def of_command(arguments: list[str]) -> str:
    """Code that runs a command as its entry point does."""
    return f"from lightning_modules.app.cli import main; main({arguments!r})"


def run(code: str) -> tuple[float, float]:
    """Seconds of a new process that runs ``code``, and the most megabytes that it held."""
    with tempfile.TemporaryFile() as peak:
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", f"{code}\n{PEAK}"],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=peak,
            check=True,
        )
        seconds = time.perf_counter() - started
        peak.seek(0)
        return seconds, int(peak.read().split()[-1]) * 1024 / 1e6


if __name__ == "__main__":
    main()
