"""What all runs are held to: one evaluator, one quality, one box; and what that evaluator has yet to see."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from math import isclose
from pathlib import Path

from dnas.compare.files import RunError, sha256_of
from dnas.compare.model import Box, Evaluator, Quality
from dnas.compare.source import EvaluatorKey, Refinement, Source, Sources
from dnas.costs import Costs, LatencyCosts
from dnas.runs.evaluator import Evaluation
from dnas.space.architecture import Architecture

# Of architectures that no run was evaluated like: what the one-shot evaluator takes by itself.
RECALIBRATION_BATCHES = 8


@dataclass(frozen=True)
class Judge:
    """The one evaluator.

    Attributes:
        file: name of its supernet's checkpoint.
        path: where that is; None: not known, so that it cannot evaluate what is missing.
    """

    key: EvaluatorKey
    file: str
    path: Path | None

    def describe(self, evaluations: Iterable[Evaluation]) -> Evaluator:
        """What the report says of it, given all it measured.

        Raises:
            RunError: it did not measure everything on equally many images.
        """
        images = {evaluation.images for evaluation in evaluations}
        if len(images) > 1:
            raise RunError(
                f"The supernet {self.file} was evaluated on different numbers of validation images "
                f"({', '.join(map(str, sorted(images)))}): the data changed between the runs, or after them. "
                "Refine anew on the present data, or compare runs on the same."
            )
        return Evaluator(
            description=f"weights inherited from {self.file}, batch norms recalibrated on "
            f"{self.key.recalibration_batches} training batches, accuracy on the validation split",
            checkpoint=self.file,
            sha256=self.key.sha256,
            validation_images=images.pop() if images else None,
        )


def refinements(sources: Sources) -> Iterator[Refinement]:
    """Those of all runs that ``dnas refine`` wrote."""
    for runs in sources.values():
        yield from (run.refinement for run in runs if run.refinement)


def choose_quality(sources: Sources) -> Quality:
    """What the refinements compared architectures by; top1 without refinements.

    Raises:
        RunError: some went by loss and some by top-1.
    """
    names: dict[Quality, list[str]] = {}
    for run in _all(sources):
        if run.refinement:
            names.setdefault(run.refinement.quality, []).append(run.path)
    if len(names) > 1:
        listing = "; ".join(f"{quality}: {', '.join(paths)}" for quality, paths in sorted(names.items()))
        raise RunError(
            f"The runs searched for different qualities, so their fronts cannot be compared ({listing}). "
            "Compare those of one quality, or refine anew with one --quality."
        )
    return next(iter(names), "top1")


def worst_loss(sources: Sources) -> float:
    """The loss of the box's worst corner that all refinements share; raises :class:`RunError`."""
    worst = sorted({each.box.quality[0] for each in refinements(sources)})
    if len(worst) > 1:
        raise RunError(f"The runs' boxes begin at different losses: {', '.join(f'{x:g}' for x in worst)}.")
    return worst[0]


def choose_judge(sources: Sources, checkpoint: str | None) -> Judge:
    """The evaluator with the given supernet; without one, that of all refinements.

    Raises:
        RunError: no such file; or none is given and the refinements do not share one, or there are none.
    """
    if checkpoint is None:
        return _shared_judge(sources)
    path = Path(checkpoint)
    if not path.is_file():
        raise RunError(f"--checkpoint {path}: no such file.")
    sha256 = sha256_of(path)
    keys = {each.evaluator for each in refinements(sources) if each.evaluator.sha256 == sha256}
    key = keys.pop() if len(keys) == 1 else EvaluatorKey(sha256, RECALIBRATION_BATCHES)
    return Judge(key, path.name, path)


def _shared_judge(sources: Sources) -> Judge:
    files = {each.evaluator: each.checkpoint for each in refinements(sources)}
    if len(files) != 1:
        used = ", ".join(
            f"{Path(file).name} (sha256 {key.sha256[:12]}..., recalibration {key.recalibration_batches})"
            for key, file in files.items()
        )
        reason = f"The runs were evaluated differently: by {used}" if files else "No run names a supernet"
        raise RunError(f"{reason}. Give the one that is to evaluate all architectures with --checkpoint.")
    ((key, file),) = files.items()
    paths = [file, *(run.path for run in _all(sources))]
    at_hand = (path for path in map(Path, paths) if path.is_file() and sha256_of(path) == key.sha256)
    return Judge(key, Path(file).name, next(at_hand, None))


def known_evaluations(sources: Sources, key: EvaluatorKey) -> dict[Architecture, Evaluation]:
    """What the runs of this very evaluator measured."""
    return {
        found.architecture: found.evaluation
        for run in _all(sources)
        if run.refinement and run.refinement.evaluator == key
        for found in run.found
        if found.evaluation
    }


def unknown_architectures(sources: Sources, known: Container[Architecture]) -> list[Architecture]:
    """All others, each once, in the order of the runs."""
    found = dict.fromkeys(each.architecture for run in _all(sources) for each in run.found)
    return [architecture for architecture in found if architecture not in known]


def _all(sources: Sources) -> Iterator[Source]:
    for runs in sources.values():
        yield from runs


@dataclass(frozen=True)
class Terms:
    """One table, one count of parameters, one quality, one box and one evaluator."""

    table: LatencyCosts
    costs: Costs
    quality: Quality
    box: Box
    evaluator: EvaluatorKey

    def are_those_of(self, refinement: Refinement) -> bool:
        """Whether the run's own hypervolumes are comparable with ours."""
        return (
            refinement.evaluator == self.evaluator
            and refinement.table_sha256 == self.table.sha256
            and _same_box(refinement.box, self.box)
        )


def _same_box(first: Box, second: Box) -> bool:
    pairs = zip(_corners(first), _corners(second), strict=True)
    return all(isclose(a, b, rel_tol=1e-9) for a, b in pairs)


def _corners(box: Box) -> tuple[float, ...]:
    return (*box.quality, *box.latency_ms, *box.params)
