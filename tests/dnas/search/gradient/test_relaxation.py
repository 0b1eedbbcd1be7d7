"""Alpha and the costs of masks: one draw per index, costs by hand, metrics of the present alpha."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dnas.costs import count
from dnas.search.gradient.masks import SoftGumbel, TwoPath
from dnas.search.gradient.relaxation import Relaxation
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import load_table

Get = Callable[[str], SearchSpace]


class Table:
    """Milliseconds 1, 2, 3, ... per column; the padding has values too, which must never count."""

    fixed_ms = 0.5

    def __init__(self, space: SearchSpace) -> None:
        self.ms = np.tile(np.arange(1.0, space.max_choices + 1), (len(space), 1))


@pytest.fixture
def relaxation(get_space: Get) -> Relaxation:
    space = get_space("motley")
    return Relaxation(space, count(space), Table(space), seed=5)


def test_starts_undecided(relaxation: Relaxation) -> None:
    counts = torch.tensor([7.0, 7.0, 2.0, 1.0])
    torch.testing.assert_close(relaxation.probabilities().sum(1), torch.ones(4))
    torch.testing.assert_close(relaxation.probabilities().amax(1), 1 / counts)
    torch.testing.assert_close(relaxation.layer_entropy(), counts.log())
    assert relaxation.best().indices == (0, 0, 0, 0)
    assert list(relaxation.state_dict()) == ["alpha"], "costs belong to the space, not into checkpoints"


def test_draws_are_decided_by_seed_phase_and_index(relaxation: Relaxation, get_space: Get) -> None:
    def mask(index: int, phase: int = 0, drawn_from: Relaxation = relaxation) -> torch.Tensor:
        (sample,) = drawn_from.draw(SoftGumbel(), 1.0, index, phase)
        return sample.mask

    before = torch.get_rng_state()
    assert torch.equal(mask(3), mask(3)) and torch.equal(before, torch.get_rng_state())
    other_seed = Relaxation(get_space("motley"), count(relaxation.space), Table(relaxation.space), seed=6)
    masks = [mask(3), mask(4), mask(3, phase=1), mask(4, phase=1), mask(3, drawn_from=other_seed)]
    for i, a in enumerate(masks):
        assert all(not torch.equal(a, b) for b in masks[:i])


def test_expected_costs_by_hand(relaxation: Relaxation) -> None:
    mask = torch.zeros(4, 7)
    mask[0, 0], mask[0, 2], mask[1, 6], mask[2, 1], mask[3, 0] = 0.25, 0.75, 1.0, 1.0, 1.0
    costs = relaxation.expected(mask)
    assert costs.latency_ms.item() == pytest.approx(0.5 + 0.25 * 1 + 0.75 * 3 + 7 + 2 + 1)
    table = count(relaxation.space)
    by_hand = 0.25 * table.params[0, 0] + 0.75 * table.params[0, 2] + table.params[[1, 2, 3], [6, 1, 0]].sum()
    assert costs.params.item() == pytest.approx(by_hand + table.fixed_params)
    assert costs.madds.item() > 0


def test_costs_are_differentiable_in_alpha(relaxation: Relaxation) -> None:
    (sample,) = relaxation.draw(TwoPath(), 1.0, index=0)
    relaxation.expected(sample.mask).latency_ms.backward()
    gradient = relaxation.alpha.grad
    assert gradient is not None and sample.active is not None
    for layer, pair in enumerate(sample.active[:3]):
        low, high = pair
        assert gradient[layer, low] < 0 < gradient[layer, high], "descent prefers the cheaper of the two"
    assert not gradient[~relaxation.valid].any() and not gradient[3].any(), "one choice: nothing to decide"


def test_double_precision_follows_alpha(relaxation: Relaxation) -> None:
    relaxation.double()
    assert relaxation.expected(relaxation.probabilities()).latency_ms.dtype == torch.float64


def test_describe(relaxation: Relaxation) -> None:
    with torch.no_grad():
        relaxation.alpha[0, 6], relaxation.alpha[1, 2], relaxation.alpha[2, 1] = 9.0, 9.0, math.log(3)
        relaxation.alpha[2, 2:] = 50.0  # padding must not count
    metrics = relaxation.describe()
    assert relaxation.best().indices == (6, 2, 1, 0)
    costs = count(relaxation.space)
    assert metrics["argmax_latency_ms"] == pytest.approx(0.5 + 7 + 3 + 2 + 1)
    assert metrics["argmax_params"] == costs.params_of(relaxation.best())
    assert metrics["argmax_madds"] == costs.madds_of(relaxation.best())
    assert metrics["expected_latency_ms"] == pytest.approx(13.5, abs=0.3)
    assert metrics["entropy"] == pytest.approx(relaxation.layer_entropy().mean().item())
    sharp = math.exp(9) / (math.exp(9) + 6)
    assert metrics["skip_share"] == pytest.approx((sharp + 1 / (math.exp(9) + 6) + 0.25) / 3, rel=1e-4)


def test_a_space_without_skips_has_no_skip_share(tiny_space: SearchSpace, tiny_table_file: Path) -> None:
    table = load_table(tiny_table_file, tiny_space)
    metrics = Relaxation(tiny_space, count(tiny_space), table).describe()
    assert "skip_share" not in metrics
    arch = Architecture(tiny_space, (0, 0, 0))
    assert metrics["argmax_latency_ms"] == pytest.approx(table.latency_ms(arch), rel=1e-6)
