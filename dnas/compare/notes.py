"""What a reader must know to judge a comparison, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from dnas.compare.estimate import LEVEL
from dnas.compare.fronts import Evaluations
from dnas.compare.model import Method
from dnas.compare.source import Source, Sources
from dnas.compare.terms import Terms


def make_notes(
    sources: Sources, methods: Sequence[Method], evaluations: Evaluations, terms: Terms
) -> tuple[str, ...]:
    """All notes: how to read the numbers, then what is particular to methods."""
    lines = list(_measures(sources, methods, evaluations, terms))
    for method in methods:
        runs = sources[method.name]
        lines += [
            f"{method.name}: {line}." for line in (*_seeds(method, runs), *_origins(method, runs, terms))
        ]
    return tuple(lines)


def _measures(
    sources: Sources, methods: Sequence[Method], evaluations: Evaluations, terms: Terms
) -> Iterator[str]:
    quality = "top-1 accuracy" if terms.quality == "top1" else "cross-entropy loss"
    yield (
        f"Fronts and hypervolumes are of {quality}, latency (lower is better) and parameters (more is "
        "better, MoGA's objective), as a share of the box between the extremes of the space; intervals are "
        f"{LEVEL:.0%} t-intervals of the mean over seeds."
    )
    yield (
        "Accuracies are of weights inherited from one supernet, on the images that the searches selected by: "
        "they rank networks, and flatter a method the more, the more it evaluated."
    )
    if any(run.alpha is not None for runs in sources.values() for run in runs):
        yield (
            "The front of a search checkpoint is its argmax network and the most probable networks under a "
            "series of bounds on latency; its training is its whole cost."
        )
    spent = {method.cost.evaluations for method in methods if method.kind in ("evolutionary", "baseline")}
    if len(spent - {None}) > 1:
        yield "The methods did not evaluate equally many architectures: see their costs."
    diverged = sum(not math.isfinite(evaluation.loss) for evaluation in evaluations.values())
    if diverged:
        yield f"{diverged} architecture(s) without a finite loss were left out."


def _seeds(method: Method, runs: Sequence[Source]) -> Iterator[str]:
    if len(runs) == 1 and method.kind != "zoo":
        yield "one seed only, so nothing is known of the spread between seeds"
    seeds = [run.seed for run in runs if run.seed is not None]
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        yield f"seed {', '.join(map(str, twice))} was given more than once; its runs may not be independent"
    details = dict.fromkeys(run.details for run in runs)
    if len(details) > 1:
        yield f"its runs have different settings ({'; '.join(details)}), so their spread is not that of seeds"
    empty = sum(not run.members for run in method.runs)
    if empty:
        yield f"{empty} of {len(runs)} run(s) found no architecture"


def _origins(method: Method, runs: Sequence[Source], terms: Terms) -> Iterator[str]:
    anew = sum(run.evaluated_anew for run in method.runs)
    if anew:
        yield f"{anew} of {sum(len(run.members) for run in method.runs)} networks were evaluated anew here"
    refined = [(run.path, run.refinement) for run in runs if run.refinement]
    if paths := [path for path, own in refined if own.table_sha256 != terms.table.sha256]:
        yield (
            f"{', '.join(paths)} searched under another latency table; the networks are costed anew with "
            "this one, which they were not selected by"
        )
    if paths := [path for path, own in refined if not own.finished]:
        yield f"{', '.join(paths)} had not finished"
    if paths := [path for path, own in refined if own.curve and not terms.are_those_of(own)]:
        yield (
            f"{', '.join(paths)} told hypervolumes of another table, evaluator or box: the curve is left out"
        )
    if any(own.seeded_from and own.checkpoint_kind != "search" for _, own in refined):
        yield "the cost of the search that it was seeded from is not in its cost"
