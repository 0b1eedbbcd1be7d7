"""The matrix of devices as a figure: readable numbers, and blanks where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnas.compare.devices_figure import devices_figure
from dnas.compare.model import Device, Devices, Table, Transfer
from dnas.report.style import save_figure

TABLE = Table("t", "measured", "0" * 64, "a phone")


def make(names: list[str], extra: float | None, kept: float | None = 0.5) -> Devices:
    devices = tuple(Device(name, TABLE, (), ()) for name in names)
    transfers = tuple(
        Transfer(a, b, extra, None if extra is None else 4.0, kept, 0, None) for a in names for b in names
    )
    return Devices("", 1, (0.5,), devices, transfers)


@pytest.mark.parametrize("names", [["a", "b"], [f"{'long' * 10}{index}" for index in range(8)]])
@pytest.mark.parametrize("extra", [0.0, 123.4])
def test_every_cell_has_its_numbers(names: list[str], extra: float, tmp_path: Path) -> None:
    figure = devices_figure(make(names, extra))
    left, right = ([text.get_text() for text in axes.texts] for axes in figure.axes)
    assert left == [f"{extra:.1f}\n±4.0"] * len(names) ** 2 and right == ["50.0"] * len(names) ** 2
    assert all(len(label.get_text()) <= 26 for label in figure.axes[0].get_xticklabels())
    assert all(path.stat().st_size for path in save_figure(figure, tmp_path / "devices", ("png", "svg")))


def test_what_is_not_known_stays_blank(tmp_path: Path) -> None:
    figure = devices_figure(make(["a", "b"], None, None))
    assert {text.get_text() for axes in figure.axes for text in axes.texts} == {""}
    assert save_figure(figure, tmp_path / "devices")
