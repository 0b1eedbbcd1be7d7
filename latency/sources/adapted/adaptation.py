"""Everything that is known of a new phone: its model, how far it is off, and its blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency.sources.adapted.known import HEAD, STEM, KnownPhones
from latency.sources.adapted.model import Adapted, Spread, adapt
from latency.sources.adapted.spread import learn
from latency.sources.adapted.timings import Timing
from latency.sources.adapted.validation import LeftOut, block_errors, leave_out
from latency.table.fit_to_space import Key

COMPARED = 100  # random networks in which known phones are compared, besides those timed
# Of blocks, by one known phone: a little more than the worst of the shipped ones (benchmarks/adapt.py).
ASSUMED_BLOCK_ERROR = 0.25


@dataclass(frozen=True, eq=False)
class Adaptation:
    """A new phone.

    Attributes:
        keys: (layer, choice) of all blocks of the space, in order.
        block_error: (K,) relative deviation of blocks by dominant kind, from known phones left out.
    """

    known: KnownPhones
    timings: tuple[Timing, ...]
    spread: Spread
    model: Adapted
    left_out: LeftOut
    keys: tuple[Key, ...]
    block_error: np.ndarray

    def blocks_ms(self) -> np.ndarray:
        """(m, K) milliseconds by kind of all blocks, then of stem and head."""
        return self.model.parts_ms(self.known.blocks([*self.keys, STEM, HEAD]))

    def overhead_ms(self) -> float:
        """Milliseconds per inference."""
        return float(self.model.latency_ms(self.known.overheads())[0])

    def held(self) -> int:
        """How many blocks have a kind of kernels at the least that the model lets it take."""
        return int(self.model.held(self.known.blocks(self.keys)).sum())

    def relative_errors(self) -> np.ndarray:
        """(m,) standard deviations of blocks as fractions of them, 0 where nothing runs.

        Three add up in variance: what the timings leave open of the weights, how far blocks of known phones
        are off when the phone is left out (which has its share of the first: rather too wide than too
        narrow), and the errors that their tables state.
        """
        blocks = self.known.blocks(self.keys)
        ms = self.model.latency_ms(blocks)
        scaled = blocks * self.model.scale[:, None, None]
        of_kind = self.block_error[scaled.mean(axis=0).argmax(axis=1)]
        stated = self.known.block_deviations(self.keys) * self.model.scale[:, None] / len(blocks)
        variance = self.model.deviation_ms(blocks) ** 2 + (of_kind * ms) ** 2 + (stated**2).sum(axis=0)
        return np.divide(np.sqrt(variance), ms, out=np.zeros_like(ms), where=ms > 0)


def adaptation(known: KnownPhones, timings: Sequence[Timing]) -> Adaptation:
    """Learn from the known phones, correct by the timings, and leave out each in turn (a second).

    Raises:
        TableError: networks that the tables do not hold, every one of them.
    """
    space = known.space
    parts = known.networks({timing.name: timing.architecture for timing in timings})
    spread = learn(np.concatenate([parts, known.networks(_random(space))], axis=1))
    timed_ms = np.array([timing.latency_ms for timing in timings])
    keys = tuple((layer.name, choice.name) for layer in space.layers for choice in layer.choices)
    if len(known.tables) > 1:
        block_error = block_errors(parts, known.blocks(keys), spread)
    else:
        block_error = np.full(len(known.kinds), ASSUMED_BLOCK_ERROR)
    return Adaptation(
        known=known,
        timings=tuple(timings),
        spread=spread,
        model=adapt(parts, timed_ms, spread),
        left_out=leave_out(parts, timed_ms, spread),
        keys=keys,
        block_error=block_error,
    )


def _random(space: SearchSpace) -> dict[str, Architecture]:
    genomes = space.sample(COMPARED, np.random.default_rng(0))
    return {
        f"random {number}": Architecture(space, tuple(map(int, genome)))
        for number, genome in enumerate(genomes)
    }
