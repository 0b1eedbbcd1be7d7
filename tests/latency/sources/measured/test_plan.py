"""Which graphs a space needs."""

from __future__ import annotations

from dnas.space import SearchSpace
from latency.sources.measured.plan import draw_networks, make_plan
from latency.table.entry import Geometry


def test_equal_blocks_are_timed_once() -> None:
    """L4 = L5, L7 = L8 = L9 and L13 = L14: ten different layers of twelve choices."""
    space = SearchSpace.load("moga")
    plan = make_plan(space, networks=3, seed=0)
    assert len(plan.blocks) == len({*plan.blocks.values()}) == 120
    for layer in (7, 8):
        geometry = Geometry.of(space.layers[layer], space.layers[layer].choices[0])
        assert plan.blocks[geometry] == "L7_E3K3"
    prefixes = {f"before_{layer.in_channels}x{layer.input_size}" for layer in space.layers} | {"before_160x7"}
    networks = {"network_00", "network_01", "network_02"}
    assert {*plan.jobs} == {"empty", "stem", "head", *prefixes, *networks, *plan.blocks.values()}


def test_what_is_taken_off(tiny: SearchSpace) -> None:
    plan = make_plan(tiny, networks=0, seed=0)
    assert plan.before == {
        "stem": "empty",
        "head": "before_6x2",
        "L1_small": "before_4x4",
        "L1_large": "before_4x4",
        "L2_small": "before_4x4",
        "L2_large": "before_4x4",
    }
    assert all(plan.jobs[name].shape == plan.jobs[before].shape for name, before in plan.before.items())


def test_a_skip_that_keeps_its_shape_is_not_timed(tiny: SearchSpace) -> None:
    plan = make_plan(tiny, networks=0, seed=0)
    assert "L1_skip" not in plan.jobs and plan.reference in plan.blocks.values()


def test_a_skip_that_changes_its_shape_is_timed() -> None:
    space = SearchSpace.load("fbnet")
    plan = make_plan(space, networks=0, seed=0)
    changing = [layer.name for layer in space.layers if not layer.keeps_shape]
    timed = {name for name in plan.jobs if name.endswith("_skip")}
    assert timed and timed <= {f"{name}_skip" for name in changing}


def test_networks_differ_and_more_begin_with_the_same() -> None:
    space = SearchSpace.load("moga")
    few, many = draw_networks(space, 5, seed=1), draw_networks(space, 9, seed=1)
    assert len({*many.values()}) == 9
    assert {name: many[name] for name in few} == few
    assert draw_networks(space, 5, seed=2) != few


def test_a_small_space_gives_all_its_networks(tiny: SearchSpace) -> None:
    assert len(draw_networks(tiny, 40, seed=0)) == tiny.size == 6
