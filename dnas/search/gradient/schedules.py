"""Schedules as callables of progress in [0, 1]: no knowledge of epochs or steps, composable, stateless.

FBNet's temperature, 5.0 * exp(-0.045 * epoch) over 90 epochs, is `Exponential(start=5.0, rate=4.05)`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod


class Schedule(ABC):
    """A number that changes over the run; `schedule(progress)` with 0 the start of the run and 1 its end."""

    def __call__(self, progress: float) -> float:
        """Return the value at `progress`.

        Raises:
            ValueError: progress is not in [0, 1].
        """
        if not 0.0 <= progress <= 1.0:
            raise ValueError(f"progress is the share of the run that is done, in [0, 1]; got {progress}")
        return self._value(progress)

    @abstractmethod
    def _value(self, progress: float) -> float:
        """Return the value at a checked progress."""


class Constant(Schedule):
    """The same value throughout.

    Args:
        value: The value.
    """

    def __init__(self, value: float) -> None:
        _check(value=value)
        self.value = value

    def _value(self, progress: float) -> float:
        return self.value


class _Ramp(Schedule):
    """Goes from start to end between the progress values begin and finish; constant before and after.

    Args:
        start: Value up to `begin`.
        end: Value from `finish` on.
        begin: Progress at which the change begins.
        finish: Progress at which the change is complete; equal to `begin` for a step.
    """

    def __init__(self, start: float, end: float, begin: float = 0.0, finish: float = 1.0) -> None:
        _check(start=start, end=end)
        if not 0.0 <= begin <= finish <= 1.0:
            raise ValueError(f"expected 0 <= begin <= finish <= 1, got begin {begin} and finish {finish}")
        self.start, self.end, self.begin, self.finish = start, end, begin, finish

    def _value(self, progress: float) -> float:
        # The ends are returned as given: interpolation may be off by a rounding error.
        if progress >= self.finish:
            return self.end
        if progress <= self.begin:
            return self.start
        return self._between((progress - self.begin) / (self.finish - self.begin))

    @abstractmethod
    def _between(self, share: float) -> float:
        """Return the value when `share`, in (0, 1), of the change is done."""


class Linear(_Ramp):
    """start + (end - start) * share of the way from begin to finish; constant before and after."""

    def _between(self, share: float) -> float:
        return self.start + (self.end - self.start) * share


class Cosine(_Ramp):
    """Half a cosine wave from start to end between begin and finish; constant before and after."""

    def _between(self, share: float) -> float:
        return self.end + (self.start - self.end) * 0.5 * (1.0 + math.cos(math.pi * share))


class Geometric(_Ramp):
    """start * (end / start)^share between begin and finish, both above 0; constant before and after."""

    def __init__(self, start: float, end: float, begin: float = 0.0, finish: float = 1.0) -> None:
        super().__init__(start, end, begin, finish)
        if start <= 0.0 or end <= 0.0:
            raise ValueError(f"a geometric schedule needs start and end above 0, got {start} and {end}")

    def _between(self, share: float) -> float:
        return self.start * (self.end / self.start) ** share


class Exponential(Schedule):
    """start * exp(-rate * progress); a decay of r per epoch over n epochs is rate = r * n.

    Args:
        start: Value at the start of the run.
        rate: Decay over the whole run: the run ends at start * exp(-rate).
    """

    def __init__(self, start: float, rate: float) -> None:
        _check(start=start, rate=rate)
        self.start, self.rate = start, rate

    def _value(self, progress: float) -> float:
        return self.start * math.exp(-self.rate * progress)


class AfterWarmup(Schedule):
    """`before` during the warm-up, then all of another schedule over the rest of the run.

    Args:
        schedule: What follows the warm-up.
        warmup: Share of the run that is warm-up, in [0, 1).
        before: Value during the warm-up.
    """

    def __init__(self, schedule: Schedule, warmup: float, before: float = 0.0) -> None:
        _check(before=before)
        if not 0.0 <= warmup < 1.0:
            raise ValueError(f"warmup is a share of the run in [0, 1), got {warmup}")
        self.schedule, self.warmup, self.before = schedule, warmup, before

    def _value(self, progress: float) -> float:
        if progress < self.warmup:
            return self.before
        return self.schedule((progress - self.warmup) / (1.0 - self.warmup))


class RampUp(Schedule):
    """A linear rise to the first value of another schedule, then all of that over the rest of the run.

    Args:
        schedule: What follows the rise.
        warmup: Share of the run that is the rise, in [0, 1).
        start: Value at the start of the run.
    """

    def __init__(self, schedule: Schedule, warmup: float, start: float = 0.0) -> None:
        self.after = AfterWarmup(schedule, warmup)
        self.rise = Linear(start, schedule(0.0), finish=warmup)

    def _value(self, progress: float) -> float:
        return (self.rise if progress < self.rise.finish else self.after)(progress)


def _check(**values: float) -> None:
    wrong = [f"{name} {value}" for name, value in values.items() if not math.isfinite(value)]
    if wrong:
        raise ValueError(f"a schedule's numbers must be finite, got {', '.join(wrong)}")
