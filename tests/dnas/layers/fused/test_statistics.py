"""Statistics known before the product, and running averages moved at once, against batch normalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnas.layers.fused.rows import Shape, to_maps, with_ones
from dnas.layers.fused.statistics import Norm, Running, Statistics, fold, mix, moments, normalise, update


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_folded_weights_convolve_and_normalise() -> None:
    # Far from centred, and one channel almost a copy of another.
    x = random(50, 4) * torch.tensor([1.0, 5.0, 0.1, 1.0]).double() + torch.arange(4) * 10
    x[:, 3] = x[:, 0] + 1e-3 * x[:, 3]
    weight, norm = random(6, 4, seed=1), nn.BatchNorm1d(6).double()
    with torch.no_grad():
        norm.weight.copy_(random(6, seed=2))
        norm.bias.copy_(random(6, seed=3))
    folded, statistics = fold(weight, Norm(norm.weight, norm.bias, norm.eps), moments(x), len(x))
    torch.testing.assert_close(with_ones(x) @ folded.t(), norm(x @ weight.t()), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(statistics.mean, (x @ weight.t()).mean(0))
    torch.testing.assert_close(statistics.var, (x @ weight.t()).var(0), rtol=1e-6, atol=1e-9)


def test_cancelling_inputs_do_not_make_a_variance_negative() -> None:
    x = random(64, 1).float() * torch.tensor([[3000.0, 1700.3]])
    weight = torch.randn(500, 1, generator=torch.Generator().manual_seed(0)) * torch.tensor(
        [[1.0, -3000 / 1700.3]]
    )
    of = moments(x)
    assert (((weight @ of.covariance) * weight).sum(1) < -1e-5).any(), "rounding alone would make NaNs"
    folded, statistics = fold(weight, Norm(torch.ones(500), torch.zeros(500), 1e-5), of, 64)
    assert folded.isfinite().all() and (statistics.var >= 0).all()


def test_moments_of_half_precision_are_kept_in_float32() -> None:
    found = moments(random(1000, 3).bfloat16() + 100)
    assert found.mean.dtype == found.covariance.dtype == torch.float32


def test_normalise_tells_the_unbiased_variance() -> None:
    maps = to_maps(random(24, 3), Shape(2, 3, 4))
    norm = nn.BatchNorm2d(3, momentum=1.0).double()
    y, statistics = normalise(maps, Norm(norm.weight, norm.bias, norm.eps))
    torch.testing.assert_close(y, norm(maps))
    assert norm.running_mean is not None and norm.running_var is not None
    torch.testing.assert_close(statistics.mean, norm.running_mean)
    torch.testing.assert_close(statistics.var, norm.running_var)


def test_a_mixture_is_the_weighted_sum_of_normalised_maps() -> None:
    shape, rows = Shape(2, 3, 4), random(24, 10)
    scale, shift, weights = random(2, 5, seed=1), random(2, 5, seed=2), random(2, seed=3)
    y, statistics = mix(rows, Norm(scale, shift, 1e-5), weights, shape)
    expected = sum(
        weights[i]
        * F.batch_norm(
            to_maps(rows[:, 5 * i : 5 * i + 5].contiguous(), shape), None, None, scale[i], shift[i], True
        )
        for i in range(2)
    )
    torch.testing.assert_close(y, expected)
    assert [len(part.mean) for part in statistics.split([5, 5])] == [5, 5]


def test_running_averages_follow_their_own_momentum() -> None:
    running = [
        Running(torch.zeros(2), torch.ones(2), momentum, count)
        for momentum, count in ((0.1, torch.tensor(3)), (0.5, None), (0.1, torch.tensor(0)), (0.0, None))
    ]
    batch = Statistics(torch.full((2,), 10.0, dtype=torch.float64).float(), torch.full((2,), 3.0))
    update([(each, batch) for each in running])
    assert [each.mean[0].item() for each in running] == [1.0, 5.0, 1.0, 0.0]
    torch.testing.assert_close(
        torch.stack([each.var[0] for each in running]), torch.tensor([1.2, 2.0, 1.2, 1.0])
    )
    assert [each.batches.item() for each in running if each.batches is not None] == [4, 1]
