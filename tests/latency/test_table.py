"""The loaded table: sums by hand, gradients, extremes, and the refusals of the loader."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnas import zoo
from dnas.architecture import Architecture, ArchitectureError
from dnas.space import SearchSpace
from latency import LatencyTable, TableError, load_table, shipped_tables
from latency.entry import Entry
from latency.table_file import read_file, write_file

FIXED = 0.5 + 0.125 + 0.0625


@pytest.fixture
def table(file: Path, tiny: SearchSpace) -> LatencyTable:
    return load_table(file, tiny)


@pytest.fixture(scope="module")
def moga() -> LatencyTable:
    return load_table("adreno630_mace_calibrated", SearchSpace.load("moga"))


def test_arrays(table: LatencyTable) -> None:
    assert table.ms.tolist() == [[1.0, 2.0, 0.0], [0.25, 4.0, 0.0]]
    assert table.ms.dtype == np.float64
    assert table.relative_error.tolist() == [[0.01, 0.01, 0.01], [0.01, 0.01, 0.0]]
    assert table.fixed_ms == FIXED


@pytest.mark.parametrize(("names", "ms"), [("small small", 1.25), ("large large", 6.0), ("skip small", 0.25)])
def test_latency_of_one(table: LatencyTable, names: str, ms: float) -> None:
    found = table.latency_ms(Architecture.parse(names, table.space))
    assert isinstance(found, float)
    assert found == FIXED + ms


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_latency_of_many(table: LatencyTable, dtype: type, order: Any) -> None:
    genomes = np.array([[0, 0], [1, 1], [2, 0]], dtype=dtype, order=order)
    expected = [FIXED + 1.25, FIXED + 6.0, FIXED + 0.25]
    assert table.latency_ms(genomes).tolist() == expected
    assert table.latency_ms([Architecture(table.space, tuple(row)) for row in genomes]).tolist() == expected


def test_more_architectures_than_one_block_of_the_gather(moga: LatencyTable) -> None:
    genomes = np.random.default_rng(0).integers(0, 12, (40_000, 14))
    slow = moga.fixed_ms + moga.ms[np.arange(14), genomes].sum(axis=1)
    np.testing.assert_allclose(moga.latency_ms(genomes), slow, rtol=1e-12)


def test_no_architectures_give_no_latencies(table: LatencyTable) -> None:
    assert table.latency_ms(np.empty((0, 2), dtype=int)).shape == (0,)


@pytest.mark.parametrize(
    "genomes", [np.array([[0, 2]]), np.array([[-1, 0]]), np.zeros((1, 3), int), np.zeros((1, 2))]
)
def test_impossible_architectures_are_refused(table: LatencyTable, genomes: np.ndarray) -> None:
    with pytest.raises(ArchitectureError):
        table.latency_ms(genomes)


def test_architecture_of_another_space_is_refused(table: LatencyTable) -> None:
    with pytest.raises(ArchitectureError, match="moga"):
        table.latency_ms(zoo.load("moga_a"))


def test_expected_latency_and_its_gradient(table: LatencyTable) -> None:
    mask = torch.tensor([[0.5, 0.25, 0.25], [0.75, 0.25, 0.0]], dtype=torch.float64, requires_grad=True)
    expected = table.expected_ms(mask)
    expected.backward()
    assert expected.item() == FIXED + 0.5 + 0.5 + 0.1875 + 1.0
    assert mask.grad is not None
    assert mask.grad.tolist() == table.ms.tolist()


def test_expected_latency_of_a_one_hot_mask_is_the_latency(moga: LatencyTable) -> None:
    architecture = zoo.load("moga_b")
    mask = torch.nn.functional.one_hot(torch.tensor(architecture.indices), 12).double()
    assert moga.expected_ms(mask).item() == pytest.approx(moga.latency_ms(architecture), rel=1e-12)


def test_extremes(table: LatencyTable) -> None:
    assert str(table.cheapest()) == "skip small"
    assert str(table.dearest()) == "large large"


def test_extremes_bound_the_moga_space(moga: LatencyTable) -> None:
    genomes = np.random.default_rng(0).integers(0, 12, (10_000, 14))
    sampled = moga.latency_ms(genomes)
    assert (
        moga.latency_ms(moga.cheapest()) <= sampled.min() < sampled.max() <= moga.latency_ms(moga.dearest())
    )


def test_breakdown_adds_up(table: LatencyTable) -> None:
    architecture = Architecture.parse("large small", table.space)
    parts = table.breakdown(architecture)
    assert parts == [
        ("stem", "", 0.5),
        ("L1", "large", 2.0),
        ("L2", "small", 0.25),
        ("head", "", 0.125),
        ("overhead", "", 0.0625),
    ]
    assert sum(ms for _, _, ms in parts) == table.latency_ms(architecture)


def test_calibration_scales_the_parts_and_adds_the_offset(
    tmp_path: Path, header: dict[str, Any], entries: list[Entry], tiny: SearchSpace
) -> None:
    header["fixed"]["overhead_ms"] = 0.0
    header["calibration"] = {"offset_ms": 3.0, "slope": 2.0, "networks": 20, "mape": 0.03, "max_error": 0.06}
    table = load_table(write_file(tmp_path / "t.csv", header, entries), tiny)
    assert table.latency_ms(Architecture.parse("small large", tiny)) == 3.0 + 2.0 * (0.5 + 0.125 + 1.0 + 4.0)
    assert table.overhead_ms == 3.0


def test_table_cannot_be_changed(table: LatencyTable) -> None:
    with pytest.raises(ValueError, match="read-only"):
        table.ms[0, 0] = 0.0
    with pytest.raises(ValueError, match="read-only"):
        table.relative_error[0, 0] = 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        table.stem_ms = 0.0  # type: ignore[misc]


def test_repr_is_short(table: LatencyTable) -> None:
    assert (
        repr(table) == "LatencyTable('tiny_phone', measured, SearchSpace('tiny', 2 layers, 6 architectures))"
    )


def test_identity_follows_the_numbers(table: LatencyTable, tmp_path: Path, header: Any, entries: Any) -> None:
    assert table.identity() == {"name": "tiny_phone", "kind": "measured", "sha256": table.sha256}
    changed = [dataclasses.replace(entries[0], ms=1.5), *entries[1:]]
    assert load_table(write_file(tmp_path / "t.csv", header, changed), table.space).sha256 != table.sha256


@pytest.mark.parametrize("kind", ["measured", "assembled", "calibrated", "predicted"])
def test_only_measured_tables_are_called_measured(
    kind: str, tmp_path: Path, header: dict[str, Any], entries: list[Entry], tiny: SearchSpace
) -> None:
    header["kind"] = kind
    table = load_table(write_file(tmp_path / "t.csv", header, entries), tiny)
    assert table.is_measured == ("measured" in table.describe()) == (kind == "measured")
    assert kind in table.describe()


@pytest.mark.parametrize("name", shipped_tables())
def test_shipped_tables_load_for_the_space_they_name(name: str) -> None:
    table = load_table(name, SearchSpace.load(read_file(name).header["space"]))
    assert table.name == name
    assert (table.ms[table.space.valid] > 0).all()
    assert np.isfinite(table.relative_error).all()
    assert {"device", "runtime", "licence", "source"} <= set(table.provenance)


@pytest.mark.parametrize(("name", "ms"), [("moga_a", 10.95), ("moga_b", 9.88), ("moga_c", 8.85)])
def test_moga_networks_in_the_shipped_table(moga: LatencyTable, name: str, ms: float) -> None:
    assert moga.latency_ms(zoo.load(name)) == pytest.approx(ms, abs=0.01)
    assert not moga.is_measured


def test_one_error_names_everything(file: Path, tiny: SearchSpace) -> None:
    text = file.read_text().replace("# unit: ms", "# unit: s").replace("true,1.0,", "true,nan,")
    file.write_text(text.replace("L2,small,4,4,4,6", "L2,small,4,4,8,6").replace("L2,large", "L3,large"))
    with pytest.raises(TableError) as caught:
        load_table(file, tiny)
    for what in (
        "6 problem(s)",
        "unit: expected 'ms', found 's'",
        "sha256",
        "ms 'nan'",
        "missing entries (1): L2 large",
        "does not have (1): L3 large",
        "geometry of L2 small: hidden is 8, not 4",
        "docs/latency_tables.md",
    ):
        assert what in str(caught.value)
