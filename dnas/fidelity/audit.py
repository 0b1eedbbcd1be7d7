"""An audit of rank fidelity, from its settings to correlations; keeps on disk what was slow to find out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dnas.costs import LatencyCosts, LoadTable
from dnas.fidelity.correlation import FEWEST, Interval, best_tau, correlate, resample
from dnas.fidelity.predictors import Scored, one_shot, trivial
from dnas.fidelity.settings import Settings
from dnas.fidelity.source import Source, StandAlone, Tell
from dnas.fidelity.standalone import Trainer, Training
from dnas.fidelity.supernets import Supernet, evaluate, read_supernets
from dnas.fidelity.table import KnownAccuracies
from dnas.runs.evaluator import Evaluation
from dnas.search.evolution.algorithm import FloatArray
from dnas.space.architecture import Architecture

# Independent streams of random numbers under one seed.
_SAMPLE, _BOOTSTRAP, _NOISE = range(3)


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        architectures: all that were drawn, n' of them.
        stand_alone: of each.
        evaluations: of each supernet, one-shot, of each architecture.
        kept: (n,) indices of the architectures that have a stand-alone accuracy; the others do not count.
        scored: predictors with (n',) values and the correlations of those that count; of the supernets
            first, in their order, then the trivial ones.
        best_taus: what a perfect ranker could reach, by the number of images that it sees: those of the
            validation splits.
    """

    settings: Settings
    supernets: Sequence[Supernet]
    table: LatencyCosts | None
    source: dict[str, Any]
    architectures: Sequence[Architecture]
    stand_alone: Sequence[StandAlone]
    evaluations: Sequence[Sequence[Evaluation]]
    kept: np.ndarray
    scored: Sequence[Scored]
    best_taus: Mapping[int, Interval]

    @property
    def top1(self) -> FloatArray:
        """(n,) stand-alone accuracies that count."""
        return np.array([self.stand_alone[index].top1 for index in self.kept])


def audit(
    settings: Settings,
    tell: Tell = lambda what, done, of: None,
    trainer: Trainer | None = None,
    *,
    load_table: LoadTable,
) -> Audit:
    """Draw architectures, evaluate them in every supernet and alone, correlate.

    Nobody else may be at work in the output folder.

    Args:
        trainer: trains them alone; not needed for accuracies that are known.
        load_table: reads the latency table; :func:`latency.load_table`.

    Raises:
        ValueError: what the settings name cannot be used, or fewer than 3 architectures have an accuracy.
        FileNotFoundError: no such config to train with.
    """
    supernets = read_supernets(settings.checkpoints)
    space = supernets[0].space
    table = None if settings.table is None else load_table(settings.table, space)
    source = _source(settings, supernets[0], trainer)
    architectures = source.sample(settings.architectures, _generator(settings, _SAMPLE))
    evaluations = [evaluate(each, architectures, settings, tell) for each in supernets]
    stand_alone = source.accuracies(architectures, tell)
    kept = _kept(stand_alone)
    predictors = [
        predictor
        for supernet, found in zip(supernets, evaluations, strict=True)
        for predictor in one_shot(supernet.name, found)
    ] + trivial(space, architectures, table)
    top1 = np.array([stand_alone[index].top1 for index in kept])
    counts = resample(len(kept), _generator(settings, _BOOTSTRAP))
    return Audit(
        settings,
        supernets,
        table,
        source.describe(),
        architectures,
        stand_alone,
        evaluations,
        kept,
        [Scored(each, correlate(each.scores[kept], top1, counts)) for each in predictors],
        {
            images: best_tau(top1, images, stand_alone[kept[0]].images, _generator(settings, _NOISE))
            for images in dict.fromkeys(found[0].images for found in evaluations)
        },
    )


def _source(settings: Settings, supernet: Supernet, trainer: Trainer | None) -> Source:
    if settings.accuracies is not None:
        return KnownAccuracies(settings.accuracies, supernet.space)
    if settings.train_config is None or trainer is None:
        raise ValueError("An audit that trains needs both train_config and a trainer.")
    # The networks to train are those of the supernet, whatever the config says; --set has the last word.
    overrides = [f"model.stem_stride={supernet.stem_stride}"]
    overrides += [] if settings.epochs is None else [f"trainer.max_epochs={settings.epochs}"]
    overrides += settings.overrides
    return Training(
        settings.train_config, overrides, settings.output, supernet.space, trainer, settings.draw_over
    )


def _kept(stand_alone: Sequence[StandAlone]) -> np.ndarray:
    kept = np.flatnonzero([not np.isnan(each.top1) for each in stand_alone])
    if len(kept) < FEWEST:
        reasons = "; ".join(dict.fromkeys(each.reason for each in stand_alone if each.reason))
        raise ValueError(
            f"Only {len(kept)} of {len(stand_alone)} architectures have a stand-alone accuracy, and a rank "
            f"correlation needs at least {FEWEST}. {reasons}"
        )
    return kept


def _generator(settings: Settings, stream: int) -> np.random.Generator:
    return np.random.default_rng([settings.seed, stream])
