"""A front from alpha: the most probable network under every one of a series of bounds on latency.

FBNet (arXiv 1812.03443) gets networks of several latencies by searching again with another target; one
search gives them by deriving under bounds, exactly (see ``dnas.search.knapsack``).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from torch import Tensor

from dnas.compare.source import Found
from dnas.costs import LatencyCosts
from dnas.search.gradient.derivation import most_probable
from dnas.search.knapsack import Bound
from dnas.space import SearchSpace


def sweep(space: SearchSpace, alpha: Tensor, table: LatencyCosts, limits: int) -> tuple[Found, ...]:
    """The argmax network, and the most probable ones under ``limits`` limits on latency.

    The limits divide the space's whole range of latencies evenly, both ends included. A limit that the argmax
    network breaks is an upper one, another is a lower one: as an upper one it would give the argmax again.

    Returns:
        Distinct networks, each named after the first limit that gave it, the argmax first.
    """
    likeliest = most_probable(space, alpha).architecture
    turn = table.latency_ms(likeliest)
    names = {likeliest: "argmax"}
    cheapest, dearest = table.latency_ms(table.cheapest()), table.latency_ms(table.dearest())
    for limit in np.linspace(cheapest, dearest, limits).tolist():
        sense: Literal["at_most", "at_least"] = "at_most" if limit < turn else "at_least"
        bound = Bound("latency", table.ms, limit, sense, table.fixed_ms, "ms")
        derived = most_probable(space, alpha, [bound])
        names.setdefault(derived.architecture, f"{sense.replace('_', ' ')} {limit:.4g} ms")
    return tuple(Found(architecture, name=name) for architecture, name in names.items())
