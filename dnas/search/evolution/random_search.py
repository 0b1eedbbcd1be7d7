"""Random search: distinct uniform genomes, the baseline that every other search has to beat.

Li and Talwalkar 2019 (arXiv 1902.07638) show how hard that is where the evaluator is a shared supernet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dnas.search.evolution.algorithm import FloatArray, IntArray, check_told
from dnas.search.evolution.networks import Canonical
from dnas.search.evolution.resume import all_or_nothing, check_settings, generator_state, restore_generator
from dnas.search.evolution.seen import Seen, distinct, genomes_from_plain
from dnas.space import Over


class RandomSearch:
    """Asks for distinct genomes, drawn uniformly, until the space is exhausted; learns nothing.

    Bounds are not looked at: infeasible genomes are asked for like any others.

    Args:
        choices: Number of choices of each layer.
        batch: How many genomes `ask` returns; fewer when fewer are left.
        generator: Where the draws come from.
        initial: (n, L) genomes to ask for first, in this order; duplicates are left out.
        canonical: See `NSGA2`.
        over: With a canonical map, whether genomes are equally likely ("architectures": a network is as
            likely as it has names), or networks.

    Raises:
        ValueError: a batch below 1, layers without choices, initial genomes out of range.
    """

    def __init__(
        self,
        choices: Sequence[int],
        batch: int,
        generator: np.random.Generator,
        initial: npt.ArrayLike | None = None,
        canonical: Canonical | None = None,
        over: Over = "architectures",
    ) -> None:
        self._seen, self._over = Seen(choices, canonical), over
        problems = [] if batch >= 1 else [f"batch must be at least 1, got {batch}"]
        try:
            self._initial = distinct(initial, self._seen.choices, self._seen.networks)
        except ValueError as error:
            problems.append(f"initial: {error}")
        if problems:
            raise ValueError("; ".join(problems))
        self._batch = batch
        self._generator = generator
        self._asked: IntArray | None = None

    def ask(self) -> IntArray:
        """Return the next genomes, (n, L); see `Algorithm.ask`."""
        if self._asked is None:
            # All initial ones are asked for before any other, so as many of them are gone as were seen.
            given = self._initial[len(self._seen) :][: self._batch]
            self._seen.add(given)
            drawn = self._seen.draw_unseen(self._batch - len(given), self._generator, self._over)
            self._seen.add(drawn)
            self._asked = np.vstack([given, drawn])
        return self._asked.copy()

    def tell(self, genomes: IntArray, values: FloatArray, violations: FloatArray | None = None) -> None:
        """Check the values and forget them; see `Algorithm.tell`."""
        check_told(self._asked, genomes, values, violations)
        self._asked = None

    def state_dict(self) -> dict[str, Any]:
        """Return plain JSON data; see `Algorithm.state_dict`."""
        return {
            "settings": self._settings(),
            "generator": generator_state(self._generator),
            "seen": self._seen.state_dict(),
            "asked": None if self._asked is None else self._asked.tolist(),
        }

    @all_or_nothing
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where the state was taken; see `Algorithm.load_state_dict`."""
        check_settings(self._settings(), state)
        restore_generator(self._generator, state["generator"])
        self._seen.load_state_dict(state["seen"])
        asked = state["asked"]
        self._asked = None if asked is None else genomes_from_plain(asked, self._seen.choices)

    def _settings(self) -> dict[str, Any]:
        return {
            "algorithm": "random_search",
            "choices": list(self._seen.choices),
            "batch": self._batch,
            "initial": self._initial.tolist(),
            **self._seen.settings(),
            # Without a canonical map the draws are the same.
            **({} if self._seen.networks is None else {"over": self._over}),
        }
