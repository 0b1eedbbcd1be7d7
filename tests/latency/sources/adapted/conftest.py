"""Synthetic phones: what tables say of networks by kind of kernels, the overhead first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import load_table
from latency.sources.adapted.timings import Timing

Parts = Callable[..., np.ndarray]


@pytest.fixture
def make_parts() -> Parts:
    """(P, n, K) milliseconds; phones differ in their speed, and by a quarter in every kind of a network."""

    def make(phones: int = 4, networks: int = 60, kinds: int = 4, seed: int = 0) -> np.ndarray:
        generator = np.random.default_rng(seed)
        shared = generator.uniform(0.5, 4, size=(networks, kinds))
        own = np.exp(0.25 * generator.standard_normal((phones, networks, kinds)))
        parts = shared * own * generator.uniform(0.3, 3, size=(phones, 1, kinds))
        parts[:, :, 0] = parts[:, :1, 0]  # one overhead for all networks
        return parts

    return make


@pytest.fixture
def timings() -> Callable[..., list[Timing]]:
    """Random networks of a space, as a table predicts them: simulated timings without noise."""

    def make(table: str, space: SearchSpace, number: int = 12, seed: int = 0) -> list[Timing]:
        genomes = space.sample(number, np.random.default_rng(seed))
        networks = [Architecture(space, tuple(map(int, genome))) for genome in genomes]
        truth = load_table(table, space)
        return [
            Timing(f"network {index}", network, truth.latency_ms(network))
            for index, network in enumerate(networks)
        ]

    return make
