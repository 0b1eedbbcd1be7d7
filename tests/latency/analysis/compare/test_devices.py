"""Two devices on one space: rankings, positions of choices, kinds of kernels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from dnas.space import SearchSpace, zoo
from latency.analysis.compare.devices import (
    OUTSIDE,
    RANDOM_MEAN,
    assumptions,
    compare_devices,
    kernel_times,
    published_networks,
)
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel
from latency.table import LatencyTable, load_table
from latency.table.errors import TableError
from latency.table.table_file import read_file, write_file


@pytest.fixture(scope="module")
def moga() -> SearchSpace:
    return SearchSpace.load("moga")


@pytest.fixture(scope="module")
def phones(moga: SearchSpace, tmp_path_factory: pytest.TempPathFactory) -> list[LatencyTable]:
    folder = tmp_path_factory.mktemp("tables")
    return [
        load_table(build_calibrated(CalibratedModel.load(name), moga, folder / f"{name}.csv"), moga)
        for name in ("adreno630_mace", "adreno630_snpe")
    ]


@pytest.fixture
def tiny_pair(
    tiny: SearchSpace, file: Path, header: dict[str, Any], entries: list[Any]
) -> list[LatencyTable]:
    """The second device sees L2 the other way round, and has the same name as the first."""
    turned = {("L2", "small"): 8.0, ("L2", "large"): 1.0}
    other = [replace(entry, ms=turned.get((entry.layer, entry.choice), entry.ms)) for entry in entries]
    return [load_table(file, tiny), load_table(write_file(file.with_name("other.csv"), header, other), tiny)]


def test_tau_is_that_of_the_latencies(phones: list[LatencyTable]) -> None:
    found = compare_devices(phones, 300, np.random.default_rng(0))
    genomes = np.random.default_rng(0).integers(12, size=(300, 14))
    one, two = (table.latency_ms(genomes) for table in phones)
    np.testing.assert_array_equal(found.latency_ms, [one, two])
    assert found.tau[0, 1] == pytest.approx(stats.kendalltau(one, two).statistic)
    assert found.tau[0, 1] == pytest.approx(found.tau[1, 0])
    assert 0.7 < found.tau[0, 1] < 0.95 and found.tau[0, 0] == 1
    assert found.labels == ("adreno630_mace_calibrated", "adreno630_snpe_calibrated")


def test_positions_and_ranks_by_hand(tiny_pair: list[LatencyTable]) -> None:
    found = compare_devices(tiny_pair, 50, np.random.default_rng(0))
    np.testing.assert_allclose(found.position[0], [[1, 2, 0], [0.25 / 2.125, 4 / 2.125, np.nan]])
    np.testing.assert_allclose(found.position[1, 1, :2], [8 / 4.5, 1 / 4.5])
    np.testing.assert_allclose(found.spread[0], 0)
    np.testing.assert_allclose(found.spread[1], [8 / 4.5 - 0.25 / 2.125, 4 / 2.125 - 1 / 4.5, np.nan])
    np.testing.assert_array_equal(found.ranks[:, 0], [[2, 3, 1]] * 2)
    np.testing.assert_array_equal(found.ranks[:, 1], [[1, 2, np.nan], [2, 1, np.nan]])
    assert found.tau[0, 1] < 0


def test_equal_names_are_told_apart(tiny_pair: list[LatencyTable]) -> None:
    labels = compare_devices(tiny_pair, 10, np.random.default_rng(0)).labels
    assert labels == tuple(f"tiny_phone {table.sha256[:8]}" for table in tiny_pair)


def test_a_layer_without_latency_and_a_table_without_ranking(
    file: Path, header: dict[str, Any], entries: list[Any], tiny_pair: list[LatencyTable]
) -> None:
    definition = tiny_pair[0].space.to_dict()
    definition["layers"][0]["choices"] = ["skip"]
    definition["layers"][1]["choices"] = ["small"]
    space = SearchSpace.from_dict({**definition, "name": "single", "reduced_from": "tiny"})
    tables = [load_table(path, space) for path in (file, file.with_name("other.csv"))]
    found = compare_devices(tables, 20, np.random.default_rng(0))
    assert np.isnan(found.tau).all()
    np.testing.assert_array_equal(found.position, np.ones((2, 2, 1)))


def test_published_networks_of_a_space(moga: SearchSpace, tiny: SearchSpace) -> None:
    assert list(published_networks(moga)) == [name for name in zoo.names() if name.startswith("moga")]
    assert published_networks(tiny) == {}
    definition = {**moga.to_dict(), "name": "less", "reduced_from": "moga"}
    definition["layers"][0]["choices"] = ["E3K5", "E6K5"]
    less = published_networks(SearchSpace.from_dict(definition))
    assert set(less) == {"moga_a", "moga_a_figure", "moga_c"}
    assert less["moga_a"].names == zoo.load("moga_a").names and less["moga_a"].indices[0] == 1


def test_kinds_of_kernels_add_up_to_the_latency(phones: list[LatencyTable]) -> None:
    found = compare_devices(phones, 200, np.random.default_rng(0))
    for index, (label, table) in enumerate(zip(found.labels, phones, strict=True)):
        networks = found.kernels_ms[label]
        assert sum(networks["moga_a"].values()) == pytest.approx(
            table.latency_ms(zoo.load("moga_a")), rel=1e-3
        )
        assert sum(networks[RANDOM_MEAN].values()) == pytest.approx(
            found.latency_ms[index, :100].mean(), rel=1e-3
        )
        assert set(networks[OUTSIDE]) == set(networks["moga_a"])
    # As `latency check` has it: MobileNetV3-Large under MACE.
    assert sum(found.kernels_ms[found.labels[0]][OUTSIDE].values()) == pytest.approx(9.30, abs=0.01)
    assert "MobileNetV3" in assumptions(list(found.kernels_ms[found.labels[0]]))
    assert assumptions(["moga_a"]) == ""


def test_a_table_that_knows_no_kernels(tiny_pair: list[LatencyTable]) -> None:
    found = compare_devices(tiny_pair, 10, np.random.default_rng(0))
    assert [dict(networks) for networks in found.kernels_ms.values()] == [{}, {}]


def test_kernels_that_only_the_model_knows_are_not_the_tables(moga: SearchSpace, tmp_path: Path) -> None:
    shipped = read_file("adreno630_mace_calibrated", "moga")
    header = dict(shipped.header)
    header["fixed"] = {key: value for key, value in header["fixed"].items() if not key.endswith("_parts")}
    without = [replace(entry, parts={}) for entry in shipped.entries]
    table = load_table(write_file(tmp_path / "plain.csv", header, without), moga)
    assert table.provenance["model"] == "adreno630_mace"
    assert kernel_times(table, published_networks(moga), [zoo.load("moga_a")]) == {}


def test_everything_wrong_is_said_at_once(phones: list[LatencyTable], tiny_pair: list[LatencyTable]) -> None:
    generator = np.random.default_rng(0)
    with pytest.raises(TableError, match=r"two tables or more.*got 1; two networks or more.*got 1"):
        compare_devices(phones[:1], 1, generator)
    with pytest.raises(TableError, match=r"different spaces.*given twice: adreno630_mace_calibrated"):
        compare_devices([phones[0], tiny_pair[0], phones[0]], 10, generator)
