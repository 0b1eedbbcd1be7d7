"""Evaluating a population: what is known is looked up, the rest is shared among the processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from dnas.refine.store import EvaluationStore, Genome, Record
from dnas.runs.checkpoint import SupernetCheckpoint
from dnas.runs.evaluator import OneShotEvaluator
from dnas.search.evolution.algorithm import IntArray
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from dnas.support.processes import broadcast, gather, rank, world_size

Tell = Callable[[int, int], None]


class PopulationEvaluator:
    """Records of many genomes; every process must ask for the same ones, and gets the same answer.

    Args:
        evaluate: evaluates one architecture.
        store: where evaluations are kept; what it holds on disk for the first process, all know.
    """

    @classmethod
    def of_checkpoint(
        cls, checkpoint: SupernetCheckpoint, recalibration_batches: int, device: torch.device, folder: Path
    ) -> PopulationEvaluator:
        """Evaluate with a checkpoint's supernet and data; evaluations are kept in ``folder``.

        Raises:
            ValueError: the supernet cannot be rebuilt, or its data is missing.
        """
        identity = {
            "checkpoint": checkpoint.sha256,
            "data": checkpoint.data,
            "recalibration_batches": recalibration_batches,
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

    def __call__(self, genomes: IntArray, tell: Tell = lambda done, of: None) -> list[Record]:
        """Records of (n, L) genomes in their order.

        Args:
            tell: called with how many evaluations of this process's share are done, and of how many.
        """
        wanted: list[Genome] = [tuple(row) for row in genomes.tolist()]
        missing = [genome for genome in dict.fromkeys(wanted) if self._store.get(genome) is None]
        share = missing[rank() :: world_size()]
        for done, genome in enumerate(share):
            tell(done, len(share))
            self._store.write(genome, self._timed(genome))
        tell(len(share), len(share))
        for found in gather({genome: self._known(genome) for genome in share}):
            self._store.take(found)
        return [self._known(genome) for genome in wanted]

    def _timed(self, genome: Sequence[int]) -> Record:
        started = time.perf_counter()
        evaluation = self.evaluate(Architecture(self._space, tuple(genome)))
        return Record(evaluation, time.perf_counter() - started)

    def _known(self, genome: Genome) -> Record:
        record = self._store.get(genome)
        assert record is not None
        return record
