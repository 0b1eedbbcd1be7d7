"""Samples are distinct, uniform, repeatable, and larger ones begin with smaller ones."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from dnas.fidelity.source import sample_known, sample_space
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_distinct_and_repeatable(tiny_space: SearchSpace) -> None:
    drawn = sample_space(tiny_space, 40, rng())
    assert len(set(drawn)) == 40 and drawn == sample_space(tiny_space, 40, rng())
    assert drawn != sample_space(tiny_space, 40, rng(1))


@pytest.mark.parametrize("name", ["tiny", "moga"])
def test_a_larger_sample_begins_with_the_smaller_one(name: str, tiny_space: SearchSpace) -> None:
    space = tiny_space if name == "tiny" else SearchSpace.load(name)
    assert sample_space(space, 45, rng())[:7] == sample_space(space, 7, rng())


def test_the_whole_space(tiny_space: SearchSpace) -> None:
    assert len(set(sample_space(tiny_space, 48, rng()))) == 48
    with pytest.raises(ValueError, match=r"tiny has only 48 architectures, 49 were asked for"):
        sample_space(tiny_space, 49, rng())


def test_every_architecture_is_equally_likely(tiny_space: SearchSpace) -> None:
    generator = rng()
    seen = Counter(each for _ in range(100) for each in sample_space(tiny_space, 24, generator))
    assert len(seen) == 48 and min(seen.values()) > 30 and max(seen.values()) < 70


def test_known_ones(tiny_space: SearchSpace) -> None:
    known = [Architecture(tiny_space, (0, 0, index)) for index in range(4)]
    assert sample_known(known, None, rng()) == known
    assert set(sample_known(known, 4, rng())) == set(known)
    assert sample_known(known, 4, rng())[:2] == sample_known(known, 2, rng())
    first = Counter(sample_known(known, 1, rng(seed))[0] for seed in range(400))
    assert len(first) == 4 and min(first.values()) > 70
    with pytest.raises(ValueError, match="only 4 architectures are known, 5 were asked for"):
        sample_known(known, 5, rng())


@pytest.mark.parametrize("over", ["architectures", "networks"])
def test_a_network_is_drawn_once(over: Any, skips_space: SearchSpace) -> None:
    drawn = sample_space(skips_space, 45, rng(), over)
    assert len({each.canonical() for each in drawn}) == 45 and drawn == [each.canonical() for each in drawn]
    assert sample_space(skips_space, 9, rng(), over) == drawn[:9]
    with pytest.raises(
        ValueError, match="has only 81 architectures, 45 distinct networks, 46 were asked for"
    ):
        sample_space(skips_space, 46, rng(), over)


def test_uniform_over_names_or_networks(skips_space: SearchSpace) -> None:
    """One block among three equal layers has three names, three blocks have one."""
    shallow, deep = Architecture(skips_space, (1, 0, 0, 0)), Architecture(skips_space, (1, 1, 1, 0))
    for over, names in (("architectures", (3 / 81, 1 / 81)), ("networks", (1 / 45, 1 / 45))):
        generator = rng()
        first = Counter(sample_space(skips_space, 1, generator, over)[0] for _ in range(6000))  # type: ignore[arg-type]
        for arch, share in zip((shallow, deep), names, strict=True):
            assert abs(first[arch] - 6000 * share) < 5 * (6000 * share) ** 0.5
