"""Profiles of the GPU delegate: kernels and their sum."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from latency.sources.imported.gpu_profile import read

Profile = Callable[..., str]


@pytest.mark.parametrize("separator", [" - ", "; "])
def test_kernels_and_their_sum(profile: Profile, separator: str) -> None:
    (reading,) = read(profile(1.04, 0.133391, separator=separator), "L1_small.txt", None).readings
    assert reading.key == "L1_small"
    assert reading.ms == pytest.approx(1.173391)
    assert reading.kernels == (("conv 0 -> add", 1.04), ("conv 1 -> add", 0.133391))
    assert reading.cpu is False


def test_the_oldest_form_has_no_space_before_the_unit(profile: Profile) -> None:
    text = profile(1.04, 2.0).replace(" ms, 3.5 Gb/s", "ms")
    (reading,) = read(text, "x", None).readings
    assert reading.ms == pytest.approx(3.04)


def test_a_label_may_hold_a_dash(profile: Profile) -> None:
    (reading,) = read(profile(1.04).replace("conv 0", "conv - relu 5 - 0"), "x", None).readings
    assert reading.kernels == (("conv - relu 5 - 0 -> add", 1.04),)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("timing(2 kernels)", "timing(3 kernels)", "3 kernels promised, 2 found"),
        (
            "1.040000 ms, 3.5",
            "1.050000 ms, 3.5",
            "the kernels take 1.183391 ms, 'Ideal total time' says 1.173391",
        ),
        ("1.040000 ms, 3.5", "nan ms, 3.5", "nan is not a finite number"),
        ("1.040000 ms, 3.5", "1040.0 us, 3.5", "is no kernel"),
        ("Per kernel timing", "Timing", "0 reports"),
        ("Ideal total time: 1.173391", "", "'Ideal total time' is missing"),
    ],
)
def test_damage(profile: Profile, old: str, new: str, message: str) -> None:
    text = profile(1.04, 0.133391)
    assert old in text
    result = read(text.replace(old, new, 1), "x", None)
    assert result.readings == ()
    assert message in "; ".join(map(str, result.unread))


def test_two_reports_in_one_file(profile: Profile) -> None:
    assert "2 reports" in str(read(profile(1.0) + "\n" + profile(2.0), "x", None).unread[0])
