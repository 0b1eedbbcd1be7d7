"""Evaluations on disk, a line each as soon as it is known: killed at any moment, nothing is evaluated twice.

A file belongs to one evaluator (supernet, data, recalibration), which its name tells, and to one process, so
that nobody writes into another's lines. A line that a kill has torn is not there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dnas.runs.evaluator import Evaluation
from dnas.support.files import append_line

Genome = tuple[int, ...]


class Record(NamedTuple):
    """An evaluation and the seconds that it took."""

    evaluation: Evaluation
    seconds: float


class EvaluationStore:
    """Evaluations by genome, of one evaluator.

    Args:
        folder: where the files lie; made when something is written.
        evaluator: plain data that decides an evaluation: checkpoint's sha256, data, recalibration.
        layers: of a genome.
        process: number of this process.
    """

    def __init__(
        self, folder: str | Path, evaluator: Mapping[str, Any], layers: int, process: int = 0
    ) -> None:
        self._folder, self._layers = Path(folder), layers
        plain = json.dumps(evaluator, sort_keys=True, default=str)
        self.key = hashlib.sha256(plain.encode()).hexdigest()[:16]
        self._path = self._folder / f"evaluations-{self.key}-{process}.jsonl"
        self._records: dict[Genome, Record] = {}

    def __len__(self) -> int:
        return len(self._records)

    def read(self) -> dict[Genome, Record]:
        """All that the files of this evaluator hold."""
        found: dict[Genome, Record] = {}
        for path in sorted(self._folder.glob(f"evaluations-{self.key}-*.jsonl")):
            for line in path.read_bytes().splitlines():
                if entry := _parsed(line, self._layers):
                    found.setdefault(*entry)
        return found

    def take(self, records: Mapping[Genome, Record]) -> None:
        """Know these from now on, without writing them."""
        self._records.update(records)

    def get(self, genome: Sequence[int]) -> Record | None:
        """The evaluation of a genome, if it is known."""
        return self._records.get(tuple(genome))

    def write(self, genome: Genome, record: Record) -> None:
        """Know an evaluation, and have it on disk when this returns."""
        self._records[genome] = record
        line = {"genome": genome, **record.evaluation._asdict(), "seconds": record.seconds}
        append_line(self._path, json.dumps(line))


def _parsed(line: bytes, layers: int) -> tuple[Genome, Record] | None:
    try:
        data = json.loads(line)
        genome = tuple(map(int, data["genome"]))
        evaluation = Evaluation(
            float(data["top1"]), float(data["top5"]), float(data["loss"]), int(data["images"])
        )
        record = Record(evaluation, float(data["seconds"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (genome, record) if len(genome) == layers else None
