"""Trend and Gaussian process of one kind of kernel, against laws that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from latency.sources.assembled.dataset import Dataset
from latency.sources.assembled.features import coordinates, work
from latency.sources.assembled.kind_model import LEAST_NOISE, KindModel, Settings, trend, tune
from latency.sources.assembled.shape import KernelShape

AXES = ("size", "in_channels", "out_channels")
SETTINGS = Settings(0.3, 0.1, 0.05, dict.fromkeys(AXES, 3.0), dict.fromkeys(AXES, 2.0))
LAW = np.array([8.0, 900.0, 300.0, 200.0, 50.0, 0.0])


def pointwise(count: int, seed: int = 0) -> list[KernelShape]:
    """Distinct shapes at random."""
    generator = np.random.default_rng(seed)
    shapes: dict[KernelShape, None] = {}
    while len(shapes) < count:
        size, inside, outside = generator.integers(1, 15, 3)
        shapes[KernelShape("pointwise", 4 * int(size), 8 * int(inside), 8 * int(outside))] = None
    return list(shapes)


def drawn(shapes: list[KernelShape], settings: Settings, seed: int) -> np.ndarray:
    """Times whose logarithm is the law's plus a draw of the process itself."""
    points = coordinates(shapes)[:, :3]
    residual = np.random.default_rng(seed).multivariate_normal(
        np.zeros(len(shapes)), settings.kernel()(points)
    )
    return work(shapes) @ LAW * np.exp(residual)


def test_the_trend_recovers_a_known_law() -> None:
    shapes = [*pointwise(30), *(replace(shape, adds=True, stride=2) for shape in pointwise(10, seed=1))]
    np.testing.assert_allclose(trend(shapes, work(shapes) @ LAW), LAW, rtol=1e-6)


def test_idle_threads_cost_what_the_trend_finds() -> None:
    """Times that follow the launch: kernels with 2 * prime slices are foreseen from others of the kind."""
    gpu = Dataset.load().gpu("pixel4")
    known = [
        KernelShape("pointwise", 7, inside, outside)
        for inside in range(64, 512, 64)
        for outside in range(256, 1280, 52)
    ]
    law = np.array([8.0, 0.0, 300.0, 200.0, 50.0, 900.0])
    us = work(known, gpu) @ law
    np.testing.assert_allclose(trend(known, us, gpu), law, rtol=1e-6, atol=1e-6)
    axes = dict.fromkeys((*AXES, "idle", "block", "constant"), 3.0)
    settings = Settings(0.1, 0.02, 0.02, axes, axes)
    asked = [KernelShape("pointwise", 7, 360, 1432), KernelShape("pointwise", 7, 360, 1440)]
    predicted, _ = KindModel(known, us, settings, gpu).predict(asked)
    np.testing.assert_allclose(predicted, work(asked, gpu) @ law, rtol=0.02)
    assert predicted[0] > 5 * predicted[1]
    assert "idle" in tune(known, us, gpu).smooth_scale and "idle" not in tune(known, us).smooth_scale


def test_the_trend_minimises_relative_errors_and_is_never_negative() -> None:
    shapes = pointwise(40)
    us = work(shapes) @ np.array([100.0, 900.0, 300.0, 0.0, -40.0, 0.0])
    coefficients = trend(shapes, us)
    assert coefficients.min() == 0 and coefficients[4] == 0

    def loss(candidate: np.ndarray) -> float:
        return float(((work(shapes) @ candidate / us - 1) ** 2).sum())

    for other in np.vstack([coefficients * (1 + sign * 1e-3 * np.eye(6)) for sign in (-1, 1)]):
        assert loss(coefficients) <= loss(other)


def test_beside_a_measured_kernel_the_model_says_what_was_measured() -> None:
    shapes = pointwise(40)
    us = drawn(shapes, SETTINGS, seed=3)
    exact = replace(SETTINGS, noise=1e-4)
    predicted, error = KindModel(shapes, us, exact).predict(shapes)
    np.testing.assert_allclose(predicted, us, rtol=1e-3)
    assert error.max() < 1e-3


