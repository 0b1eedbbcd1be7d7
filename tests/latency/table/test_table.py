"""The loaded table: sums by hand, gradients, extremes, and the refusals of the loader."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnas.space import SearchSpace, zoo
from dnas.space.architecture import Architecture, ArchitectureError
from latency import LatencyTable, TableError, load_table
from latency.table.entry import Entry
from latency.table.table_file import shipped_files, write_file

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
        ("stem", "", 0.5, {}),
        ("L1", "large", 2.0, {}),
        ("L2", "small", 0.25, {}),
        ("head", "", 0.125, {}),
        ("overhead", "", 0.0625, {}),
    ]
    assert sum(part.ms for part in parts) == table.latency_ms(architecture)
    assert table.kernel_shares(architecture) == {}


@pytest.fixture
def split_file(tmp_path: Path, header: dict[str, Any], entries: list[Entry]) -> Path:
    """Stem and three entries know their kernel kinds, head and the others do not; parts are rounded."""
    kinds = {
        ("L1", "small"): {"conv": 0.75, "pool": 0.2499},
        ("L1", "large"): {"conv": 1.5, "add": 0.5},
        ("L2", "small"): {"conv": 0.25},
    }
    header["fixed"]["stem_parts"] = {"conv": 0.4, "relu": 0.1}
    rows = [dataclasses.replace(entry, parts=kinds.get((entry.layer, entry.choice), {})) for entry in entries]
    return write_file(tmp_path / "split.csv", header, rows)


def test_kernel_kinds_add_up_exactly(split_file: Path, tiny: SearchSpace) -> None:
    table = load_table(split_file, tiny)
    architecture = Architecture.parse("small small", tiny)
    for part in table.breakdown(architecture):
        assert not part.kinds or sum(part.kinds.values()) == pytest.approx(part.ms, rel=1e-12)
    shares = table.kernel_shares(architecture)
    assert sum(shares.values()) == pytest.approx(table.latency_ms(architecture), rel=1e-12)
    assert shares == pytest.approx(
        {
            "conv": 0.4 + 0.75 / 0.9999 + 0.25,
            "relu": 0.1,
            "pool": 0.2499 / 0.9999,
            "unknown": 0.125,
            "overhead": 0.0625,
        }
    )


def test_a_block_of_unknown_kinds_is_counted_as_such(split_file: Path, tiny: SearchSpace) -> None:
    shares = load_table(split_file, tiny).kernel_shares(Architecture.parse("large large", tiny))
    assert shares == pytest.approx(
        {"conv": 1.9, "add": 0.5, "relu": 0.1, "unknown": 4.125, "overhead": 0.0625}
    )


def test_a_skip_has_no_kernels(split_file: Path, tiny: SearchSpace) -> None:
    shares = load_table(split_file, tiny).kernel_shares(Architecture.parse("skip small", tiny))
    assert shares == pytest.approx({"conv": 0.65, "relu": 0.1, "unknown": 0.125, "overhead": 0.0625})


def interval_table(
    tmp_path: Path, header: Any, entries: list[Entry], space: Any, **error: float
) -> LatencyTable:
    header["error"] = {"statement": "x", **error}
    rows = [dataclasses.replace(entry, relative_error=0.25) for entry in entries]
    return load_table(write_file(tmp_path / "interval.csv", header, rows), space)


def test_interval_of_independent_errors_by_hand(tmp_path: Path, header: Any, entries: Any, tiny: Any) -> None:
    """Standard deviations of 0.25 and 1.0 ms; 90 % of a normal lie within 1.6449 of them."""
    table = interval_table(tmp_path, header, entries, tiny)
    architecture = Architecture.parse("small large", tiny)
    reach = 1.6448536 * np.hypot(0.25, 1.0)
    assert table.latency_interval(architecture) == pytest.approx((FIXED + 5.0 - reach, FIXED + 5.0 + reach))
    assert all(isinstance(ms, float) for ms in table.latency_interval(architecture))


def test_interval_is_no_narrower_than_the_error_of_networks(
    tmp_path: Path, header: Any, entries: Any, tiny: Any
) -> None:
    """A mean absolute error of 40 % is a standard deviation of 0.4 * sqrt(pi / 2) of the whole network."""
    table = interval_table(tmp_path, header, entries, tiny, network_mean=0.4)
    ms = FIXED + 1.25
    reach = 0.6744898 * 0.4 * np.sqrt(np.pi / 2) * ms
    found = table.latency_interval(Architecture.parse("small small", tiny), level=0.5)
    assert found == pytest.approx((ms - reach, ms + reach))


def test_interval_of_many_is_that_of_each(tmp_path: Path, header: Any, entries: Any, tiny: Any) -> None:
    table = interval_table(tmp_path, header, entries, tiny, network_mean=0.1)
    genomes = np.array([[0, 0], [1, 1], [2, 0]], dtype=np.uint8, order="F")
    low, high = table.latency_interval(genomes, 0.99)
    assert low.shape == high.shape == (3,)
    each = [table.latency_interval(Architecture(tiny, tuple(row)), 0.99) for row in genomes]
    assert list(zip(low, high, strict=True)) == each
    assert [bound.shape for bound in table.latency_interval(np.empty((0, 2), int))] == [(0,), (0,)]


def test_interval_holds_the_truth_as_often_as_it_says(
    tmp_path: Path, header: Any, entries: Any, tiny: Any
) -> None:
    table = interval_table(tmp_path, header, entries, tiny)
    generator = np.random.default_rng(0)
    truth = FIXED + generator.normal(1.0, 0.25, 20_000) + generator.normal(4.0, 1.0, 20_000)
    low, high = table.latency_interval(Architecture.parse("small large", tiny), level=0.8)
    assert np.mean((low < truth) & (truth < high)) == pytest.approx(0.8, abs=0.01)


def test_interval_does_not_reach_below_zero(tmp_path: Path, header: Any, entries: Any, tiny: Any) -> None:
    table = interval_table(tmp_path, header, entries, tiny, network_mean=3.0)
    low, high = table.latency_interval(Architecture.parse("small small", tiny), level=1 - 1e-16)
    assert low == 0.0
    assert np.isfinite(high)


@pytest.mark.parametrize("level", [0, 1, -0.5, 90, float("nan")])
def test_impossible_levels_are_refused(table: LatencyTable, level: float) -> None:
    with pytest.raises(TableError, match=r"between 0 and 1, as 0\.9; got"):
        table.latency_interval(Architecture.parse("small small", table.space), level)


def test_coverage_by_hand(tmp_path: Path, header: Any, entries: list[Entry], tiny: SearchSpace) -> None:
    """The mean network: (1 + 2 + 0) / 3 + (0.25 + 4) / 2 + fixed part; the dearest entry is predicted."""
    header["kind"] = "assembled"
    rows = [*entries[:4], dataclasses.replace(entries[4], source="predicted")]
    coverage = load_table(write_file(tmp_path / "t.csv", header, rows), tiny).coverage()
    mean = 1.0 + 2.125 + FIXED
    assert coverage.entries == {"measured": 4, "predicted": 1}
    assert coverage.mean_ms == mean
    assert coverage.share == pytest.approx(
        {"measured": 1.125 / mean, "predicted": 2.0 / mean, "fixed part": FIXED / mean}
    )
    assert str(coverage) == (
        "entries: 4 measured, 1 predicted; milliseconds of the mean network (3.81): "
        "29.5% measured, 52.5% predicted, 18.0% fixed part"
    )


def test_calibration_scales_the_parts_and_adds_the_offset(
    tmp_path: Path, header: dict[str, Any], entries: list[Entry], tiny: SearchSpace
) -> None:
    header["fixed"]["overhead_ms"] = 0.0
    header["calibration"] = {"offset_ms": 3.0, "slope": 2.0, "networks": 20, "mape": 0.03, "max_error": 0.06}
    table = load_table(write_file(tmp_path / "t.csv", header, entries), tiny)
    assert table.latency_ms(Architecture.parse("small large", tiny)) == 3.0 + 2.0 * (0.5 + 0.125 + 1.0 + 4.0)
    assert table.overhead_ms == 3.0


def test_calibration_scales_the_kernel_kinds(
    tmp_path: Path, header: dict[str, Any], entries: list[Entry], tiny: SearchSpace
) -> None:
    header["fixed"] |= {"overhead_ms": 0.0, "head_parts": {"pool": 0.125}}
    header["calibration"] = {"offset_ms": 3.0, "slope": 2.0, "networks": 20, "mape": 0.03, "max_error": 0.06}
    rows = [dataclasses.replace(entries[0], parts={"conv": 1.0}), *entries[1:]]
    table = load_table(write_file(tmp_path / "t.csv", header, rows), tiny)
    shares = table.kernel_shares(Architecture.parse("small small", tiny))
    assert shares == {"unknown": 1.5, "conv": 2.0, "pool": 0.25, "overhead": 3.0}


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


@pytest.mark.parametrize(("name", "space"), shipped_files())
def test_shipped_tables_load_for_the_space_they_name(name: str, space: str) -> None:
    table = load_table(name, SearchSpace.load(space))
    assert table.name == name
    for decision in table.space.decisions:
        layer = decision.layers[0]
        for blocks, ms in zip(decision.blocks, table.ms[decision.index], strict=False):
            assert ms > 0 or (blocks[0].skip and layer.keeps_shape and ms == 0)
    assert np.isfinite(table.relative_error).all()
    assert {"device", "runtime", "licence", "source"} <= set(table.provenance)


@pytest.mark.parametrize(("name", "ms"), [("moga_a", 10.95), ("moga_b", 9.88), ("moga_c", 8.85)])
def test_moga_networks_in_the_shipped_table(moga: LatencyTable, name: str, ms: float) -> None:
    assert moga.latency_ms(zoo.load(name)) == pytest.approx(ms, abs=0.01)
    assert not moga.is_measured


def test_one_error_names_everything(file: Path, tiny: SearchSpace) -> None:
    text = file.read_text().replace("# unit: ms", "# unit: s")
    text = re.sub(r"(?m)^(L1,small,.*),1\.0,5,", r"\1,nan,5,", text)
    text = re.sub(r"(?m)^(L2,small,.*;?hidden)=4;", r"\1=8;", text).replace("L2,large", "L3,large")
    file.write_text(text)
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
