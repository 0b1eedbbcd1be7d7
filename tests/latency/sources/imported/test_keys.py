"""Keys of our own, of ProxylessNAS, Once-for-All and FBNet."""

from __future__ import annotations

import pytest

from dnas.space import Choice, Layer, SearchSpace
from latency.sources.imported.keys import BlockKey, NarrowKey, OpKey, PartKey, ShapeKey, parse_key
from latency.sources.imported.names import file_key
from latency.table.entry import Geometry

PROXYLESS = "expanded_conv-input:112x112x16-output:56x56x24-expand:6-kernel:5-stride:2-idskip:0"
ONCE_FOR_ALL = "expanded_conv-input:56x56x24-output:56x56x24-expand:72-kernel:3-stride:1-idskip:1"


def moga(layer: int, choice: str) -> Geometry:
    position = SearchSpace.load("moga").layers[layer - 1]
    return Geometry.of(position, next(option for option in position.choices if option.name == choice))


def matched(key: str, layer: int) -> list[str]:
    """Names of the choices of a layer of moga that a key matches."""
    shape = parse_key(key)
    assert isinstance(shape, ShapeKey)
    position = SearchSpace.load("moga").layers[layer - 1]
    return [choice.name for choice in position.choices if shape.matches(Geometry.of(position, choice))]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("logs/L3_E6K5SE.log", "L3_E6K5SE"),
        ("L3_E6K5SE.tflite.log", "L3_E6K5SE"),
        ("C:\\logs\\stem.txt", "stem"),
        ("L1_E2.5K3", "L1_E2.5K3"),
        ("blocks/L1_E2.5K3.param", "L1_E2.5K3"),
    ],
)
def test_the_key_in_a_file_name(name: str, key: str) -> None:
    assert file_key(name) == key


def test_names() -> None:
    assert parse_key("L12_k3_e1_g2") == BlockKey("L12", "k3_e1_g2")
    assert parse_key("overhead") == PartKey("overhead")


def test_proxylessnas_gives_the_ratio() -> None:
    assert matched(PROXYLESS, 1) == ["E6K5"]
    assert matched(PROXYLESS.replace("expand:6", "expand:3").replace("kernel:5", "kernel:7"), 1) == ["E3K7"]


def test_once_for_all_gives_the_hidden_channels() -> None:
    assert matched(f"{ONCE_FOR_ALL}-se:0-hs:0", 2) == ["E3K3"]
    assert matched(f"{ONCE_FOR_ALL}-se:0-hs:1", 2) == []  # layer 2 has ReLU


def test_the_shortcut_counts() -> None:
    assert matched(f"{ONCE_FOR_ALL.replace('idskip:1', 'idskip:0')}-se:0-hs:0", 2) == []


def test_squeeze_excite_matches_the_exact_quarter_and_that_rounded_to_eight() -> None:
    """Hidden 72: 18 in MoGA, 24 in Once-for-All (16 would lose more than a tenth)."""
    assert matched(f"{ONCE_FOR_ALL}-se:1-hs:0", 2) == ["E3K3SE"]
    shape = parse_key(f"{ONCE_FOR_ALL}-se:1-hs:0")
    assert isinstance(shape, ShapeKey)
    assert dict(shape.allowed)["squeezed"] == ("18", "24")


@pytest.mark.parametrize(
    ("idskip", "more", "op"),
    [
        (0, "", "separable"),
        (1, "", "separable with shortcut"),
        (1, "-se:1-hs:0", "separable with shortcut with squeeze-excite"),
    ],
)
def test_expansion_1_has_no_first_convolution_there(idskip: int, more: str, op: str) -> None:
    """An operation of a stem, or a block of ours that leaves the convolution out, too; no other block."""
    expand = 16 if more else 1
    key = parse_key(
        f"expanded_conv-input:112x112x16-output:112x112x16-expand:{expand}-kernel:3-stride:1-idskip:{idskip}{more}"
    )
    assert isinstance(key, NarrowKey)
    assert key.op == OpKey(op, 112, 16, 16, 3, 1)
    place = Layer(0, 16, 16, 1, 112, "relu", ())
    for always in (True, False):
        block = Choice.of("x", expansion=1, kernel=3, expand_always=always, residual=idskip == 1)
        assert key.shape.matches(Geometry.of(place, block)) == (not always and not more)


