"""Everything that a search ever asked for: none twice, unseen ones drawn uniformly, exhaustion exact.

Where several genomes build the same network, a canonical map makes them one: what is seen are networks then.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dnas.search.evolution.algorithm import BoolArray, IntArray, as_array
from dnas.search.evolution.networks import Canonical, Networks, networks_of
from dnas.search.evolution.resume import ints_from_plain, rows
from dnas.space import Over

# Unseen genomes are listed, instead of drawn and rejected, where fewer than one in this many is unseen. So
# the list is never much longer than what was already seen.
_RARE = 10
# Draws of genomes, this many at a time and in a row, before unseen networks are drawn instead: a network that
# has one name among very many genomes would hardly ever be met.
_BATCH, _ROUNDS = 256, 20
# Of a layer; distributions over choices are tables of layers times the most choices.
_MOST_CHOICES = 1_000_000


class Seen:
    """A growing set of genomes, (n, L) integers with genome[l] in range(choices[l]).

    A genome is kept as its number in the mixed radix of ``choices``, the first layer counting most, so that
    numbers sort as genomes do. Spaces may be larger than 2^63.

    Args:
        choices: number of choices of each layer, at least 1 each.
        canonical: maps genomes that build the same network to one of them, which alone is kept; None: every
            genome is a network of its own.

    Raises:
        ValueError: no layers, or a layer without choices; a canonical map that cannot be used.
    """

    def __init__(self, choices: Sequence[int], canonical: Canonical | None = None) -> None:
        self.choices = checked_choices(choices)
        self.size = math.prod(self.choices)
        weights = list(itertools.accumulate(self.choices[:0:-1], operator.mul, initial=1))[::-1]
        # Python's integers, which are slower, only where 64 bits do not hold every number.
        self._weights = np.array(weights, dtype=np.int64 if self.size < 2**63 else object)
        self._counts = np.array(self.choices)
        self.networks: Networks | None = networks_of(canonical, self.choices)
        self._numbers: set[int] = set()

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def distinct(self) -> int:
        """How many there are to see: networks, or genomes without a canonical map; an int of any size."""
        return self.size if self.networks is None else self.networks.distinct

    @property
    def left(self) -> int:
        """How many were never seen; an int of any size."""
        return self.distinct - len(self._numbers)

    @property
    def exhausted(self) -> bool:
        """Whether everything that there is was seen."""
        return not self.left

    def settings(self) -> dict[str, Any]:
        """Return what a search's state must agree in, as plain data; nothing without a canonical map."""
        return {} if self.networks is None else {"networks": self.networks.distinct}

    def canonical(self, genomes: npt.ArrayLike) -> IntArray:
        """Return (n, L) genomes as those that stand for their networks; themselves without a canonical map.

        Raises:
            ValueError: another shape, not integers, or out of range.
        """
        array = genome_array(genomes, self._counts)
        return array if self.networks is None else self.networks(array)

    def add(self, genomes: npt.ArrayLike, limit: int | None = None) -> BoolArray:
        """Note the (n, L) genomes; return which were new, (n,). Of equal rows the first alone is new.

        With a limit only so many new ones are noted, the first ones; the others count as not new.

        Raises:
            ValueError: another shape, not integers, or out of range.
        """
        numbers = self._numbered(genomes)
        seen = self._numbers
        rows: list[int] = []
        for row, number in enumerate(numbers):
            if len(rows) == limit:
                break
            if number not in seen:
                seen.add(number)
                rows.append(row)
        new = np.zeros(len(numbers), dtype=bool)
        new[rows] = True
        return new

    def contains(self, genomes: npt.ArrayLike) -> BoolArray:
        """Return which of the (n, L) genomes were seen, (n,).

        Raises:
            ValueError: another shape, not integers, or out of range.
        """
        return np.array([number in self._numbers for number in self._numbered(genomes)], dtype=bool)

    def draw_unseen(
        self, number: int, generator: np.random.Generator, over: Over = "architectures"
    ) -> IntArray:
        """Draw unseen genomes, (number, L), distinct and uniformly; all that are left if those are fewer.

        They are not added.

        Args:
            over: where there is a canonical map, whether genomes are equally likely ("architectures"; their
                canonical forms are returned, and where those that are left are rare, networks are drawn), or
                networks.
        """
        number = min(number, self.left)
        if self.networks is not None:
            return self._unseen_networks(self.networks, number, generator, over)
        # What is drawn here is no longer free for the next one.
        if (self.left - number) * _RARE < self.size:
            return self._chosen_of_all_unseen(number, generator)
        found: dict[int, IntArray] = {}
        while len(found) < number:
            self._take(found, generator.integers(self._counts, size=(number - len(found), len(self.choices))))
        return self._stacked(found)

    def state_dict(self) -> dict[str, Any]:
        """Return plain data that JSON keeps exactly: the choices and the sorted numbers of what was seen."""
        return {"choices": list(self.choices), "seen": sorted(self._numbers)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what another one has seen.

        Raises:
            ValueError: the state of other choices, or numbers out of range.
        """
        if tuple(state["choices"]) != self.choices:
            raise ValueError(f"the state has choices {tuple(state['choices'])}, expected {self.choices}")
        numbers = set(state["seen"])
        if not all(number in range(self.size) for number in numbers):
            raise ValueError(f"the state has genome numbers outside 0 ... {self.size - 1}")
        self._numbers = numbers

    def _numbered(self, genomes: npt.ArrayLike) -> list[int]:
        array = self.canonical(genomes)
        return (array.astype(self._weights.dtype, copy=False) @ self._weights).tolist()

    def _unseen_networks(
        self, networks: Networks, number: int, generator: np.random.Generator, over: Over
    ) -> IntArray:
        """Draw until there are enough: first genomes, if they are wanted, then networks."""
        found: dict[int, IntArray] = {}
        for _ in range(_ROUNDS if over == "architectures" else 0):
            if len(found) < number:
                missing = number - len(found)
                drawn = generator.integers(self._counts, size=(max(missing, _BATCH), len(self.choices)))
                self._take(found, networks(drawn), missing)
        while len(found) < number:
            missing = number - len(found)
            self._take(found, networks.sample(max(missing, _BATCH), generator), missing)
        return self._stacked(found)

    def _take(self, found: dict[int, IntArray], draws: IntArray, limit: int | None = None) -> None:
        """Keep those that were never seen or found, up to a limit."""
        most = len(found) + (len(draws) if limit is None else limit)
        for key, genome in zip(self._numbered(draws), draws, strict=True):
            if key not in self._numbers and len(found) < most:
                found.setdefault(key, genome)

    def _stacked(self, found: Mapping[int, IntArray]) -> IntArray:
        return np.array(list(found.values()), dtype=np.int64).reshape(-1, len(self.choices))

    def _chosen_of_all_unseen(self, number: int, generator: np.random.Generator) -> IntArray:
        """Draw from the list of all unseen genomes; only for spaces that are nearly exhausted."""
        unseen = np.delete(np.arange(self.size), sorted(self._numbers))
        chosen = generator.choice(unseen, size=number, replace=False)
        return (chosen[:, None] // self._weights % self._counts).astype(np.int64)


def checked_choices(choices: Sequence[int]) -> tuple[int, ...]:
    """Return the number of choices of each layer as plain integers.

    Raises:
        ValueError: no layers, or a layer without choices, or with more than `_MOST_CHOICES`.
    """
    try:
        checked = tuple(operator.index(count) for count in choices)
    except TypeError:  # no sequence, or not of whole numbers
        checked = ()
    if not checked or min(checked) < 1 or max(checked) > _MOST_CHOICES:
        raise ValueError(
            f"choices must give the number of choices, 1 to {_MOST_CHOICES:,}, of one layer or more; got "
            f"{choices!r}"
        )
    return checked


def distinct(
    genomes: npt.ArrayLike | None, choices: Sequence[int], canonical: Canonical | None = None
) -> IntArray:
    """Return the (n, L) genomes in their order, of equal ones the first alone; (0, L) for None.

    With a canonical map genomes of one network are equal, and their canonical form is returned.

    Raises:
        ValueError: another shape, not integers, or out of range.
    """
    seen = Seen(choices, canonical)
    array = seen.canonical(np.empty((0, len(choices)), int) if genomes is None else genomes)
    return array[seen.add(array)]


def genomes_from_plain(plain: Any, choices: Sequence[int]) -> IntArray:
    """Return the (n, L) genomes whose nested lists a state holds; no genome at all is an empty list.

    Raises:
        ValueError: as `genome_array`.
    """
    return genome_array(rows(ints_from_plain(plain), len(choices)), choices)


def genome_array(genomes: npt.ArrayLike, choices: Sequence[int] | IntArray) -> IntArray:
    """Return genomes as (n, L) int64.

    Raises:
        ValueError: another shape, not integers, or an index outside range(choices[l]).
    """
    counts = np.asarray(choices)
    try:
        array = as_array(genomes)
    except ValueError:
        raise ValueError(f"genomes must all have {len(counts)} layers") from None
    if array.ndim != 2 or array.shape[1] != len(counts) or array.dtype.kind not in "iu":
        raise ValueError(
            f"genomes must be an (n, {len(counts)}) array of integers, got {array.shape} of {array.dtype}"
        )
    wrong = (array < 0) | (array >= counts)
    if wrong.any():
        outside = np.argwhere(wrong).tolist()
        raise ValueError(
            f"genomes must stay in range of the layers' choices {tuple(counts.tolist())}; they do not at "
            f"(row, layer) {outside[:10]}{' ...' if len(outside) > 10 else ''}"
        )
    return array.astype(np.int64, copy=False)
