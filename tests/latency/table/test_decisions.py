"""Tables of spaces in which layers share decisions: rows of a file by layer, rows of an array by decision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import LatencyTable, load_table
from latency.analysis.profile.variance import variance_shares
from latency.table.table_file import TableFile, read_file, write_file

STAGED = {
    "format": "dnas-space/2",
    "name": "staged",
    "resolution": 32,
    "num_classes": 10,
    "stem": [{"type": "conv", "out": 8, "kernel": 3, "stride": 2, "activation": "relu"}],
    "choices": {"k3": {"expansion": 2, "kernel": 3}, "k5": {"expansion": 3, "kernel": 5}},
    "stages": [
        {"out": 8, "stride": 1, "activation": "relu", "repeat": 2, "shared": True},
        {"out": 12, "stride": 2, "activation": "relu", "repeat": 3, "shared": True, "optional": 2},
        {"out": 12, "stride": 1, "activation": "relu", "optional": 1},
    ],
    "head": [{"type": "pool"}],
}
SPACE = SearchSpace.from_dict(STAGED)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> TableFile:
    """By the shipped three-parameter model, with other sources and errors in some rows."""
    from latency.sources.calibrated.calibrated_table import build_calibrated
    from latency.sources.calibrated.model import CalibratedModel

    path = tmp_path_factory.mktemp("table") / "staged.csv"
    return read_file(build_calibrated(CalibratedModel.load("adreno630_mace"), SPACE, path))


@pytest.fixture(scope="module")
def table(file: TableFile, tmp_path_factory: pytest.TempPathFactory) -> LatencyTable:
    from dataclasses import replace

    entries = [
        replace(entry, source="measured" if other else entry.source, relative_error=0.1)
        for entry in file.entries
        for other in [entry.layer == "L1" or entry.choice == "skip"]
    ]
    path = tmp_path_factory.mktemp("table") / "mixed.csv"
    return load_table(write_file(path, file.header, entries), SPACE)


def everyone() -> list[Architecture]:
    genomes = np.indices(SPACE.num_choices).reshape(len(SPACE), -1).T
    return [Architecture(SPACE, tuple(genome)) for genome in genomes.tolist()]


def test_a_row_is_the_sum_of_the_layers_that_it_governs(file: TableFile, table: LatencyTable) -> None:
    ms = {(entry.layer, entry.choice): entry.ms for entry in file.entries}
    assert table.ms.shape == (3, 6)
    for arch in everyone():
        pairs = zip(SPACE.layers, arch.choices, strict=True)
        expected = table.fixed_ms + sum(ms[layer.name, choice.name] for layer, choice in pairs)
        assert table.latency_ms(arch) == pytest.approx(expected, rel=1e-12)
        assert sum(part.ms for part in table.breakdown(arch)) == pytest.approx(expected, rel=1e-12)


def test_errors_of_layers_are_independent(file: TableFile, table: LatencyTable) -> None:
    one, other = (entry.ms for entry in file.entries if entry.choice == "k3" and entry.layer in {"L1", "L2"})
    expected = 0.1 * np.hypot(one, other) / (one + other)
    assert table.relative_error[0, 0] == pytest.approx(expected)


def test_sources_of_layers_that_differ_are_mixed_and_skips_do_not_count(table: LatencyTable) -> None:
    assert table.sources[0, :2].tolist() == ["mixed", "mixed"]
    assert table.sources[1].tolist() == ["calibrated"] * 6
    assert table.sources[2, :3].tolist() == ["calibrated", "calibrated", "measured"]


def test_a_network_is_accounted_for_by_decisions(table: LatencyTable) -> None:
    parts = table.breakdown(Architecture.parse("k3 k5x2 skip", SPACE))
    named = [(part.part, part.choice) for part in parts[1:4]]
    assert named == [("L1-L2", "k3"), ("L3-L5", "k5x2"), ("L6", "skip")]


def test_the_number_of_layers_is_an_attribute_of_its_own(table: LatencyTable) -> None:
    shares = variance_shares(table)
    assert "depth" in shares.parts
    assert shares.total_ms2 == pytest.approx(np.var([table.latency_ms(arch) for arch in everyone()]))
    assert shares.parts["depth"] > shares.parts["skip"] > 0


def test_a_table_that_lacks_a_row_of_one_layer_is_refused(file: TableFile, tmp_path: Path) -> None:
    lacking = [entry for entry in file.entries if (entry.layer, entry.choice) != ("L4", "skip")]
    path = write_file(tmp_path / "lacking.csv", file.header, lacking)
    with pytest.raises(ValueError, match=r"missing entries \(1\): L4 skip"):
        load_table(path, SPACE)
