"""Published latencies beside the table's."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dnas.space import SearchSpace
from latency import load_table
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.check import Comparison, compare, published_model
from latency.sources.calibrated.model import CalibratedModel


def rows(name: str, space: str) -> list[Comparison]:
    table = load_table(name, SearchSpace.load(space))
    model = published_model(table)
    assert model is not None
    return compare(table, model)


def test_the_papers_ranking() -> None:
    found = rows("adreno630_mace_calibrated", "moga")
    assert [row.name for row in found] == [
        "MoGA-A",
        "MoGA-B",
        "Proxyless GPU",
        "FairNAS-A",
        "MobileNetV3-Large",
        "MoGA-C",
        "Proxyless-R Mobile",
        "MobileNetV2",
    ]
    assert [row.published_ms for row in found] == [11.1, 10.0, 9.8, 9.7, 9.5, 8.8, 7.9, 7.0]
    assert all(abs(row.error) < 0.035 for row in found)


def test_every_row_carries_its_own_prediction_when_left_out() -> None:
    for row in rows("adreno630_mace_calibrated", "moga"):
        assert row.fitted.name == row.name
        assert row.fitted.timed_ms == row.published_ms
        assert abs(row.fitted.left_out_error) <= 0.0535


def test_table_and_model_agree_where_the_network_is_in_the_space() -> None:
    inside = [row for row in rows("adreno630_snpe_calibrated", "moga") if row.table_ms is not None]
    assert {row.name for row in inside} == {"MoGA-A", "MoGA-B", "MoGA-C"}
    assert all(row.table_ms == pytest.approx(row.model_ms, abs=1e-3) for row in inside)


def test_table_of_another_space_has_none_of_them() -> None:
    assert {row.table_ms for row in rows("adreno630_snpe_calibrated", "fbnet")} == {None}


def test_nothing_is_published_for_other_tables(file: Path, tiny: SearchSpace) -> None:
    assert published_model(load_table(file, tiny)) is None


def test_nothing_is_published_for_a_model_of_ones_own(tmp_path: Path) -> None:
    model_file = tmp_path / "model.yaml"
    data = {**CalibratedModel.load("adreno630_mace").provenance, "name": "mine"}
    model_file.write_text(yaml.safe_dump(data))
    space = SearchSpace.load("moga")
    path = build_calibrated(CalibratedModel.load(str(model_file)), space, tmp_path / "t.csv")
    assert published_model(load_table(path, space)) is None
