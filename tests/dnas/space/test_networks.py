"""Networks of a space are drawn uniformly and counted; where architectures are networks nothing changes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from dnas.search.evolution.networks import Networks
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from dnas.space.networks import count_text, networks

# What draws that are uniform exceed once in a thousand seeds.
CONFIDENCE = 0.999


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def chi_square(space: SearchSpace, genomes: np.ndarray) -> float:
    """Of the networks of (n, L) architectures against equally many of every network."""
    forms, counts = np.unique(space.canonical(genomes), axis=0, return_counts=True)
    expected = len(genomes) / space.distinct
    missed = space.distinct - len(forms)
    return float(((counts - expected) ** 2 / expected).sum() + missed * expected)


@pytest.mark.parametrize("name", ["skips", "nasbench_macro"])
def test_every_network_is_equally_likely(name: str, skips_space: SearchSpace) -> None:
    space = skips_space if name == "skips" else SearchSpace.load(name)
    limit = chi2.ppf(CONFIDENCE, space.distinct - 1)
    number = 10 * space.distinct
    drawn = space.sample(number, rng(), over="networks")
    np.testing.assert_array_equal(space.canonical(drawn), drawn)
    assert drawn.shape == (number, len(space)) and drawn.dtype == np.int64
    assert chi_square(space, drawn) < limit
    one_by_one = [Architecture.random(space, rng(seed), over="networks").indices for seed in range(number)]
    assert chi_square(space, np.array(one_by_one)) < limit
    assert chi_square(space, space.sample(number, rng())) > limit, "names are another distribution"


def test_runs_of_more_networks_than_a_machine_word_holds() -> None:
    """22 equal layers of 8 blocks and an identity: of k blocks there are 8^k networks."""
    data = SearchSpace.load("fbnet").to_dict()
    data["layers"] = [{"out": 16, "stride": 1, "activation": "relu"}] * 22
    space = SearchSpace.from_dict(data)
    assert space.distinct > 2**63
    drawn = space.sample(20_000, rng(), over="networks")
    depth = np.array(
        [sum(not choice.skip for choice in Architecture(space, row).choices) for row in drawn[:2000]]
    )
    np.testing.assert_allclose([(depth == k).mean() for k in (22, 21)], [7 / 8, 7 / 64], atol=0.03)
    shares = np.bincount(drawn[:, 0], minlength=9) / len(drawn)
    np.testing.assert_allclose(shares[:8], 1 / 8, atol=0.01)


def test_spaces_without_identities_draw_as_ever() -> None:
    space = SearchSpace.load("moga")
    assert networks(space) is None
    one = Architecture.random(space, rng()).indices
    assert one == tuple(rng().integers(space.num_choices))
    for over in ("architectures", "networks"):
        np.testing.assert_array_equal(space.sample(5, rng(), over), rng().integers(12, size=(5, 14)))


def test_another_distribution_is_refused(skips_space: SearchSpace) -> None:
    with pytest.raises(ValueError, match="'architectures' or 'networks', got 'keys'"):
        skips_space.sample(1, rng(), "keys")  # type: ignore[arg-type]


def test_what_a_search_asks(skips_space: SearchSpace) -> None:
    found = networks(skips_space)
    assert isinstance(found, Networks) and found.distinct == 3 * (1 + 2 + 4 + 8)
    assert found(np.array([[0, 1, 0, 0]])).tolist() == [[1, 0, 0, 0]]
    assert chi_square(skips_space, found.sample(900, rng())) < chi2.ppf(CONFIDENCE, 44)


def test_counts_in_words() -> None:
    assert count_text(6561, 3969) == "6,561 architectures, 3,969 distinct networks"
    assert count_text(48, 48) == "48 architectures" and count_text(1, 1) == "1 architecture"
    assert count_text(2, 1) == "2 architectures, 1 distinct network"
