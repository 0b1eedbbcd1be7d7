"""Several devices on the page: a matrix for every number, and what each device picks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dnas.compare.model import Comparison, Device, Devices, Pick, Table, Transfer
from dnas.compare.page import page

Make = Callable[..., Comparison]
EVIL = "<script>alert(1)</script>"


def make(comparison: Comparison, known: bool = True) -> Devices:
    point = comparison.methods[0].runs[0].members[0]
    picks = (Pick(0.6, point, (12.25, 34.5)),) if known else ()
    devices = tuple(
        Device(name, Table(name, "measured", "0" * 64, EVIL), (point,) if known else (), picks)
        for name in ("pixel4", "s10")
    )
    numbers = (3.25, 7.5, 0.875, 1, -0.25) if known else (None, None, None, 0, None)
    transfers = tuple(Transfer(a.name, b.name, *numbers) for a in devices for b in devices)
    return Devices("pixel4 loses.", 1234 if known else 0, (0.6,) if known else (), devices, transfers)


@pytest.fixture
def comparison(make_comparison: Make) -> Comparison:
    return make_comparison(methods=2, seeds=1, members=2)


def test_the_section_has_all_numbers(make_comparison: Make, comparison: Comparison) -> None:
    text = page(make_comparison(methods=2, seeds=1, members=2, devices=make(comparison)))
    section = text.partition('<section id="devices">')[2].partition("</section>")[0]
    for shown in (
        "pixel4 loses.",
        "1,234 networks",
        "3.2",
        "± 7.5",
        "87.5",
        "-0.25",
        "12.25",
        "34.50",
        "60.0 %",
    ):
        assert shown in section
    assert "latency table of s10" in text and EVIL not in text


def test_without_networks_there_are_dashes(make_comparison: Make, comparison: Comparison) -> None:
    text = page(make_comparison(methods=2, seeds=1, members=2, devices=make(comparison, known=False)))
    section = text.partition('<section id="devices">')[2].partition("</section>")[0]
    assert section.count(">–</td>") == 3 * 4 and "Fastest networks" not in section


def test_without_devices_there_is_no_section(comparison: Comparison) -> None:
    assert 'id="devices"' not in page(comparison)
