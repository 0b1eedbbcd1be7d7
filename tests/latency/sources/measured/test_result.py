"""Tables of devices whose networks are known functions of their parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency.sources.measured.plan import Plan, make_plan
from latency.sources.measured.result import conclude, table_header
from latency.sources.measured.visits import Estimate
from latency.table import load_table
from latency.table.entry import Geometry
from latency.table.errors import TableError
from latency.table.table_file import write_file

FIXED = {
    "empty": 0.25,
    "stem": 1.25,
    "head": 1.5,
}  # the stem behind the empty graph, the head behind a prefix
PREFIX_MS = 1.0


@pytest.fixture
def space(tiny: SearchSpace) -> SearchSpace:
    """Four layers, 54 networks."""
    definition = tiny.to_dict()
    same, changing = definition["layers"]
    return SearchSpace.from_dict(
        {**definition, "layers": [same, {**same, "activation": "hswish"}, same, changing]}
    )


@pytest.fixture
def facts(header: dict[str, Any]) -> dict[str, Any]:
    measured = {"kind", "unit", "space", "resolution", "batch", "error", "fixed", "calibration", "format"}
    return {key: value for key, value in header.items() if key not in measured}


def block_ms(plan: Plan) -> dict[str, float]:
    return {name: 1.0 + index**1.5 for index, name in enumerate(plan.blocks.values())}


def parts_ms(plan: Plan, arch: Architecture) -> float:
    """Stem, head and blocks, as :data:`FIXED` and :func:`block_ms` have them."""
    geometries = map(Geometry.of, plan.space.layers, arch.choices)
    return 1.0 + 0.5 + sum(block_ms(plan)[plan.blocks[g]] for g in geometries if not g.is_identity)


def estimates(plan: Plan, whole: Callable[[float], float]) -> dict[str, Estimate]:
    """``whole`` turns the sum of a network's parts into what the network takes."""
    ms = dict.fromkeys(plan.jobs, PREFIX_MS) | FIXED
    ms |= {name: PREFIX_MS + value for name, value in block_ms(plan).items()}
    ms |= {name: whole(parts_ms(plan, arch)) for name, arch in plan.networks.items()}
    return {name: Estimate(value, 0.1, value + 0.2, 8, 0.01 * value, True) for name, value in ms.items()}


def test_a_device_that_adds_up(space: SearchSpace, facts: dict[str, Any], tmp_path: Path) -> None:
    plan = make_plan(space, networks=20, seed=0)
    result = conclude(plan, estimates(plan, lambda ms: 0.25 + ms))
    assert result.line is None and result.final == result.plain and result.final is not None
    assert result.final.networks == 10 and result.final.kendall_tau == pytest.approx(1.0)
    assert result.final.max_error == pytest.approx(0.0, abs=1e-12)
    path = write_file(tmp_path / "t.csv", table_header(space, result, facts), result.entries)
    table = load_table(path, space)
    assert table.is_measured and table.provenance["calibration"] is None
    assert (table.stem_ms, table.head_ms, table.overhead_ms) == (1.0, 0.5, 0.25)
    for arch in plan.networks.values():
        assert table.latency_ms(arch) == pytest.approx(0.25 + parts_ms(plan, arch), abs=1e-5)


def test_a_calibrated_table_tells_whole_networks(
    space: SearchSpace, facts: dict[str, Any], tmp_path: Path
) -> None:
    plan = make_plan(space, networks=20, seed=0)
    result = conclude(plan, estimates(plan, lambda ms: 2.0 + 1.5 * ms))
    assert result.plain is not None and result.plain.mape > 0.2
    path = write_file(tmp_path / "t.csv", table_header(space, result, facts), result.entries)
    table = load_table(path, space)
    calibration = table.provenance["calibration"]
    assert (calibration["offset_ms"], calibration["slope"]) == (pytest.approx(2.0), pytest.approx(1.5))
    assert calibration["networks"] == 10 and calibration["mape"] == 0.0
    assert table.provenance["error"]["network_max"] == 0.0
    for row in result.compared:
        assert row.predicted_ms == pytest.approx(row.measured_ms)
        assert table.latency_ms(row.architecture) == pytest.approx(row.measured_ms, abs=1e-3)


def test_an_entry_is_a_block_without_its_prefix(space: SearchSpace) -> None:
    plan = make_plan(space, networks=0, seed=0)
    result = conclude(plan, estimates(plan, lambda ms: ms))
    entries = {(entry.layer, entry.choice): entry for entry in result.entries}
    assert len(entries) == 11
    small, large, skip = (entries["L1", name] for name in ("small", "large", "skip"))
    assert (small.ms, small.n, small.std, small.p90) == (1.0, 8, 0.1, pytest.approx(1.2))
    assert small.relative_error == pytest.approx((0.02**2 + 0.01**2) ** 0.5, abs=1e-4)
    assert large.relative_error == pytest.approx((0.03**2 + 0.01**2) ** 0.5 / 2, abs=1e-4)
    assert (skip.ms, skip.n, skip.relative_error) == (0.0, None, 0.0)
    # L1 and L3 are equal, L2 has another activation.
    assert entries["L3", "large"].ms == large.ms != entries["L2", "large"].ms


def test_without_networks_nothing_is_claimed(
    space: SearchSpace, facts: dict[str, Any], tmp_path: Path
) -> None:
    plan = make_plan(space, networks=0, seed=0)
    result = conclude(plan, estimates(plan, lambda ms: ms))
    path = write_file(tmp_path / "t.csv", table_header(space, result, facts), result.entries)
    error = load_table(path, space).provenance["error"]
    assert error["statement"].startswith("no whole network was measured") and "network_mean" not in error


def test_noise_larger_than_a_block_is_refused_naming_all(space: SearchSpace) -> None:
    plan = make_plan(space, networks=0, seed=0)
    found = estimates(plan, lambda ms: ms)
    found["L2_small"] = found["L4_large"] = found["before_4x4"]
    with pytest.raises(TableError, match=r"L2_small \(0\.000000 ms\), L4_large .*more --rounds"):
        conclude(plan, found)
