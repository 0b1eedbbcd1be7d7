"""Everything that refinements evaluated, from their ``evaluated.csv``: more than their fronts hold."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from dnas.compare.files import RunError, read_json, read_text
from dnas.compare.source import EvaluatorKey, Refinement, Source, Sources
from dnas.runs.evaluator import Evaluation
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture, ArchitectureError

FILE = "evaluated.csv"
# Latencies are not among them: their columns depend on the devices of the run, their values on its tables.
COLUMNS = ("top1", "top5", "loss", "architecture")


def read_evaluated(sources: Sources, key: EvaluatorKey) -> dict[Architecture, Evaluation]:
    """What the refinements with this evaluator measured on all of their images, by canonical architecture.

    Raises:
        RunError: a file is damaged.
    """
    files = {
        path.resolve(): (path, source.space, own.validation_images)
        for source, own in _refinements(sources)
        if own.evaluator == key and (path := _file(source)) is not None
    }
    found: dict[Architecture, Evaluation] = {}
    for path, space, images in files.values():
        found |= _rows(path, space, images)
    return found


def fronts_alone(sources: Sources, key: EvaluatorKey) -> Iterator[str]:
    """A note on every refinement of which only the front is known."""
    for source, own in _refinements(sources):
        if own.evaluator != key:
            reason = "evaluated by another supernet"
        elif _file(source) is None:
            reason = f"without {FILE}, which a refinement writes at its end"
        else:
            continue
        yield f"{source.path}: {reason}; of its networks, only the front takes part in comparing devices."


def searched_tables(sources: Sources) -> set[str]:
    """The sha256 of all tables that refinements searched under; for several devices, of all of theirs."""
    found = set()
    for source, own in _refinements(sources):
        found.add(own.table_sha256)
        if (joint := _joint(source)) is not None:
            siblings = sorted(joint.glob("devices/*/run.json"))
            found |= {read_json(path, "run")["table"]["sha256"] for path in siblings}
    return found


def _refinements(sources: Sources) -> Iterator[tuple[Source, Refinement]]:
    for runs in sources.values():
        yield from ((run, run.refinement) for run in runs if run.refinement)


def _file(source: Source) -> Path | None:
    """The run's own file, or that of the refinement for several devices which its folder is a part of."""
    folders = [Path(source.path), _joint(source)]
    files = (folder / FILE for folder in folders if folder is not None)
    return next((file for file in files if file.is_file()), None)


def _joint(source: Source) -> Path | None:
    folder = Path(source.path).resolve().parent
    return folder.parent if folder.name == "devices" and (folder.parent / "run.json").is_file() else None


def _rows(path: Path, space: SearchSpace, images: int) -> dict[Architecture, Evaluation]:
    rows = csv.DictReader(read_text(path).splitlines())
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise RunError(f"{path} has no column {', '.join(missing)}; found {rows.fieldnames or 'none'}.")
    found = {}
    for row in rows:
        try:
            architecture = Architecture.parse(row["architecture"] or "", space).canonical()
            evaluation = _evaluation(row, images)
        except (ArchitectureError, TypeError, ValueError) as error:
            raise RunError(f"{path}, line {rows.line_num}: {error}") from error
        # An evaluation that --stop-early ended is of fewer images, and compares with no other.
        if evaluation.images == images:
            found[architecture] = evaluation
    return found


def _evaluation(row: Mapping[str, str | None], images: int) -> Evaluation:
    """Raises ValueError or TypeError for what is no evaluation."""
    top1, top5, loss = (float(row[name] or "") for name in COLUMNS[:3])
    if not (0 <= top1 <= 1 and 0 <= top5 <= 1):
        raise ValueError(f"accuracies lie between 0 and 1, found top1 {top1:g}, top5 {top5:g}")
    seen = row.get("images")
    return Evaluation(top1, top5, loss if math.isfinite(loss) else math.inf, int(seen) if seen else images)
