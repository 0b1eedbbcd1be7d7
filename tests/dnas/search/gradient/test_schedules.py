"""Schedules: values by hand, ends exact, bad input refused."""

from __future__ import annotations

import math

import pytest

from dnas.search.gradient.schedules import (
    AfterWarmup,
    Constant,
    Cosine,
    Exponential,
    Geometric,
    Linear,
    RampUp,
    Schedule,
)

RAMPS = (Linear, Cosine, Geometric)


@pytest.mark.parametrize(
    ("schedule", "progress", "expected"),
    [
        (Constant(0.3), 0.7, 0.3),
        (Linear(1.0, 3.0), 0.25, 1.5),
        (Linear(0.0, 1.0, begin=0.2, finish=0.6), 0.3, 0.25),
        (Cosine(1.0, 0.0), 0.5, 0.5),
        (Cosine(1.0, 0.0), 1 / 3, 0.75),
        (Geometric(4.0, 0.25), 0.5, 1.0),
        (Geometric(1.0, 100.0, begin=0.5), 0.75, 10.0),
        (Exponential(2.0, math.log(4.0)), 0.5, 1.0),
        (AfterWarmup(Linear(1.0, 2.0), warmup=0.5), 0.4, 0.0),
        (AfterWarmup(Linear(1.0, 2.0), warmup=0.5, before=7.0), 0.4, 7.0),
        (AfterWarmup(Linear(1.0, 2.0), warmup=0.5), 0.5, 1.0),
        (AfterWarmup(Linear(1.0, 2.0), warmup=0.5), 0.75, 1.5),
        (AfterWarmup(Linear(1.0, 2.0), warmup=0.0, before=7.0), 0.0, 1.0),
        (RampUp(Cosine(2.0, 0.0), warmup=0.2), 0.0, 0.0),
        (RampUp(Cosine(2.0, 0.0), warmup=0.2, start=1.0), 0.05, 1.25),
        (RampUp(Cosine(2.0, 0.0), warmup=0.2, start=1.0), 0.2, 2.0),
        (RampUp(Cosine(2.0, 0.0), warmup=0.2, start=1.0), 0.6, 1.0),
        (RampUp(Cosine(2.0, 0.0), warmup=0.2, start=1.0), 1.0, 0.0),
        (RampUp(Constant(3.0), warmup=0.0, start=1.0), 0.0, 3.0),
    ],
)
def test_value(schedule: Schedule, progress: float, expected: float) -> None:
    assert schedule(progress) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("ramp", RAMPS)
def test_ramp_is_constant_outside_and_exact_at_its_ends(ramp: type[Linear]) -> None:
    schedule = ramp(0.1, 0.7, begin=0.3, finish=0.9)
    assert [schedule(p) for p in (0.0, 0.3, 0.9, 1.0)] == [0.1, 0.1, 0.7, 0.7]
    inside = [schedule(0.3 + 0.06 * i) for i in range(11)]
    assert inside == sorted(inside)


@pytest.mark.parametrize("ramp", RAMPS)
def test_ramp_without_width_is_a_step(ramp: type[Linear]) -> None:
    schedule = ramp(1.0, 2.0, begin=0.5, finish=0.5)
    assert (schedule(0.499), schedule(0.5)) == (1.0, 2.0)


@pytest.mark.parametrize("epoch", [0, 1, 10, 45, 89])
def test_fbnet_temperature(epoch: int) -> None:
    assert Exponential(5.0, 4.05)(epoch / 90) == pytest.approx(5.0 * math.exp(-0.045 * epoch), rel=1e-12)


@pytest.mark.parametrize("progress", [-1e-9, 1.0 + 1e-9, math.nan, math.inf])
@pytest.mark.parametrize(
    "schedule", [Constant(1.0), Linear(0, 1), Exponential(1, 1), AfterWarmup(Constant(1.0), 0.5)]
)
def test_progress_outside_the_run_is_refused(schedule: Schedule, progress: float) -> None:
    with pytest.raises(ValueError, match=r"progress .* \[0, 1\]; got"):
        schedule(progress)


@pytest.mark.parametrize(
    ("build", "quoted"),
    [
        (lambda: Constant(math.nan), "value nan"),
        (lambda: Linear(math.inf, math.nan), "start inf, end nan"),
        (lambda: Linear(0, 1, begin=0.6, finish=0.5), "begin 0.6 and finish 0.5"),
        (lambda: Cosine(0, 1, begin=-0.1), "begin -0.1"),
        (lambda: Cosine(0, 1, finish=1.1), "finish 1.1"),
        (lambda: Geometric(1.0, 0.0), "1.0 and 0.0"),
        (lambda: Geometric(-1.0, 2.0), "-1.0 and 2.0"),
        (lambda: Exponential(1.0, math.inf), "rate inf"),
        (lambda: AfterWarmup(Constant(1.0), 1.0), r"\[0, 1\), got 1.0"),
        (lambda: RampUp(Constant(1.0), 1.0), r"\[0, 1\), got 1.0"),
        (lambda: RampUp(Constant(1.0), -0.1), r"\[0, 1\), got -0.1"),
        (lambda: RampUp(Constant(1.0), 0.1, start=math.nan), "start nan"),
    ],
)
def test_bad_numbers_are_quoted(build, quoted: str) -> None:
    with pytest.raises(ValueError, match=quoted):
        build()
