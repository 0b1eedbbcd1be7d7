"""Published latencies beside the table's."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnas.space import SearchSpace
from latency import TableError, load_table
from latency.build_calibrated import build_calibrated
from latency.calibrated import CalibratedModel
from latency.check import compare


def test_the_papers_ranking() -> None:
    rows = compare(load_table("adreno630_mace_calibrated", SearchSpace.load("moga")))
    assert [row.name for row in rows] == ["MoGA-A", "MoGA-B", "MobileNetV3-Large", "MoGA-C"]
    assert [row.published_ms for row in rows] == [11.1, 10.0, 9.5, 8.8]
    assert all(abs(row.error) < 0.025 for row in rows)


def test_table_and_model_agree_where_the_network_is_in_the_space() -> None:
    rows = compare(load_table("adreno630_mace_calibrated", SearchSpace.load("moga")))
    inside = {row.name: row.table_ms for row in rows}
    assert inside.pop("MobileNetV3-Large") is None
    assert all(row.table_ms == pytest.approx(row.model_ms, abs=1e-3) for row in rows if row.name in inside)


def test_table_of_another_space_has_none_of_them(tmp_path: Path) -> None:
    space = SearchSpace.load("fbnet")
    path = build_calibrated(CalibratedModel.load("adreno630_snpe"), space, tmp_path / "t.csv")
    assert {row.table_ms for row in compare(load_table(path, space))} == {None}


def test_table_without_a_model_is_refused(file: Path, tiny: SearchSpace) -> None:
    with pytest.raises(TableError, match=r"tiny_phone \(measured\) names no calibrated model"):
        compare(load_table(file, tiny))
