"""What a comparison says in words: its findings, and notes on what a reader must know to judge it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from dnas.compare.estimate import LEVEL, as_text
from dnas.compare.fronts import Evaluations
from dnas.compare.judging import Terms
from dnas.compare.model import Kind, Method, Transfer
from dnas.compare.source import Source, Sources

_KINDS: dict[Kind, str] = {
    "evolutionary": "the best evolutionary method",
    "differentiable": "the best differentiable method",
    "baseline": "the best baseline",
}


def make_finding(methods: Sequence[Method]) -> str:
    """The result in one honest sentence: who dominates most, against whom, and whether beyond chance.

    The method of largest mean hypervolume is compared with the next one and the best of every other kind. A
    difference is called one only where both 95 % intervals are known and do not overlap. Published networks
    are not the result of a search here and take no part.
    """
    ranked = sorted(filter(_takes_part, methods), key=lambda method: -_mean(method))
    if not ranked:
        return "No method found an architecture, so there is nothing to compare."
    first, rest = ranked[0], ranked[1:]
    lead = f"{first.name} reaches a hypervolume of {as_text(first.hypervolume)} ({_seeds(first)})"
    if not rest:
        return f"{lead}; no other search was compared with it."
    rivals = _rivals(first, rest)
    clauses = [_clause(first, other, role) for other, role in rivals]
    if any(_verdict(first, other) is None for other, _ in rivals):
        clauses.append("where there is one seed, nothing is known of the seeds' spread")
    return f"{lead}, {'; '.join(clauses)}."


def _takes_part(method: Method) -> bool:
    return (
        method.kind != "zoo"
        and method.hypervolume.mean is not None
        and any(run.members for run in method.runs)
    )


def _mean(method: Method) -> float:
    assert method.hypervolume.mean is not None
    return method.hypervolume.mean


def _rivals(first: Method, rest: Sequence[Method]) -> list[tuple[Method, str]]:
    """The next method, then the best of every kind that was not mentioned yet, with what it is."""
    rivals = [(rest[0], "")]
    mentioned = {first.kind, rest[0].kind}
    for method in rest[1:]:
        if method.kind not in mentioned:
            mentioned.add(method.kind)
            rivals.append((method, f", {_KINDS[method.kind]},"))
    return rivals


def _clause(first: Method, other: Method, role: str) -> str:
    """E.g. 'against 0.655 [0.641, 0.669] of random search (3 seeds) at equal evaluations (300): ...'."""
    volume, verdict = as_text(other.hypervolume), _verdict(first, other)
    clause = f"against {volume} of {other.name}{role} ({_seeds(other)}) {_effort(first, other)}"
    return clause if verdict is None else f"{clause}: {verdict}"


def _seeds(method: Method) -> str:
    number = len(method.runs)
    return f"{number} seeds" if number > 1 else "one seed"


def _effort(first: Method, other: Method) -> str:
    mine, others = first.cost.evaluations, other.cost.evaluations
    if mine is None or others is None:
        return "at evaluations that are not all known"
    if mine == others:
        return f"at equal evaluations ({mine:,.0f})"
    return f"at unequal evaluations ({mine:,.0f} against {others:,.0f})"


def _verdict(first: Method, other: Method) -> str | None:
    """None where a single seed leaves the spread unknown."""
    mine, others = first.hypervolume, other.hypervolume
    if mine.low is None or others.low is None or others.high is None:
        return None
    if mine.mean == others.mean:
        return "equal"
    if mine.low > others.high:
        return "a difference beyond the seeds' spread"
    return "no difference beyond the seeds' spread"


def make_notes(
    sources: Sources, methods: Sequence[Method], evaluations: Evaluations, terms: Terms
) -> tuple[str, ...]:
    """All notes: how to read the numbers, then what is particular to methods."""
    lines = list(_general_notes(sources, methods, evaluations, terms))
    for method in methods:
        runs = sources[method.name]
        lines += [
            f"{method.name}: {line}."
            for line in (*_seed_notes(method, runs), *_origin_notes(method, runs, terms))
        ]
    return tuple(lines)


def _general_notes(
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


def _seed_notes(method: Method, runs: Sequence[Source]) -> Iterator[str]:
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


def _origin_notes(method: Method, runs: Sequence[Source], terms: Terms) -> Iterator[str]:
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
        yield (f"{', '.join(paths)}: hypervolumes of another table, evaluator or box; the curve is left out")
    if any(own.seeded_from and own.checkpoint_kind != "search" for _, own in refined):
        yield "the cost of the search that it was seeded from is not in its cost"


def devices_finding(transfers: Sequence[Transfer], evaluated: int) -> str:
    """The largest penalty between two devices, beside what the table of the second one knows at all."""
    known = [each for each in transfers if each.chosen_for != each.runs_on and each.extra_percent is not None]
    if not known:
        return "No network was evaluated, so the devices have no fronts to compare."
    worst = max(known, key=lambda each: each.extra_percent or 0.0)
    extra, reach = worst.extra_percent or 0.0, worst.interval_percent or 0.0
    among = f"Among {evaluated:,} evaluated network{'s' if evaluated > 1 else ''}"
    if extra == 0:
        return f"{among}, what is chosen for one device is the fastest of its quality on all others, too."
    penalty = (
        f"{among}, the largest penalty is that of networks chosen for {worst.chosen_for} on {worst.runs_on}: "
        f"{_percent(extra)} more latency on average than the fastest of equal quality or better there"
    )
    if reach == 0:
        return f"{penalty}; the table of {worst.runs_on} states no error to hold it against."
    verdict = "beyond" if _is_beyond(worst) else "within"
    beyond = sum(map(_is_beyond, known))
    return (
        f"{penalty}, {verdict} the {_percent(reach)} that the table's own 90 % interval reaches; "
        f"{beyond} of {len(known)} pairs of devices are beyond theirs."
    )


def _is_beyond(each: Transfer) -> bool:
    """Whether the penalty, as it is written, is larger than what the interval reaches."""
    extra, reach = each.extra_percent or 0.0, each.interval_percent or 0.0
    return extra > reach and _percent(extra) != _percent(reach)


def _percent(value: float) -> str:
    return f"{value:.1f} %" if value >= 0.1 else "less than 0.1 %"
