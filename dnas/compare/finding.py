"""The result in one honest sentence: who dominates most, against whom, and whether that is beyond chance."""

from __future__ import annotations

from collections.abc import Sequence

from dnas.compare.estimate import as_text
from dnas.compare.model import Kind, Method

_KINDS: dict[Kind, str] = {
    "evolutionary": "the best evolutionary method",
    "differentiable": "the best differentiable method",
    "baseline": "the best baseline",
}


def find(methods: Sequence[Method]) -> str:
    """Compare the method of largest mean hypervolume with the next one and the best of every other kind.

    A difference is called one only where both 95 % intervals are known and do not overlap. Published networks
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
    told, verdict = as_text(other.hypervolume), _verdict(first, other)
    clause = f"against {told} of {other.name}{role} ({_seeds(other)}) {_effort(first, other)}"
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
