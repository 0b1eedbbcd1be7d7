"""Evaluating a population: what is known is looked up, the rest is shared among the processes.

Evaluations are on disk, a line each as soon as it is known: killed at any moment, nothing is evaluated twice.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from dnas.runs.checkpoint import SupernetCheckpoint
from dnas.runs.evaluator import Evaluation, OneShotEvaluator
from dnas.runs.prefixes import evaluate_in_order, recalibrated_in_order
from dnas.runs.racing import Entrant, FloatArray, Race
from dnas.search.evolution.algorithm import IntArray
from dnas.search.evolution.resume import floats_from_plain, floats_to_plain, rows
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from dnas.support.files import append_line
from dnas.support.processes import broadcast, gather, rank, world_size
from dnas.support.sealed_json import seal, whole_lines

Tell = Callable[[int, int], None]
Genome = tuple[int, ...]
# Evaluated genomes that are no worse than one in all that is known without an evaluation.
RivalsOf = Callable[[Genome], IntArray]


class PopulationEvaluator:
    """Records of many genomes; every process must ask for the same ones, and gets the same answer.

    Genomes that build the same network are evaluated once, as their canonical genome, which the store knows.

    Args:
        evaluate: evaluates one architecture.
        store: where evaluations are kept; what it holds on disk for the first process, all know.
    """

    @classmethod
    def of_checkpoint(
        cls,
        checkpoint: SupernetCheckpoint,
        recalibration_batches: int,
        device: torch.device,
        folder: Path,
        races: bool = False,
    ) -> PopulationEvaluator:
        """Evaluate with a checkpoint's supernet and data; evaluations are kept in ``folder``.

        Args:
            races: whether some are estimates, by races: then they are kept apart.

        Raises:
            ValueError: the supernet cannot be rebuilt, or its data is missing.
        """
        identity = {
            "checkpoint": checkpoint.sha256,
            "data": checkpoint.data,
            "recalibration_batches": recalibration_batches,
            **({"races": True} if races else {}),
        }
        supernet = checkpoint.build_supernet()
        evaluate = OneShotEvaluator(supernet, checkpoint.data, recalibration_batches, device)
        store = EvaluationStore(folder, identity, layers=len(checkpoint.space), process=rank())
        return cls(checkpoint.space, evaluate, store)

    @property
    def key(self) -> str:
        """Of the evaluator: evaluations of another one do not count."""
        return self._store.key

    def __init__(self, space: SearchSpace, evaluate: OneShotEvaluator, store: EvaluationStore) -> None:
        self._space, self.evaluate, self._store = space, evaluate, store
        store.take(broadcast(store.read() if rank() == 0 else {}))

    def __call__(
        self,
        genomes: IntArray,
        tell: Tell = lambda done, of: None,
        race: Race | None = None,
        rivals_of: RivalsOf | None = None,
    ) -> list[Record]:
        """Records of (n, L) genomes in their order.

        Args:
            tell: called with how many evaluations of this process's share are done, and of how many.
            race: ends evaluations early that are worse than that of a rival; all known ones took part in it.
            rivals_of: of a genome; what is asked for in the same call is no rival.
        """
        wanted = self._canonical(genomes)
        missing = [genome for genome in dict.fromkeys(wanted) if self._store.get(genome) is None]
        share = _share(missing, rank(), world_size())
        tell(0, len(share))
        evaluations = self._evaluated(share) if race is None else self._raced(share, race, rivals_of)
        for done, (genome, record) in enumerate(_timed(evaluations), start=1):
            self._store.write(genome, record)
            tell(done, len(share))
        for found in gather({genome: self._known(genome) for genome in share}):
            self._store.take(found)
        return [self._known(genome) for genome in wanted]

    def _canonical(self, genomes: IntArray) -> list[Genome]:
        return [tuple(row) for row in self._space.canonical(genomes).tolist()]

    def _evaluated(self, genomes: Sequence[Genome]) -> Iterator[tuple[Genome, Record]]:
        architectures = (Architecture(self._space, genome) for genome in genomes)
        for architecture, evaluation in evaluate_in_order(self.evaluate, architectures):
            yield architecture.indices, Record(evaluation)

    def _raced(
        self, genomes: Sequence[Genome], race: Race, rivals_of: RivalsOf | None
    ) -> Iterator[tuple[Genome, Record]]:
        architectures = (Architecture(self._space, genome) for genome in genomes)
        for architecture, network, batches, num_classes in recalibrated_in_order(
            self.evaluate, architectures
        ):
            genome = architecture.indices
            known = [] if rivals_of is None else map(self._known, self._canonical(rivals_of(genome)))
            rivals = [each.entrant() for each in known]
            evaluation, scores = race.run(network, [*batches], num_classes, rivals)
            yield genome, Record(evaluation, scores=scores)

    def _known(self, genome: Genome) -> Record:
        record = self._store.get(genome)
        assert record is not None
        return record


def _share(genomes: Sequence[Genome], number: int, of: int) -> list[Genome]:
    """A process's share: neighbours in the order of genomes, which begin alike."""
    ordered = sorted(genomes)
    begin, end = (len(ordered) * each // of for each in (number, number + 1))
    return ordered[begin:end]


def _timed(evaluations: Iterable[tuple[Genome, Record]]) -> Iterator[tuple[Genome, Record]]:
    """With their seconds: what several have in common counts for the first of them."""
    started = time.perf_counter()
    for genome, record in evaluations:
        yield genome, record._replace(seconds=time.perf_counter() - started)
        started = time.perf_counter()


class Record(NamedTuple):
    """An evaluation, the seconds that it took, and of one in a race its scores by batch."""

    evaluation: Evaluation
    seconds: float = 0.0
    scores: FloatArray | None = None

    def entrant(self) -> Entrant:
        """What a race needs of it."""
        assert self.scores is not None
        return Entrant(self.evaluation, self.scores)


class EvaluationStore:
    """Evaluations by genome, of one evaluator (supernet, data, recalibration) that the file name identifies.

    A file belongs to one process, so that nobody writes into another's lines. A line that is truncated
    or damaged is not there.

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
            for line in whole_lines(path):
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
        if record.scores is not None:
            line["scores"] = floats_to_plain(record.scores)
        append_line(self._path, json.dumps(seal(line)))


def _parsed(line: bytes, layers: int) -> tuple[Genome, Record] | None:
    try:
        data = json.loads(line)
        genome = tuple(map(int, data["genome"]))
        evaluation = Evaluation(
            float(data["top1"]), float(data["top5"]), float(data["loss"]), int(data["images"])
        )
        scores = data.get("scores")
        if scores is not None:
            scores = rows(floats_from_plain(scores), 3)
        record = Record(evaluation, float(data["seconds"]), scores)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (genome, record) if len(genome) == layers else None
