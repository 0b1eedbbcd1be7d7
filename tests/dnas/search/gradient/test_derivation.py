"""Architectures from alpha: the best one, the best one within bounds (against brute force), samples."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dnas.costs import count
from dnas.search.gradient.derivation import most_probable, sample
from dnas.search.knapsack import Bound, Infeasible
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import load_table

Get = Callable[[str], SearchSpace]


def random_alpha(space: SearchSpace, seed: int) -> torch.Tensor:
    return 2 * torch.randn(len(space), space.max_choices, generator=torch.Generator().manual_seed(seed))


def everything(space: SearchSpace) -> list[tuple[int, ...]]:
    return list(itertools.product(*map(range, space.num_choices)))


def probability(space: SearchSpace, alpha: torch.Tensor, indices: tuple[int, ...]) -> float:
    rows = [row[:n].double().softmax(0) for row, n in zip(alpha, space.num_choices, strict=True)]
    return float(np.prod([row[index].item() for row, index in zip(rows, indices, strict=True)]))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["motley", "minimal"])
def test_argmax(get_space: Get, name: str, seed: int) -> None:
    space = get_space(name)
    alpha = random_alpha(space, seed)
    derived = most_probable(space, alpha)
    best = max(everything(space), key=lambda indices: probability(space, alpha, indices))
    assert (derived.name, derived.architecture) == ("argmax", Architecture(space, best))
    assert derived.probability == pytest.approx(probability(space, alpha, best))


@pytest.mark.parametrize("seed", range(4))
def test_bounds_are_exact(tiny_space: SearchSpace, tiny_table_file: Path, seed: int) -> None:
    table, costs, alpha = (
        load_table(tiny_table_file, tiny_space),
        count(tiny_space),
        random_alpha(tiny_space, seed),
    )
    archs = [Architecture(tiny_space, indices) for indices in everything(tiny_space)]
    by_latency = sorted(table.latency_ms(arch) for arch in archs)
    by_params = sorted(costs.params_of(arch) for arch in archs)
    for ms, params in itertools.product(by_latency[::6], by_params[::6]):
        bounds = [
            Bound("latency", table.ms, ms, "at_most", table.fixed_ms, "ms"),
            Bound("parameters", costs.params.astype(float), params, "at_least", costs.fixed_params),
        ]
        allowed = [a for a in archs if table.latency_ms(a) <= ms + 1e-9 and costs.params_of(a) >= params]
        if allowed:
            best = max(allowed, key=lambda arch: probability(tiny_space, alpha, arch.indices))
            assert most_probable(tiny_space, alpha, bounds, "x").architecture == best
        else:
            with pytest.raises(Infeasible):
                most_probable(tiny_space, alpha, bounds)


def test_infeasible_names_the_attainable(tiny_space: SearchSpace, tiny_table_file: Path) -> None:
    table = load_table(tiny_table_file, tiny_space)
    cheapest = table.latency_ms(table.cheapest())
    bound = Bound("latency", table.ms, 0.1, "at_most", table.fixed_ms, "ms")
    with pytest.raises(Infeasible) as caught:
        most_probable(tiny_space, random_alpha(tiny_space, 0), [bound])
    assert caught.value.attainable == (pytest.approx(cheapest),) and f"{cheapest:.4g}" in str(caught.value)


def test_samples_are_seeded_distinct_and_from_softmax(get_space: Get) -> None:
    space = get_space("motley")
    alpha = random_alpha(space, 1)
    one, same, other = (sample(space, alpha, 12, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one == same != other
    assert len({each.architecture for each in one}) == 12
    assert [each.name for each in one] == [f"sample_{i:02}" for i in range(1, 13)]
    for each in one:
        assert each.probability == pytest.approx(probability(space, alpha, each.architecture.indices))
    firsts = [
        sample(space, alpha, 1, np.random.default_rng(seed))[0].architecture.indices for seed in range(400)
    ]
    shares = np.bincount([indices[2] for indices in firsts], minlength=2) / 400
    np.testing.assert_allclose(shares, alpha[2, :2].softmax(0), atol=0.08)


def test_uniform_samples_do_not_follow_alpha(get_space: Get) -> None:
    space = get_space("motley")
    alpha = random_alpha(space, 1) * 5
    generators = (np.random.default_rng(seed) for seed in range(400))
    firsts = [sample(space, alpha, 1, generator, uniform=True)[0] for generator in generators]
    shares = np.bincount([each.architecture.indices[2] for each in firsts], minlength=2) / 400
    np.testing.assert_allclose(shares, 0.5, atol=0.08)
    assert firsts[0].probability == pytest.approx(probability(space, alpha, firsts[0].architecture.indices))


def test_samples_keep_bounds_and_stop_when_there_are_no_more(get_space: Get) -> None:
    space = get_space("motley")
    costs, alpha = count(space), torch.zeros(4, 7)
    assert len(sample(space, alpha, 1000, np.random.default_rng(0))) == space.size == 98
    limit = sorted(costs.params_of([Architecture(space, i) for i in everything(space)]).tolist())[10]
    bound = Bound("parameters", costs.params.astype(float), limit, "at_most", costs.fixed_params)
    found = sample(space, alpha, 1000, np.random.default_rng(0), [bound])
    expected = {i for i in everything(space) if costs.params_of(Architecture(space, i)) <= limit}
    assert {each.architecture.indices for each in found} == expected
    assert sample(space, alpha, 0, np.random.default_rng(0)) == []


def test_sharp_alpha_has_one_sample(get_space: Get) -> None:
    space = get_space("motley")
    alpha = torch.zeros(4, 7)
    alpha[:, 0] = 80.0
    (only,) = sample(space, alpha, 3, np.random.default_rng(0))
    assert only.architecture.indices == (0, 0, 0, 0) and only.probability == pytest.approx(1.0)


def test_samples_are_different_networks(skips_space: SearchSpace) -> None:
    drawn = sample(skips_space, torch.zeros(4, 3), 81, np.random.default_rng(0))
    forms = {each.architecture.canonical() for each in drawn}
    assert len(drawn) == len(forms) == 45
    assert any(each.architecture != each.architecture.canonical() for each in drawn), "as they were drawn"
