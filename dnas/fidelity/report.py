"""What an audit writes and prints: fidelity.json, two CSV files, figures, and a table for the terminal."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dnas.fidelity.audit import Audit
from dnas.fidelity.correlation import LEVEL, RESAMPLES, Interval
from dnas.fidelity.figures import Panel, scatter_figure, tau_figure
from dnas.fidelity.finding import find, notes
from dnas.fidelity.predictors import LOSS, TOP1, Scored
from dnas.fidelity.supernets import Supernet
from dnas.report.style import save_figure
from dnas.support.files import write_text

FORMAT = "dnas-fidelity/1"
RESULT = "fidelity.json"
# Name of a predictor -> label of its axis, and what values are multiplied by for it.
AXES = {
    LOSS: ("one-shot loss (nats), falling", 1.0),
    TOP1: ("one-shot top-1 (%)", 100.0),
    "parameters": ("parameters (millions)", 1e-6),
    "multiply-adds": ("multiply-adds (millions)", 1e-6),
    "depth": ("layers that are no skip", 1.0),
    "latency": ("latency (ms)", 1.0),
}


def write(audit: Audit) -> None:
    """Write everything into the output folder, ``fidelity.json`` last: where it is, all is there."""
    folder = audit.settings.output
    write_text(folder / "correlations.csv", _csv(correlation_rows(audit)))
    write_text(folder / "architectures.csv", _csv(architecture_rows(audit)))
    panels = [_panel(audit, scored) for scored in audit.scored]
    save_figure(scatter_figure(panels, audit.top1), folder / "figures" / "scatter.png")
    save_figure(tau_figure(panels), folder / "figures" / "tau.png")
    write_text(folder / RESULT, json.dumps(to_dict(audit), indent=1, allow_nan=False) + "\n")


def show(audit: Audit, console: Console) -> None:
    """Print the correlations, the finding and the notes."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("supernet", overflow="fold")
    for heading in ("predictor", "Kendall tau", "Spearman rho"):
        table.add_column(heading, no_wrap=True)
    for predictor, correlation in audit.scored:
        cells = predictor.supernet, predictor.name, str(correlation.tau), str(correlation.rho)
        # Text, not str: rich would read brackets as markup.
        table.add_row(*map(Text, cells))
    console.print(table)
    for line in (find(audit), *notes(audit)):
        console.print(line, highlight=False, markup=False)
    console.print(f"Wrote {audit.settings.output / RESULT}", highlight=False, soft_wrap=True)


def to_dict(audit: Audit) -> dict[str, Any]:
    """The content of ``fidelity.json``; what is undefined is null."""
    space = audit.supernets[0].space
    return {
        "format": FORMAT,
        "finding": find(audit),
        "notes": notes(audit),
        "space": {"name": space.name, "sha256": space.digest},
        "architectures": {
            "drawn": len(audit.architectures),
            "counted": len(audit.kept),
            "seed": audit.settings.seed,
        },
        "stand_alone": {**audit.source, "images": audit.stand_alone[audit.kept[0]].images or None},
        "supernets": [
            _supernet(audit, supernet, found[0].images)
            for supernet, found in zip(audit.supernets, audit.evaluations, strict=True)
        ],
        "table": None if audit.table is None else audit.table.identity(),
        "intervals": {"level": LEVEL, "samples": RESAMPLES},
        "correlations": correlation_rows(audit),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def correlation_rows(audit: Audit) -> list[dict[str, Any]]:
    """A row per supernet and predictor; trivial predictors have no checkpoint, what is undefined is None."""
    return [
        {
            "checkpoint": predictor.supernet,
            "predictor": predictor.name,
            "n": correlation.n,
            **_cells(("kendall_tau", "tau_low", "tau_high"), correlation.tau),
            **_cells(("spearman", "rho_low", "rho_high"), correlation.rho),
        }
        for predictor, correlation in audit.scored
    ]


def architecture_rows(audit: Audit) -> list[dict[str, Any]]:
    """One row per architecture; the first columns are those that ``--accuracies`` reads."""
    rows = zip(audit.architectures, audit.stand_alone, strict=True)
    return [
        {
            "architecture": str(architecture),
            "top1": alone.top1 if not alone.reason else None,
            "left_out": alone.reason,
            "seconds": alone.seconds or None,
            **{scored.predictor.title: scored.predictor.values[index] for scored in audit.scored},
        }
        for index, (architecture, alone) in enumerate(rows)
    ]


def _panel(audit: Audit, scored: Scored) -> Panel:
    predictor, correlation = scored
    label, scale = AXES[predictor.name]
    values = scale * predictor.values[audit.kept]
    return Panel(
        predictor.supernet, predictor.name, label, values, correlation.tau, predictor.lower_is_better
    )


def _supernet(audit: Audit, supernet: Supernet, images: int) -> dict[str, Any]:
    return {
        **supernet.describe(),
        "recalibration_batches": audit.settings.recalibration_batches,
        "validation_images": images,
        "best_tau_estimate": _cells(("mean", "low", "high"), audit.best_taus[images]),
    }


def _cells(names: Sequence[str], interval: Interval) -> dict[str, float | None]:
    return {name: value if interval.defined else None for name, value in zip(names, interval, strict=True)}


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
