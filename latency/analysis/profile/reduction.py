"""A smaller space for one device: without the choices that cost latency and bring no accuracy.

Mills et al. (CIKM 2021, arXiv 2109.12426) search such a space and find a better front than in the full one.

Within a layer, choice a is dropped for a kept choice b when b is not slower in the table, and when the upper
confidence limit (one-sided, Student's t) of the accuracy that a has more than b is at most the margin. A
choice that is compared with k kept ones is compared at 1 - (1 - confidence) / k, so that ``confidence`` holds
for each choice (not for all of them together). A choice whose accuracy is uncertain stays, and the fastest
choice of every layer always does. The margin counts per layer: L layers may lose L times as much.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import yaml

from dnas.space import Decision, SearchSpace
from latency.analysis.profile.effects import Effects, check_confidence
from latency.table import LatencyTable
from latency.table.errors import TableError

# Assumption: a tenth of a percentage point per layer is not worth milliseconds.
MARGIN = 0.001


@dataclass(frozen=True)
class Verdict:
    """One choice, kept (``dropped_for`` is empty) or dropped for another choice of its layer.

    ``accuracy_effect`` is a fraction against the layer's mean; ``at_most_lost`` the upper confidence limit of
    the accuracy that dropping costs, ``saved_ms`` what it saves; both NaN for a kept choice.
    """

    layer: str
    choice: str
    ms: float
    accuracy_effect: float
    standard_error: float
    dropped_for: str = ""
    saved_ms: float = np.nan
    at_most_lost: float = np.nan


def reduce_space(
    table: LatencyTable, accuracy: Effects, confidence: float = 0.95, margin: float = MARGIN
) -> list[Verdict]:
    """Judge every choice of every layer, in the space's order.

    Raises:
        TableError: accuracies of another space, a margin below 0, or a confidence that is no fraction.
    """
    if accuracy.space != table.space:
        raise TableError(
            f"The accuracies are of the space {accuracy.space.name}, the table of {table.space.name}."
        )
    check_margin(margin)
    check_confidence(confidence)
    return [
        verdict
        for decision in table.space.decisions
        for verdict in _judge(decision, table, accuracy, confidence, margin)
    ]


def reduced_space(table: LatencyTable, verdicts: list[Verdict]) -> SearchSpace:
    """The space with the kept choices; every table of the full space fits it."""
    space = table.space
    kept = {(each.layer, each.choice) for each in verdicts if not each.dropped_for}
    definition = space.restricted(
        [[name for name in each.names if (each.name, name) in kept] for each in space.decisions]
    )
    definition["name"] = f"{space.name}_reduced_{table.name}"
    definition["reduced_from"] = space.reduced_from or space.name
    definition["description"] = (
        f"{space.name} without the choices that cost latency on {table.name} and bring no accuracy"
    )
    return SearchSpace.from_dict(definition)


def yaml_text(space: SearchSpace) -> str:
    """The text of the file that :meth:`SearchSpace.load` reads."""
    return yaml.safe_dump(space.to_dict(), sort_keys=False, allow_unicode=True, width=110)


def check_margin(margin: float) -> float:
    """``margin``, or a :class:`TableError` when it is no fraction of accuracy."""
    if not 0 <= margin < 1:
        raise TableError(f"The margin is a fraction of accuracy, 0 or a little more; got {margin}.")
    return margin


def _judge(
    decision: Decision, table: LatencyTable, accuracy: Effects, confidence: float, margin: float
) -> list[Verdict]:
    row, names = decision.index, decision.names
    ms, effect = table.ms[row], accuracy.effect[row]
    # Fastest first, of equally fast ones the most accurate: whatever drops a choice has been kept before.
    order = sorted(range(len(names)), key=lambda i: (ms[i], -effect[i]))
    kept: list[int] = []
    verdicts: dict[int, Verdict] = {}
    for one in order:
        facts = (float(ms[one]), float(effect[one]), float(accuracy.standard_error[row, one]))
        verdict = Verdict(decision.name, names[one], *facts)
        level = 1 - (1 - confidence) / max(1, len(kept))
        lost = {other: accuracy.upper_difference(row, one, other, level) for other in kept}
        best = min(lost, key=lambda other: lost[other], default=one)
        if best == one or lost[best] > margin:
            kept.append(one)
        else:
            saved_ms, name = float(ms[one] - ms[best]), names[best]
            verdict = replace(verdict, dropped_for=name, saved_ms=saved_ms, at_most_lost=lost[best])
        verdicts[one] = verdict
    return [verdicts[column] for column in range(len(names))]
