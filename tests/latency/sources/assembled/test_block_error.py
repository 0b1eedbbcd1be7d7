"""Errors of a block: independent ones in quadrature, shared ones added, overconfident ones widened."""

from __future__ import annotations

import math

import pytest

from latency.sources.assembled.block_error import block_error, widening
from latency.sources.assembled.kernel_model import Prediction
from latency.sources.assembled.shape import KernelShape
from latency.sources.assembled.validation import HeldOutKernel

ONE = KernelShape("pointwise", 14, 8, 16)
OTHER = KernelShape("depthwise", 14, 16, 16, kernel=3)
COPIES = [KernelShape("copy", 14, 8, 8), KernelShape("copy", 14, 16, 16)]


def predicted(us: float, error: float, shared: bool = False) -> Prediction:
    return Prediction(us, error, measured=False, shared=shared)


def test_different_kernels_are_independent() -> None:
    assert block_error([ONE, OTHER], [predicted(3, 0.1), predicted(4, 0.1)], {}) == pytest.approx(0.5 / 7)


def test_equal_kernels_are_wrong_alike() -> None:
    assert block_error([ONE, ONE], [predicted(3, 0.1)] * 2, {}) == pytest.approx(0.1)


def test_kernels_under_one_assumption_are_wrong_alike() -> None:
    times = [predicted(3, 1.0, shared=True), predicted(4, 1.0, shared=True)]
    assert block_error(COPIES, times, {}) == pytest.approx(1.0)
    alone = [predicted(3, 1.0), predicted(4, 1.0)]
    assert block_error(COPIES, alone, {}) == pytest.approx(5 / 7)


def test_only_predictions_of_the_kernel_model_are_widened() -> None:
    widen = {"pointwise": 2.0, "copy": 3.0}
    assert block_error([ONE], [predicted(5, 0.1)], widen) == pytest.approx(0.2)
    assert block_error([OTHER], [predicted(5, 0.1)], widen) == pytest.approx(0.1)
    assert block_error([ONE], [Prediction(5, 0.1, measured=True)], widen) == pytest.approx(0.1)
    assert block_error(COPIES[:1], [predicted(5, 1.0, shared=True)], widen) == pytest.approx(1.0)


def test_a_block_in_which_nothing_runs_has_no_error() -> None:
    assert block_error([], [], {}) == 0.0


def test_widening_is_the_root_mean_square_of_the_scores_but_at_least_one() -> None:
    def held(shape: KernelShape, measured_us: float, error: float) -> HeldOutKernel:
        return HeldOutKernel(
            "family", shape, modelled_us=1.0, error=error, built_us=1.0, measured_us=measured_us
        )

    bold = [held(ONE, math.exp(0.3), 0.1), held(ONE, math.exp(-0.4), 0.1)]
    timid = [held(OTHER, math.exp(0.05), 0.1)]
    found = widening([*bold, *timid])
    assert found == {"pointwise": pytest.approx(math.sqrt(12.5)), "depthwise": 1.0}
    assert widening([]) == {}
