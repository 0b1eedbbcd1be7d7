"""Scalar rewards, computed by hand, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dnas.search.evolution.rewards import MnasNetReward, accuracy, likelihood

# quality, latency_ms, params
VALUES = np.array([[0.5, 20.0, 1.0], [0.5, 10.0, 2.0], [0.5, 5.0, 3.0], [np.nan, 10.0, 4.0]])


def test_quality_alone() -> None:
    np.testing.assert_array_equal(accuracy(VALUES), [0.5, 0.5, 0.5, np.nan])
    losses = np.array([[0.0, 1.0], [math.log(4), 1.0], [np.inf, 1.0], [np.nan, 1.0]])
    np.testing.assert_allclose(likelihood(losses), [1.0, 0.25, 0.0, np.nan])


def test_soft_target_counts_on_both_sides() -> None:
    reward = MnasNetReward(target_ms=10.0)
    np.testing.assert_allclose(reward(VALUES), [0.5 * 2**-0.07, 0.5, 0.5 * 2**0.07, np.nan])
    # The paper's reading: twice as slow pays off with 5 % more accuracy, about.
    assert reward(np.array([[0.525, 20.0]])) == pytest.approx(reward(np.array([[0.5, 10.0]])), rel=2e-3)
    assert MnasNetReward(10.0, w=-1.0)(VALUES)[:3].tolist() == [0.25, 0.5, 1.0]


def test_hard_target_counts_above_only() -> None:
    np.testing.assert_allclose(MnasNetReward(10.0, hard=True)(VALUES), [0.25, 0.5, 0.5, np.nan])


def test_losses_are_mapped_to_likelihoods() -> None:
    values = np.array([[math.log(2), 20.0], [math.log(2), 10.0], [math.log(4), 10.0]])
    reward = MnasNetReward(10.0, hard=True, quality_maximize=False)
    np.testing.assert_allclose(reward(values), [0.25, 0.5, 0.25])


def test_no_genomes_no_rewards() -> None:
    for reward in (accuracy, likelihood, MnasNetReward(1.0), MnasNetReward(1.0, hard=True)):
        assert reward(np.empty((0, 3))).shape == (0,)


@pytest.mark.parametrize("quality", [75.9, -0.3])
def test_accuracies_of_another_scale_are_refused(quality: float) -> None:
    values = np.array([[0.5, 1.0], [quality, 1.0], [np.nan, 1.0]])
    for reward in (accuracy, MnasNetReward(1.0)):
        with pytest.raises(ValueError, match=rf"in \[0, 1\], got \[{quality}\]: divide percent by 100"):
            reward(values)
    assert MnasNetReward(1.0, quality_maximize=False)(values)[1] == pytest.approx(math.exp(-quality))


@pytest.mark.parametrize("latency_ms", [0.0, -2.0])
def test_no_network_takes_no_time(latency_ms: float) -> None:
    with pytest.raises(ValueError, match=rf"latencies must be above 0 ms, got \[{latency_ms}\]"):
        MnasNetReward(1.0)(np.array([[0.5, 3.0], [0.5, latency_ms]]))


def test_settings_are_checked_together() -> None:
    with pytest.raises(ValueError, match=r"target_ms .* got 0.0; w must .* got 0.07"):
        MnasNetReward(0.0, w=0.07)
    for target_ms, w in ((math.nan, -0.07), (math.inf, -0.07), (1.0, math.nan), (1.0, -math.inf)):
        with pytest.raises(ValueError, match="must be"):
            MnasNetReward(target_ms, w)
