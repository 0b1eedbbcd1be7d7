"""What a run left behind, before it is costed under the comparison's table and judged by its evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from dnas.compare.model import Box, Cost, Curve, Kind, Quality
from dnas.runs.evaluator import Evaluation
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture


class EvaluatorKey(NamedTuple):
    """Two accuracies of an architecture are comparable when this is equal: same weights, same statistics.

    Attributes:
        sha256: of the supernet's checkpoint.
        recalibration_batches: training batches for batch-norm statistics.
    """

    sha256: str
    recalibration_batches: int


@dataclass(frozen=True)
class Found:
    """An architecture that a run proposes; evaluation None: its run did not measure it with a known one.

    It is kept as the canonical one of its network, so that a network counts once under whatever name.
    """

    architecture: Architecture
    evaluation: Evaluation | None = None
    generation: int | None = None
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "architecture", self.architecture.canonical())


@dataclass(frozen=True)
class Refinement:
    """What only the output of ``dnas refine`` tells.

    Attributes:
        evaluator: what the accuracies were measured with.
        checkpoint: file name of that supernet; its kind is "one-shot" or "search".
        table_sha256: of the table that latencies were read from.
        curve: (evaluations, hypervolume) after every generation, in ``box`` under that table.
        seeded_from: names of the files whose architectures it started from; empty: from random ones.
        finished: whether it came to its end.
    """

    quality: Quality
    evaluator: EvaluatorKey
    checkpoint: str
    checkpoint_kind: str
    validation_images: int
    table_sha256: str
    box: Box
    curve: Curve
    seeded_from: tuple[str, ...]
    finished: bool


@dataclass(frozen=True)
class Source:
    """One run of a method, read from its path.

    Attributes:
        path: as given, or the name of a zoo network.
        details: how it was run, in words; equal for the seeds of one method.
        found: its architectures; for a search checkpoint empty, they follow from alpha and a table.
        sha256: of the file that holds them; None for the zoo.
        alpha: (L, C) logits, of a search checkpoint only.
    """

    path: str
    kind: Kind
    details: str
    space: SearchSpace
    found: tuple[Found, ...]
    sha256: str | None = None
    seed: int | None = None
    cost: Cost = field(default_factory=Cost)
    alpha: Tensor | None = None
    refinement: Refinement | None = None


Sources = Mapping[str, tuple[Source, ...]]
