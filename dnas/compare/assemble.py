"""From runs as they were read to the comparison as it is reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version

from dnas.compare.devices import compare_devices
from dnas.compare.estimate import estimate, mean_cost
from dnas.compare.evaluated import fronts_alone, searched_tables
from dnas.compare.fronts import Evaluations, front, make_points, volume
from dnas.compare.judging import Terms
from dnas.compare.measures import (
    all_pairs,
    alpha_against_choices,
    as_matrix,
    attainment,
    best_within,
    choice_frequencies,
    default_budgets,
    mean_probabilities,
)
from dnas.compare.model import AlphaAgainstChoices, Comparison, Evaluator, Method, Run, Table
from dnas.compare.sentences import make_finding, make_notes
from dnas.compare.source import Source, Sources
from dnas.device_tables import DeviceTables

PACKAGES = ("dnas", "torch", "numpy", "scipy")


def assemble(
    sources: Sources,
    evaluations: Evaluations,
    known: Evaluations,
    terms: Terms,
    evaluator: Evaluator,
    budgets: Sequence[float] = (),
    title: str = "",
) -> Comparison:
    """Compare.

    Args:
        sources: the runs of every method, all of one space; each search checkpoint with what its sweep found.
        evaluations: of all architectures, by the evaluator of the terms.
        known: those of them that a run's own files told.
        evaluator: the evaluator of the terms, for the reader.
        budgets: in ms; without any, five over the range of all fronts.
    """
    methods = tuple(_method(name, runs, evaluations, known, terms) for name, runs in sources.items())
    space, table = terms.table.space, terms.table
    return Comparison(
        title=title or f"Searches of the space {space.name} compared",
        finding=make_finding(methods),
        space=space.to_dict(),
        table=Table(table.name, table.kind, table.sha256, table.describe()),
        evaluator=evaluator,
        quality=terms.quality,
        box=terms.box,
        methods=methods,
        agreement=all_pairs(methods),
        alpha_against_choices=_alpha(sources, methods),
        budgets=best_within(methods, budgets or default_budgets(methods), terms.quality),
        notes=make_notes(sources, methods, evaluations, terms),
        versions={name: _version(name) for name in PACKAGES},
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def with_devices(
    comparison: Comparison, tables: DeviceTables, sources: Sources, evaluations: Evaluations, terms: Terms
) -> Comparison:
    """With the part on several devices, and notes on what of the runs it is about.

    Args:
        evaluations: everything that is known of the terms' evaluator.
    """
    searched = searched_tables(sources)
    notes = [*fronts_alone(sources, terms.evaluator)]
    notes += [
        f"{device}: no run searched under its table, so its front here may be short of its best networks."
        for device, table in tables.items()
        if table.sha256 not in searched
    ]
    devices = compare_devices(tables, evaluations, terms)
    return replace(comparison, devices=devices, notes=(*comparison.notes, *notes))


def _method(
    name: str, sources: Sequence[Source], evaluations: Evaluations, known: Evaluations, terms: Terms
) -> Method:
    runs = tuple(_run(source, evaluations, known, terms) for source in sources)
    fronts = [run.members for run in runs]
    quality, box, space = terms.quality, terms.box, terms.table.space
    choices = [[point.choices for point in members] for members in fronts]
    return Method(
        name=name,
        kind=sources[0].kind,
        runs=runs,
        hypervolume=estimate([volume(members, quality, box) for members in fronts]),
        hypervolume_plane=estimate([volume(members, quality, box, plane=True) for members in fronts]),
        attainment=attainment(fronts, quality),
        cost=mean_cost([run.cost for run in runs]),
        choice_frequencies=as_matrix(choice_frequencies(choices, space)),
        details="; ".join(dict.fromkeys(source.details for source in sources)),
    )


def _run(source: Source, evaluations: Evaluations, known: Evaluations, terms: Terms) -> Run:
    points = make_points(source.found, evaluations, terms.table, terms.costs)
    members = tuple(points) if source.kind == "zoo" else front(points, terms.quality)
    own = {architecture.names for architecture in known}
    refinement = source.refinement
    return Run(
        seed=source.seed,
        source=source.path,
        sha256=source.sha256,
        members=members,
        curve=refinement.curve if refinement and terms.are_those_of(refinement) else (),
        cost=source.cost,
        evaluated_anew=sum(point.choices not in own for point in members),
    )


def _alpha(sources: Sources, methods: Sequence[Method]) -> tuple[AlphaAgainstChoices, ...]:
    """One per method of which search checkpoints were given."""
    found = []
    for name, runs in sources.items():
        alphas = [run.alpha for run in runs if run.alpha is not None]
        if alphas:
            table = mean_probabilities(alphas, runs[0].space)
            found.append(alpha_against_choices(name, table, methods))
    return tuple(found)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