def test_a_block_without_expansion_is_none_of_fbnets() -> None:
    """FBNet's expansion 1 has its first convolution; MobileNetV2's and V3's have none."""
    key = parse_key("ConvBlock_H112_W112_Cin16_Cout16_exp1_kernel3_stride1_group1")
    place = Layer(0, 16, 16, 1, 112, "relu", ())
    with_, without = (
        Geometry.of(place, Choice.of("x", expansion=1, kernel=3, expand_always=always))
        for always in (True, False)
    )
    assert isinstance(key, ShapeKey) and key.matches(with_) and not key.matches(without)
    assert "expand" not in with_.facts and without.facts["expand"] == "false"


def test_fbnet() -> None:
    space = SearchSpace.load("fbnet")
    grouped = parse_key("ConvBlock_H112_W112_Cin16_Cout24_exp1_kernel5_stride2_group2")
    skip = parse_key("Skip_H112_W112_Cin16_Cout24_stride2")
    assert isinstance(grouped, ShapeKey)
    assert isinstance(skip, ShapeKey)
    names = {choice.name: Geometry.of(space.layers[1], choice) for choice in space.layers[1].choices}
    assert [name for name, geometry in names.items() if grouped.matches(geometry)] == ["k5_e1_g2"]
    assert [name for name, geometry in names.items() if skip.matches(geometry)] == ["skip"]
    assert parse_key("ConvNorm_H224_W224_Cin3_Cout16_kernel3_stride2_group1") == OpKey(
        "conv", 224, 3, 16, 3, 2
    )
    assert parse_key("AvgP_H7_W7_Cin1984_Cout1984_kernel7_stride1") == OpKey("pool", 7, 1984, 1984)
    assert parse_key("FC_Cin1984_Cout1000") == OpKey("linear", 1, 1984, 1000)


@pytest.mark.parametrize(
    ("key", "op"),
    [
        ("Conv-input:224x224x3-output:112x112x32", OpKey("conv", 224, 3, 32, 3, 2)),
        ("Conv_1-input:7x7x320-output:7x7x1280", OpKey("conv", 7, 320, 1280, 1, 1)),
        ("AvgPool2D-input:7x7x960-output:1x1x960", OpKey("pool", 7, 960, 960)),
        ("Conv_2-input:1x1x960-output:1x1x1280", OpKey("conv", 1, 960, 1280, 1, 1)),
        ("Logits-input:1x1x1280-output:1000", OpKey("linear", 1, 1280, 1000)),
        ("Logits-input:7x7x1280-output:1000", OpKey("pool+linear", 7, 1280, 1000)),
    ],
)
def test_fixed_operations(key: str, op: OpKey) -> None:
    assert parse_key(key) == op


def test_columns() -> None:
    key = parse_key(
        "input_size=56,in_channels=24,hidden=72,out_channels=24,kernel=3,residual=true,squeezed=0"
    )
    assert isinstance(key, ShapeKey)
    assert key.matches(moga(2, "E3K3"))
    assert not key.matches(moga(2, "E3K3SE"))
    assert not key.matches(moga(2, "E3K5"))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "is no key"),
        ("L0_E3K3", "is no key"),
        ("mobilenet_v2", "is no key"),
        ("L1_", "is no key"),
        (PROXYLESS.replace("112x112", "112x111"), "112x111 pixels is not square"),
        (
            PROXYLESS.replace("stride:2", "stride:1"),
            "stride 1 does not make a map of 56 pixels from one of 112",
        ),
        (PROXYLESS.replace("stride:2", "stride:0"), "stride 0 does not make"),
        (f"{PROXYLESS}-se:1", "is no key"),
        ("ConvNorm_H8_W8_Cin8_Cout8_kernel3_stride1_group8", "8 groups"),
        ("width=3", "width: no column"),
        ("kernel=3,kernel=5", "kernel: no column of a block's geometry, or given twice"),
        ("kernel=big", "'big' is not an integer"),
    ],
)
def test_what_is_no_key(key: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_key(key)
