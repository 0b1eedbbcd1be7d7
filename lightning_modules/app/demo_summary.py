"""What the demo found: as data, as a table in the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dnas.derive.command import Candidate
from dnas.runs.checkpoint import SearchCheckpoint
from latency import LatencyTable


@dataclass(frozen=True)
class Summary:
    """What the demo found. Latencies are sums of the table, for the deployed network."""

    architecture: str
    latency_kind: str
    expected_latency_ms_at_start: float
    expected_latency_ms_at_end: float
    latency_ms: float
    params: int
    madds: int
    one_shot_top1: float
    retrained_top1: float
    budgets: list[dict[str, float]]
    finding: str
    seconds: dict[str, float]


def summarise(
    checkpoint: SearchCheckpoint,
    table: LatencyTable,
    best: Candidate,
    bounded: list[Candidate],
    retrained_top1: float,
    finding: str,
    seconds: dict[str, float],
) -> Summary:
    """Collect the results of the stages."""
    uniform = [row[:count].mean() for row, count in zip(table.ms, table.space.num_choices, strict=True)]
    return Summary(
        architecture=str(best.derived.architecture),
        latency_kind=table.kind,
        expected_latency_ms_at_start=float(sum(uniform) + table.fixed_ms),
        expected_latency_ms_at_end=checkpoint.history[-1]["expected_latency_ms"],
        latency_ms=best.latency_ms,
        params=best.params,
        madds=best.madds,
        one_shot_top1=best.evaluation.top1 if best.evaluation else float("nan"),
        retrained_top1=retrained_top1,
        budgets=[each.row() for each in bounded],
        finding=finding,
        seconds=seconds,
    )


def print_summary(console: Console, summary: Summary, folder: Path) -> None:
    """A table of what was found and where it lies."""
    before, after = summary.expected_latency_ms_at_start, summary.expected_latency_ms_at_end
    table = Table("", "", title="Found in this demo", show_header=False, title_justify="left")
    table.columns[1].overflow = "fold"
    rows = {
        "architecture": summary.architecture,
        f"{summary.latency_kind} latency": f"{summary.latency_ms:.2f} ms (deployed at 224 px)",
        "parameters": f"{summary.params:,} (with 1000 classes)",
        "expected latency during the search": f"{before:.2f} -> {after:.2f} ms",
        "one-shot accuracy, validation digits": f"{summary.one_shot_top1:.1%}",
        "retrained from scratch, test digits": f"{summary.retrained_top1:.1%}",
        **{f"at most {row['latency_ms']:.2f} ms": f"one-shot {row['top1']:.1%}" for row in summary.budgets},
        "searches compared": summary.finding,
        "seconds": ", ".join(f"{name} {value:.0f}" for name, value in summary.seconds.items()),
        "architecture file": str(folder / "derived" / "architecture.json"),
        "figures": str(folder / "search" / "figures"),
        "report": str(folder / "comparison" / "report.html"),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