def test_an_interpolated_kernel_follows_its_neighbours_not_the_trend() -> None:
    """Half of the sizes are slow by a factor that grows slowly with the channels."""

    def slow(shape: KernelShape) -> float:
        return float(work([shape])[0] @ LAW) * (1 + 0.1 * np.log2(shape.in_channels))

    known = [KernelShape("pointwise", 16, inside, 64) for inside in (16, 24, 40, 48, 64)]
    between = KernelShape("pointwise", 16, 32, 64)
    model = KindModel(known, np.array([slow(shape) for shape in known]), replace(SETTINGS, noise=0.01))
    predicted, error = model.predict([between])
    assert predicted[0] == pytest.approx(slow(between), rel=0.02)
    assert error[0] < 0.1


def test_the_error_grows_with_the_distance() -> None:
    known = pointwise(30)
    model = KindModel(known, drawn(known, SETTINGS, seed=4), SETTINGS)
    at, near, far, very_far = (
        model.predict([replace(known[0], size=int(known[0].size * factor))])[1][0]
        for factor in (1, 1.25, 16, 1024)
    )
    assert SETTINGS.noise < at < near < far < very_far
    everything = (SETTINGS.smooth**2 + SETTINGS.rough**2 + SETTINGS.noise**2) ** 0.5
    assert very_far == pytest.approx(everything, rel=0.05)


def test_the_truth_lies_within_the_error_as_often_as_it_should() -> None:
    distances = []
    for seed in range(8):
        shapes = pointwise(120, seed)
        us = drawn(shapes, SETTINGS, seed)
        predicted, error = KindModel(shapes[:80], us[:80], SETTINGS).predict(shapes[80:])
        distances += [*np.abs(np.log(us[80:] / predicted)) / error]
    assert np.mean(np.array(distances) < 1) == pytest.approx(0.683, abs=0.06)
    assert np.mean(np.array(distances) < 2) == pytest.approx(0.954, abs=0.04)


def test_tuning_is_deterministic_and_finds_the_noise() -> None:
    true = Settings(0.2, 0.02, 0.06, dict.fromkeys(AXES, 4.0), dict.fromkeys(AXES, 2.0))
    shapes = pointwise(100)
    us = drawn(shapes, true, seed=5)
    first = tune(shapes, us)
    assert first == tune(shapes, us)
    assert first.noise == pytest.approx(true.noise, rel=0.5)
    assert tune(shapes, work(shapes) @ LAW).noise == LEAST_NOISE


def test_tuned_settings_predict_no_worse_than_the_trend() -> None:
    shapes = pointwise(120)
    us = drawn(shapes, Settings(0.4, 0.02, 0.02, dict.fromkeys(AXES, 4.0), dict.fromkeys(AXES, 2.0)), seed=6)
    model = KindModel(shapes[:80], us[:80], tune(shapes[:80], us[:80]))
    of_trend = np.abs(np.log(model.trend_us(shapes[80:]) / us[80:])).mean()
    of_model = np.abs(np.log(model.predict(shapes[80:])[0] / us[80:])).mean()
    assert of_model < of_trend / 2


@pytest.mark.parametrize(
    ("kind", "axes"),
    [
        ("pointwise", ("size", "in_channels", "out_channels")),
        ("depthwise", ("size", "in_channels", "halvings")),
    ],
)
def test_axes_are_those_that_vary_and_repeat_no_other(kind: str, axes: tuple[str, ...]) -> None:
    """A depthwise kernel's output channels are its input's; halvings count for depthwise and pool alone."""
    shapes = [replace(shape, kind=kind, kernel=3) for shape in pointwise(12)]
    if kind == "depthwise":
        shapes = [replace(shape, out_channels=shape.in_channels) for shape in shapes]
    settings = tune(shapes, work(shapes) @ LAW)
    assert tuple(settings.smooth_scale) == tuple(settings.rough_scale) == axes


def test_a_model_reads_the_axes_by_name() -> None:
    known, asked = pointwise(30), pointwise(10, seed=9)
    us = drawn(known, SETTINGS, seed=7)
    scale = {"size": 0.5, "in_channels": 3.0, "out_channels": 8.0}
    uneven = replace(SETTINGS, smooth_scale=scale, rough_scale=scale)
    turned = dict(reversed(scale.items()))
    reverse = replace(SETTINGS, smooth_scale=turned, rough_scale=turned)
    first, second = (KindModel(known, us, settings).predict(asked)[0] for settings in (uneven, reverse))
    np.testing.assert_allclose(first, second)
