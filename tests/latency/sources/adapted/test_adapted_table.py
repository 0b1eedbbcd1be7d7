"""The file of an adapted table: what it says of itself, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnas.space import SearchSpace
from latency import LatencyTable, TableError, load_table
from latency.sources.adapted.adaptation import Adaptation, adaptation
from latency.sources.adapted.adapted_table import write_table
from latency.sources.adapted.known import KnownPhones
from latency.sources.adapted.timings import Timing
from latency.table.entry import Entry
from latency.table.table_file import write_file

MOGA = SearchSpace.load("moga")
TABLES = ("adreno640_tflite2.10", "mali_g76_tflite2.10")
FACTS = {"name": "new_phone", "date": "2026-01-31", "source": "timed by hand", "device": "Phone 1"}
Make = Callable[..., list[Timing]]


@pytest.fixture
def adapted(timings: Make) -> Adaptation:
    return adaptation(KnownPhones.load(TABLES, MOGA), timings("powervr_ge8320_tflite2.10", MOGA))


def written(tmp_path: Path, adapted: Adaptation, **facts: str) -> LatencyTable:
    return load_table(
        write_table(tmp_path / "new.csv", adapted, {**FACTS, **facts}, "adapt"), adapted.known.space
    )


def test_it_is_predicted_and_says_from_what(tmp_path: Path, adapted: Adaptation) -> None:
    table = written(tmp_path, adapted)
    assert (table.kind, {*table.sources[MOGA.valid]}) == ("predicted", {"predicted"})
    assert not table.is_measured
    facts = table.provenance
    assert facts["device"] == "Phone 1"
    assert facts["runtime"] == "unknown"
    assert facts["source"].startswith(
        "timings: timed by hand; known phones: adreno640_tflite2.10 (assembled, "
    )
    for known in adapted.known.tables:
        assert f"{known.name} ({known.kind}, sha256 {known.sha256[:12]})" in facts["source"]
    assert facts["source"].count("EdgeSys 2024") == 1
    assert "of the timings: unknown; of the known phones: MIT" in facts["licence"]
    assert "no block was ever timed on this phone" in facts["error"]["statement"]
    assert facts["validation"]["figures"][0]["n"] == 12


def test_networks_have_the_latency_and_the_interval_of_the_model(tmp_path: Path, adapted: Adaptation) -> None:
    table = written(tmp_path, adapted)
    networks = {timing.name: timing.architecture for timing in adapted.timings}
    expected = adapted.model.latency_ms(adapted.known.networks(networks))
    np.testing.assert_allclose(table.latency_ms(networks.values()), expected, rtol=2e-3)
    low, high = table.latency_interval(networks.values(), level=0.9)
    mean_error = adapted.left_out.sigma / np.sqrt(np.pi / 2)
    assert table.provenance["error"]["network_mean"] == pytest.approx(mean_error, abs=5e-4)
    # That of networks, or more: the header rounds it.
    assert ((high - low) / 2 >= 0.98 * 1.645 * adapted.left_out.sigma * expected).all()
    assert ((low < expected) & (expected < high)).all()
    shares = table.kernel_shares(adapted.timings[0].architecture)
    assert {*shares} == {*adapted.known.kinds}


def test_equal_input_gives_an_equal_file(tmp_path: Path, adapted: Adaptation) -> None:
    first, second = (write_table(tmp_path / name, adapted, FACTS, "adapt") for name in ("a.csv", "b.csv"))
    assert first.read_bytes() == second.read_bytes()


def test_facts_that_a_header_cannot_hold_write_nothing(tmp_path: Path, adapted: Adaptation) -> None:
    with pytest.raises(TableError, match="precision"):
        written(tmp_path, adapted, precision="fp17")
    assert not (tmp_path / "new.csv").exists()


def weak_spots(table: LatencyTable) -> str:
    return "\n".join(table.provenance["validation"].get("weak_spots", []))


def test_weak_spots_of_one_table_without_kinds(
    tmp_path: Path, tiny: SearchSpace, header: dict[str, Any], entries: list[Entry], timings: Make
) -> None:
    header["fixed"]["overhead_ms"] = 0.0
    path = write_file(tmp_path / "tiny.csv", header, entries)
    found = adaptation(KnownPhones.load([str(path)], tiny), timings(str(path), tiny, number=20)[:6])
    spots = weak_spots(written(tmp_path, found))
    for text in ("one known phone: ", "one factor for all of them", "no table states an overhead"):
        assert text in spots


def test_weak_spots_of_other_runtimes_and_of_timings_that_do_not_fit(tmp_path: Path, timings: Make) -> None:
    networks = timings("powervr_ge8320_tflite2.10", MOGA)
    generator = np.random.default_rng(0)
    wild = [
        Timing(timing.name, timing.architecture, float(timing.latency_ms * generator.uniform(0.3, 3)))
        for timing in networks
    ]
    known = KnownPhones.load([TABLES[0], "adreno630_mace_calibrated"], MOGA)
    spots = weak_spots(written(tmp_path, adaptation(known, wild)))
    assert "the known phones differ in runtime: TensorFlow Lite, MACE" in spots
    assert "explain these timings badly" in spots
    assert "badly" not in weak_spots(written(tmp_path, adaptation(known, networks)))
