"""Readings find their blocks; what is missing or contradictory is named."""

from __future__ import annotations

from dnas.space import SearchSpace
from latency.sources.imported.reading import Reading
from latency.sources.imported.resolve import operations, resolve

ALL = {
    "L1_small": 1.0,
    "L1_large": 2.0,
    "L2_small": 3.0,
    "L2_large": 4.0,
    "stem": 0.5,
    "head": 0.25,
    "overhead": 0.1,
}


def readings(ms: dict[str, float]) -> list[Reading]:
    return [Reading(key, value, "x", line) for line, (key, value) in enumerate(ms.items(), start=1)]


def test_everything_by_name(tiny: SearchSpace) -> None:
    found = resolve(readings(ALL), tiny)
    assert found.problems == found.unread == found.unused == []
    assert {block: reading.ms for block, reading in found.blocks.items()} == {
        ("L1", "small"): 1.0,
        ("L1", "large"): 2.0,
        ("L2", "small"): 3.0,
        ("L2", "large"): 4.0,
    }
    assert {part: [reading.ms for reading in found.parts[part]] for part in found.parts} == {
        "stem": [0.5],
        "head": [0.25],
        "overhead": [0.1],
    }


def test_what_is_missing_is_named_at_once(tiny: SearchSpace) -> None:
    found = resolve(readings({"L1_large": 2.0}), tiny)
    assert found.problems == ["missing entries (3): L1 small; L2 small large"]
    assert found.parts == {"stem": (), "head": (), "overhead": ()}


def test_blocks_of_equal_geometry_share_a_reading() -> None:
    """Layers 7, 8 and 9 of moga are the same, 4 and 5 too, 13 and 14 too."""
    moga = SearchSpace.load("moga")
    found = resolve(readings({"L8_E6K5SE": 1.0, "L4_E3K3": 2.0}), moga)
    assert [block for block, reading in found.blocks.items() if reading.ms == 1.0] == [
        ("L7", "E6K5SE"),
        ("L8", "E6K5SE"),
        ("L9", "E6K5SE"),
    ]
    assert [block for block, reading in found.blocks.items() if reading.ms == 2.0] == [
        ("L4", "E3K3"),
        ("L5", "E3K3"),
    ]
    assert found.problems[0].startswith("missing entries (163): L1 E3K3 E3K5")


def test_a_block_keeps_its_own_reading_and_namesakes_must_agree() -> None:
    moga = SearchSpace.load("moga")
    found = resolve(readings({"L7_E3K3": 1.0, "L8_E3K3": 1.1}), moga)
    assert found.blocks["L7", "E3K3"].ms == 1.0
    assert found.blocks["L8", "E3K3"].ms == 1.1
    assert ("L9", "E3K3") not in found.blocks
    assert found.problems[0] == (
        "L9 E3K3: readings differ: 1 ms in L7_E3K3 (x:1), 1.1 ms in L8_E3K3 (x:2); keep one"
    )


def test_two_readings_of_a_block_must_agree(tiny: SearchSpace) -> None:
    same = resolve([*readings(ALL), Reading("L1_small", 1.0, "y", 9)], tiny)
    assert same.problems == []
    other = resolve([*readings(ALL), Reading("L1_small", 1.5, "y", 9)], tiny)
    assert other.problems == [
        "L1 small: readings differ: 1 ms in L1_small (x:1), 1.5 ms in L1_small (y:9); keep one"
    ]
    by_shape = "input_size=4,in_channels=4,hidden=4,stride=1"
    assert (
        "L1 small: readings differ"
        in resolve([*readings(ALL), Reading(by_shape, 9, "y", 1)], tiny).problems[0]
    )


def test_parts_must_agree_too(tiny: SearchSpace) -> None:
    found = resolve([*readings(ALL), Reading("stem", 0.7, "y", 9)], tiny)
    assert found.problems == ["stem: readings differ: 0.5 ms in stem (x:5), 0.7 ms in stem (y:9); keep one"]


def test_by_geometry(tiny: SearchSpace) -> None:
    found = resolve(readings({"stride=2,hidden=4": 3.0, "stride=2,hidden=8,squeezed=4": 4.0}), tiny)
    assert {block: reading.ms for block, reading in found.blocks.items()} == {
        ("L2", "small"): 3.0,
        ("L2", "large"): 4.0,
    }


def test_an_ambiguous_geometry_is_refused(tiny: SearchSpace) -> None:
    found = resolve(readings({"stride=2": 3.0}), tiny)
    assert (
        "stride=2 (x:1) does not say which it is: L2 small, L2 large; give more of the geometry"
        in found.problems[0]
    )


def test_keys_of_other_spaces_and_none(tiny: SearchSpace) -> None:
    found = resolve(
        readings({"L3_small": 1.0, "L1_medium": 1.0, "stride=2,hidden=5": 1.0, "mobilenet": 1.0}), tiny
    )
    assert [reading.key for reading in found.unused] == ["L3_small", "L1_medium", "stride=2,hidden=5"]
    assert [str(unread)[:27] for unread in found.unread] == ["x:4: 'mobilenet' is no key:"]


def test_a_part_is_the_sum_of_its_operations() -> None:
    fbnet = SearchSpace.load("fbnet")
    ops = {
        "ConvNorm_H7_W7_Cin352_Cout1984_kernel1_stride1_group1": 1.0,
        "AvgP_H7_W7_Cin1984_Cout1984_kernel7_stride1": 2.0,
        "FC_Cin1984_Cout1000": 3.0,
    }
    found = resolve(readings(ops), fbnet)
    assert [reading.ms for reading in found.parts["head"]] == [1.0, 2.0, 3.0]
    del ops["FC_Cin1984_Cout1000"]
    assert resolve(readings(ops), fbnet).parts["head"] == ()


def test_pooling_and_classifier_in_one() -> None:
    fbnet = SearchSpace.load("fbnet")
    ops = {"Conv_1-input:7x7x352-output:7x7x1984": 1.0, "Logits-input:7x7x1984-output:1000": 2.0}
    assert [reading.ms for reading in resolve(readings(ops), fbnet).parts["head"]] == [1.0, 2.0]
    moga = SearchSpace.load("moga")
    assert len(operations(moga, "head")) == 1  # another convolution stands between the two
