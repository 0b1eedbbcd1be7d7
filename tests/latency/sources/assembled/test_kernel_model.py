"""Looked up where measured, else predicted, else refused with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import exp, log

import numpy as np
import pytest

from latency import TableError
from latency.sources.assembled.dataset import MeasuredKernel
from latency.sources.assembled.features import work
from latency.sources.assembled.kernel_model import ASSUMED_ERROR, LEAST_KERNELS, KernelModel, Prediction
from latency.sources.assembled.kind_model import Settings, trend
from latency.sources.assembled.shape import KernelShape

LAW = np.array([8.0, 20000.0, 5000.0, 4000.0, 10000.0, 0.0])
SIZES, CHANNELS = (4, 8, 16, 32), (16, 32, 64, 128)
POINTWISE = [KernelShape("pointwise", size, channels, 64) for size in SIZES for channels in CHANNELS]
DEPTHWISE = [
    KernelShape("depthwise", size, channels, channels, kernel)
    for size in SIZES
    for channels in CHANNELS
    for kernel in (3, 5)
]
CONV = [
    KernelShape("conv", size, channels, out_channels, 3)
    for size in SIZES
    for channels in CHANNELS
    for out_channels in (16, 96)
]
GROUPED = [replace(shape, kind="grouped", groups=2) for shape in CONV]
WINDOWS = [
    KernelShape("window", size, channels, channels, kernel, 2, maximum=maximum)
    for size in SIZES
    for channels in CHANNELS
    for kernel, maximum in ((2, True), (3, True), (3, False))
]
CONCAT = [KernelShape("concat", size, channels, 2 * channels) for size in SIZES for channels in CHANNELS]
START_US, US_PER_MB = 6.0, 900.0


def law_us(shape: KernelShape) -> float:
    if shape.kind in {"concat", "copy"}:
        return START_US + US_PER_MB * shape.size**2 * shape.out_channels * 2 / 1e6
    return float(work([shape])[0] @ LAW)


def measured(shapes: Iterable[KernelShape], factor: float = 1.0) -> list[MeasuredKernel]:
    return [MeasuredKernel("net", "family", shape, factor * law_us(shape)) for shape in shapes]


def settings(*kinds: str) -> dict[str, Settings]:
    axes = ("size", "in_channels", "out_channels", "kernel", "stride", "adds")
    return dict.fromkeys(kinds, Settings(0.2, 0.05, 0.02, dict.fromkeys(axes, 3.0), dict.fromkeys(axes, 2.0)))


KINDS = ("pointwise", "depthwise", "conv", "grouped", "window")
ALL = measured([*POINTWISE, *DEPTHWISE, *CONV, *GROUPED, *WINDOWS, *CONCAT])


@pytest.fixture(scope="module")
def model() -> KernelModel:
    return KernelModel(ALL, settings(*KINDS))


def test_a_lookup_is_the_mean_of_the_repeats_and_wins_over_the_model() -> None:
    times = (20.0, 40.0, 60.0)  # far from the law's
    repeats = [MeasuredKernel("net", "family", POINTWISE[0], us) for us in times]
    model = KernelModel([*measured(POINTWISE[1:]), *repeats], settings("pointwise"))
    found = model.predict([POINTWISE[0]])[0]
    assert (found.us, found.measured) == (pytest.approx(40.0), True)
    alone = model.model([POINTWISE[0]])[0]
    assert not alone.measured and alone.us != pytest.approx(40.0, rel=0.01)


def test_the_error_of_a_lookup_is_that_of_a_mean_of_repeats() -> None:
    pairs = [
        MeasuredKernel("net", "family", shape, 100 * factor)
        for shape in POINTWISE[:2]
        for factor in (exp(-0.1), exp(0.1))
    ]
    model = KernelModel([*pairs, *measured(POINTWISE[2:])], settings("pointwise"))
    pooled = 0.02**0.5  # each pair: squares of 0.1 twice, one degree of freedom
    assert model.repeatability == {"pointwise": pytest.approx(pooled)}
    twice, once = model.predict([POINTWISE[0], POINTWISE[5]])
    assert twice.error == pytest.approx(pooled / 2**0.5)
    assert once.error == pytest.approx(pooled)


def test_a_model_has_no_less_noise_than_repeats_show() -> None:
    """Settings may have been tuned to less: then neighbours are believed too much, errors are too small."""
    pairs = [
        replace(kernel, us=kernel.us * factor)
        for kernel in measured(POINTWISE)
        for factor in (exp(-0.2), exp(0.2))
    ]
    steady, shaky = (
        KernelModel(measured(POINTWISE), settings("pointwise")),
        KernelModel(pairs, settings("pointwise")),
    )
    asked = [KernelShape("pointwise", 8, 48, 64)]
    assert steady.model(asked)[0].error < 0.1
    assert shaky.repeatability["pointwise"] == pytest.approx(0.08**0.5)
    assert shaky.model(asked)[0].error > 0.08**0.5


def test_predictions_come_in_the_order_asked_for(model: KernelModel) -> None:
    unknown = KernelShape("pointwise", 8, 48, 64)
    asked = [unknown, DEPTHWISE[3], POINTWISE[2], unknown, KernelShape("depthwise", 8, 48, 48, 3)]
    found = model.predict(asked)
    assert [prediction.measured for prediction in found] == [False, True, True, False, False]
    for shape, prediction in zip(asked, found, strict=True):
        assert prediction.us == pytest.approx(law_us(shape), rel=0.02)
    assert model.predict([]) == []


def test_multiply_and_copy_take_the_bandwidth_of_concatenations(model: KernelModel) -> None:
    multiply, copy = model.predict([KernelShape(kind, 16, 48, 48) for kind in ("multiply", "copy")])
    moved = US_PER_MB * 16 * 16 * 48 * 2 / 1e6
    assert multiply == Prediction(pytest.approx(moved), ASSUMED_ERROR, measured=False, shared=True)
    assert copy == Prediction(pytest.approx(START_US + moved), ASSUMED_ERROR, measured=False, shared=True)


def test_bandwidth_is_fitted_to_relative_errors() -> None:
    """One huge map that took ten times as long does not decide about the others."""
    huge = KernelShape("concat", 512, 64, 128)
    model = KernelModel([*ALL, *measured([huge], factor=10.0)], settings(*KINDS))
    shape = KernelShape("copy", 16, 64, 64)
    assert model.predict([shape])[0].us == pytest.approx(law_us(shape), rel=0.3)


def test_grouped_1x1_kernels_come_from_the_trend_of_wider_ones_alone() -> None:
    """Whatever the process makes of the neighbours, which are unlike each other here."""
    generator = np.random.default_rng(0)
    rough = [
        replace(kernel, us=kernel.us * exp(generator.normal(0, 0.3)))
        for kernel in measured(GROUPED, factor=2.0)
    ]
    model = KernelModel([*measured([*POINTWISE, *CONV]), *rough], settings(*KINDS))
    expected = trend(GROUPED, np.array([kernel.us for kernel in rough]))
    for size in (8, 64):  # also maps larger than any measured
        narrow = KernelShape("grouped", size, 16, 48, groups=2)
        (found,) = model.predict([narrow])
        assert not found.measured
        assert found.us == pytest.approx(float(work([narrow])[0] @ expected))
        assert found.error == model.extrapolation_error


def test_the_error_of_that_extrapolation_is_measured_on_dense_kernels() -> None:
    """Dense 1x1 kernels are three times slower than the trend of 3x3 ones says."""
    large = KernelShape("pointwise", 112, 16, 64)  # outside the maps of 3x3 ones: does not count
    slow = measured(POINTWISE, factor=3.0)
    model = KernelModel([*slow, *measured([large], factor=1000.0), *measured([*CONV, *GROUPED])])
    assert model.extrapolation_error == pytest.approx(log(3.0))


def test_grouped_1x1_kernels_are_looked_up_once_measured() -> None:
    narrow = [replace(shape, kernel=1) for shape in GROUPED]
    model = KernelModel([*ALL, *measured(narrow, factor=5.0)], settings(*KINDS))
    assert model.predict(narrow[:1])[0].measured
    between = model.predict([KernelShape("grouped", 8, 48, 48, groups=2)])[0]
    assert between.error != model.extrapolation_error


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (KernelShape("linear", 1, 8, 8), "no linear kernel(s) measured, 10 are needed"),
        (KernelShape("pointwise", 2, 16, 64), "measured are maps of 4 to 32 px"),
        (KernelShape("pointwise", 33, 16, 64), "measured are maps of 4 to 32 px"),
        (KernelShape("pointwise", 8, 257, 64), "in_channels measured up to 128"),
        (KernelShape("pointwise", 8, 16, 129), "out_channels measured up to 64"),
        (KernelShape("depthwise", 8, 16, 16, 9), "measured are kernels up to 5"),
        (KernelShape("window", 33, 16, 16, 3, 2), "measured are maps of 4 to 32 px"),
        (KernelShape("window", 8, 129, 129, 3, 2), "in_channels measured up to 128"),
        (KernelShape("window", 8, 16, 16, 4, 2), "measured are kernels up to 3"),
        (KernelShape("window", 8, 16, 16, 3, 3), "measured are strides up to 2"),
        (KernelShape("window", 8, 48, 48, 2, 2), ""),
        (KernelShape("multiply", 33, 16, 16), "measured are maps of 4 to 32 px"),
        (KernelShape("copy", 3, 16, 16), "measured are maps of 4 to 32 px"),
        (KernelShape("pointwise", 4, 256, 128), ""),
        (KernelShape("pointwise", 32, 1, 1), ""),
        (KernelShape("depthwise", 8, 16, 16, 7), ""),
        (KernelShape("multiply", 8, 4096, 4096), ""),
    ],
)
def test_what_is_not_supported_and_why(shape: KernelShape, reason: str, model: KernelModel) -> None:
    assert model.unsupported(shape) == reason


def test_all_that_is_not_supported_is_named_at_once(model: KernelModel) -> None:
    bad = [KernelShape("pointwise", 2, 16, 64), POINTWISE[0], KernelShape("linear", 1, 8, 8)] * 2
    with pytest.raises(TableError) as caught:
        model.predict(bad)
    assert str(caught.value).splitlines() == [
        "2 kernel(s) that the measurements do not support:",
        "  pointwise 16>64 at 2 px: measured are maps of 4 to 32 px",
        "  linear 8>8 at 1 px: no linear kernel(s) measured, 10 are needed",
    ]


def test_a_measured_kernel_is_supported_whatever_else_was_measured() -> None:
    odd = KernelShape("conv", 1, 3, 5, 11)
    model = KernelModel(measured([odd]))
    assert model.unsupported(odd) == ""
    assert model.predict([odd])[0].us == pytest.approx(law_us(odd))


def test_a_few_kernels_say_nothing_about_others() -> None:
    few = measured([*POINTWISE[: LEAST_KERNELS - 1], *GROUPED])
    model = KernelModel(few, settings(*KINDS))
    assert not model.knows("pointwise") and model.knows("grouped")
    assert (
        model.unsupported(KernelShape("pointwise", 8, 48, 48))
        == "9 pointwise kernel(s) measured, 10 are needed"
    )
    narrow = KernelShape("grouped", 8, 16, 48, groups=2)
    assert model.unsupported(narrow) == "too few conv and pointwise kernels to tell its error"


def test_windows_of_a_known_form_are_predicted_like_other_kernels(model: KernelModel) -> None:
    known = KernelShape("window", 8, 48, 48, 2, 2, maximum=True)
    (found,) = model.predict([known])
    assert (found.measured, found.shared) == (False, False)
    assert found.us == pytest.approx(law_us(known), rel=0.02)
    assert found.error < 0.1


@pytest.mark.parametrize("kernel", [1, 2])
def test_windows_of_another_form_are_as_far_off_as_forms_left_out(kernel: int) -> None:
    """2x2 maxima take three times as long as the law says: nothing else knows."""
    slow = [shape for shape in WINDOWS if shape.kernel == 2]
    others = [shape for shape in WINDOWS if shape.kernel != 2]
    model = KernelModel([*measured(slow, factor=3.0), *measured(others)], settings("window"))
    assert model.window_error > 0.4
    (found,) = model.predict([KernelShape("window", 8, 48, 48, kernel, 2)])
    assert found.shared and found.error == pytest.approx(model.window_error)


def test_the_error_of_an_unknown_form_is_small_where_one_law_holds(model: KernelModel) -> None:
    assert model.window_error < 0.1


def test_with_one_form_of_windows_the_error_of_another_is_an_assumption() -> None:
    model = KernelModel(measured(shape for shape in WINDOWS if shape.kernel == 2), settings("window"))
    assert model.window_error == ASSUMED_ERROR


def test_repeats_count_once() -> None:
    model = KernelModel(measured(POINTWISE[:2] * LEAST_KERNELS))
    assert not model.knows("pointwise")


def test_a_kind_without_settings_is_tuned() -> None:
    model = KernelModel(measured(POINTWISE))
    assert set(model.settings("pointwise").smooth_scale) == {"size", "in_channels"}
    given = settings("pointwise")
    assert KernelModel(measured(POINTWISE), given).settings("pointwise") == given["pointwise"]
