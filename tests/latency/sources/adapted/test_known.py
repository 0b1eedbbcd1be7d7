"""What the tables of known phones say, by kind of kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnas.space import SearchSpace, zoo
from dnas.space.architecture import Architecture
from latency import TableError, load_table
from latency.sources.adapted.known import HEAD, STEM, KnownPhones
from latency.table.entry import Entry
from latency.table.table_file import write_file

MOGA = SearchSpace.load("moga")
TABLES = ("adreno640_tflite2.10", "mali_g76_tflite2.10")


@pytest.fixture(scope="module")
def known() -> KnownPhones:
    return KnownPhones.load(TABLES, MOGA)


def test_networks_have_the_milliseconds_of_the_tables(known: KnownPhones) -> None:
    """Of the space and of the zoo; the kinds of kernels and the overhead add up to the latency."""
    names = ("moga_a", "moga_c", "mobilenet_v2", "proxyless_gpu")
    networks = {name: zoo.load(name) for name in names}
    found = known.networks(networks)
    assert found.shape == (2, 4, len(known.kinds))
    for phone, table in enumerate(TABLES):
        expected = [load_table(table, network.space).latency_ms(network) for network in networks.values()]
        np.testing.assert_allclose(found[phone].sum(axis=1), expected)
        assert known.kinds[0] == "overhead"
        assert found[phone, :, 0] == pytest.approx(known.tables[phone].overhead_ms)


def test_blocks_stem_and_head_add_up_to_a_network(known: KnownPhones) -> None:
    network = zoo.load("moga_b")
    keys = [(layer.name, name) for layer, name in zip(MOGA.layers, str(network).split(), strict=True)]
    blocks = known.blocks([*keys, STEM, HEAD]).sum(axis=1) + known.overheads()[:, 0]
    np.testing.assert_allclose(blocks, known.networks({"b": network})[:, 0])


def test_deviations_are_those_of_the_tables(known: KnownPhones) -> None:
    found = known.block_deviations([("L2", "E6K7")])[:, 0]
    column = [choice.name for choice in MOGA.layers[1].choices].index("E6K7")
    expected = [table.ms[1, column] * table.relative_error[1, column] for table in known.tables]
    np.testing.assert_allclose(found, expected)


def test_a_table_without_kinds_makes_all_of_one_kind(
    tmp_path: Path, tiny: SearchSpace, header: dict[str, Any], entries: list[Entry]
) -> None:
    path = write_file(tmp_path / "one.csv", header, entries)
    known = KnownPhones.load([str(path)], tiny)
    assert not known.by_kind
    assert known.kinds == ("overhead", "block")
    network = Architecture(tiny, (1, 1))
    np.testing.assert_allclose(known.networks({"n": network}), [[[0.0625, 2 + 4 + 0.5 + 0.125]]])
    np.testing.assert_allclose(known.blocks([("L2", "large"), STEM]), [[[0.0, 4.0], [0.0, 0.5]]])


def test_the_same_table_twice() -> None:
    with pytest.raises(TableError, match=r"given twice: mali_g76_tflite2\.10, mali_g76_tflite2\.10"):
        KnownPhones.load(["mali_g76_tflite2.10"] * 2, MOGA)


def test_a_table_of_another_space(file: Path) -> None:
    with pytest.raises(TableError, match="the table is for 'tiny', the search uses 'moga'"):
        KnownPhones.load([TABLES[0], str(file)], MOGA)


def test_networks_that_the_tables_do_not_hold(file: Path, tiny: SearchSpace) -> None:
    known = KnownPhones.load([str(file)], tiny)
    networks = {"line 2": Architecture(tiny, (0, 0)), "moga_a": zoo.load("moga_a")}
    with pytest.raises(
        TableError,
        match=r"1 timed network\(s\) say nothing of tiny, or are not in.*\n  moga_a: not in .*tiny\.csv",
    ):
        known.networks(networks)


def test_networks_with_kernels_of_other_kinds(known: KnownPhones) -> None:
    networks = {name: zoo.load(name) for name in ("moga_a", "resnet50")}
    with pytest.raises(
        TableError, match=r"\n  resnet50: kinds of kernels that no block of moga has: window$"
    ):
        known.networks(networks)
