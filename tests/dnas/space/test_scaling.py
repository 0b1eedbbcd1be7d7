"""Members of a family: widths round as torchvision's, sizes follow, and what vanishes is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torchvision.models import mobilenet_v2
from torchvision.models._utils import _make_divisible

from dnas import costs
from dnas.blocks.widths import rounded
from dnas.nn.network import Network
from dnas.space import SearchSpace, SpaceError
from dnas.space.architecture import Architecture

Get = Callable[[str], SearchSpace]


@pytest.mark.parametrize("width", [0.1, 0.25, 0.35, 0.5, 0.65, 0.75, 1.25, 1.4, 2])
@pytest.mark.parametrize("divisor", [1, 4, 8, 16])
def test_widths_round_as_those_of_mobilenet(width: float, divisor: int) -> None:
    for channels in (*range(1, 200), 960, 1280, 1984):
        expected = _make_divisible(channels * width, divisor)
        assert rounded(channels * width, divisor) == expected
        assert expected >= max(divisor, 0.9 * channels * width)


@pytest.mark.parametrize("width", [0.35, 0.5, 0.75, 1.4])
def test_the_channels_of_a_mobilenet_v2_are_torchvisions(width: float) -> None:
    outs = [16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320]
    strides = [1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1]
    space = SearchSpace.from_dict(
        {
            "format": "dnas-space/1",
            "name": "mobilenet_v2",
            "resolution": 224,
            "num_classes": 1000,
            "stem": [{"type": "conv", "out": 32, "kernel": 3, "stride": 2, "activation": "relu6"}],
            "choices": {"E6K3": {"expansion": 6, "kernel": 3}},
            "layers": [
                {"out": out, "stride": stride, "activation": "relu6"}
                for out, stride in zip(outs, strides, strict=True)
            ],
            "head": [{"type": "conv", "out": 1280, "kernel": 1, "activation": "relu6"}, {"type": "pool"}],
        }
    )
    # torchvision widens the last convolution with the others, and never narrows it.
    member = space.scale(width=width, head=width > 1)
    reference = mobilenet_v2(width_mult=width)
    blocks = [block.out_channels for block in list(reference.features)[1:-1]]
    assert member.stem[0].out_channels == reference.features[0].out_channels
    assert [layer.out_channels for layer in member.layers] == blocks
    assert member.head[0].out_channels == reference.last_channel


def test_fbnet_96_035_has_exact_shapes_and_counts() -> None:
    space = SearchSpace.load("fbnet").scale(width=0.35, resolution=96)
    assert (space.name, space.resolution, space.num_classes) == ("fbnet_w0.35_96px", 96, 1000)
    assert space.definition["description"].endswith(
        "fbnet at width 0.35 (channels in multiples of 8) and 96 px"
    )
    assert space.stem[0].out_channels == 8 and space.head[0].out_channels == 696
    widths = [8] * 5 + [16] * 4 + [24] * 4 + [40] * 4 + [64] * 4 + [120]
    assert [layer.out_channels for layer in space.layers] == widths
    assert [layer.input_size for layer in space.layers[::4]] == [48, 24, 12, 6, 6, 3]
    assert space.size == 9**22 and space.num_choices == (9,) * 22
    table = costs.count(space)
    # Stem 3 > 8 with its norm, head 120 > 696 with its norm, classifier with bias; maps of 48^2, 3^2 and 1.
    assert table.fixed_params == (216 + 16) + (83_520 + 1_392) + 697_000
    assert table.fixed_madds == 216 * 48**2 + 83_520 * 3**2 + 696_000
    architecture = Architecture.random(space, np.random.default_rng(0))
    built = sum(weights.numel() for weights in Network(architecture).parameters())
    assert table.params_of(architecture) == built


def test_every_option_that_counts_channels_is_scaled(get_space: Get) -> None:
    definition = get_space("staged").to_dict()
    member = SearchSpace.from_dict(definition).scale(width=2.0, divisor=4)
    stages = [stage["out"] for stage in definition["stages"]]
    assert [stage["out"] for stage in member.definition["stages"]] == [2 * out for out in stages]
    assert member.definition["choices"] == definition["choices"], "ratios follow their layer"
    assert member.num_choices == get_space("staged").num_choices


def test_hidden_channels_are_scaled_and_rounded_alike() -> None:
    from dnas.space.scaling import scaled

    definition = SearchSpace.load("fbnet").to_dict() | {"divisor": 4}
    definition["choices"] = {"fixed": {"hidden": 72, "squeezed": 18, "kernel": 3}, "k3_e1": {"expansion": 1}}
    member = scaled(definition, width=0.35, resolution=None, divisor=None, head=True)
    # 25.2 and 6.3, to the space's own divisor; 4 would be less than 90 % of 6.3.
    assert member["choices"]["fixed"] == {"hidden": 24, "squeezed": 8, "kernel": 3}
    assert member["choices"]["k3_e1"] == {"expansion": 1}
    assert member["stem"][0]["out"] == 8 and member["layers"][13]["out"] == 40
    assert scaled(definition, width=0.35, resolution=None, divisor=8, head=True)["stem"][0]["out"] == 8


def test_a_head_may_keep_its_width() -> None:
    member = SearchSpace.load("moga").scale(width=0.5, head=False)
    assert [entry.out_channels for entry in member.head if entry.type == "conv"] == [960, 1280]
    assert "the head's kept" in member.definition["description"]
    scaled = SearchSpace.load("moga").scale(width=0.5)
    assert [entry.out_channels for entry in scaled.head if entry.type == "conv"] == [480, 640]


@pytest.mark.parametrize("name", ["moga", "fbnet", "motley", "staged"])
def test_the_member_with_a_space_s_own_factors_is_the_space(get_space: Get, name: str) -> None:
    space = get_space(name)
    assert space.scale() is space and space.scale(width=1, resolution=space.resolution) is space
    larger = space.scale(resolution=2 * space.resolution)
    assert larger.definition["choices"] == space.definition["choices"]
    assert larger.name == f"{name}_{2 * space.resolution}px" and larger != space
    assert larger.scale(resolution=space.resolution).layers == space.layers


@pytest.mark.parametrize(
    "factors",
    [
        {"width": 0.35, "resolution": 96},
        {"width": 1.25},
        {"resolution": 96},
        {"width": 0.5, "divisor": 4, "head": False},
    ],
)
def test_a_shipped_family_s_member_is_loaded_by_its_name(factors: dict[str, Any]) -> None:
    member = SearchSpace.load("fbnet").scale(**factors)
    assert SearchSpace.load(member.name) == member
    assert SearchSpace.load(member.name).definition == member.definition


@pytest.mark.parametrize(
    "name", ["fbnet_w", "fbnet_wx_96px", "fbnet_96", "fbnett_w0.5", "_w0.5", "fbnet_w1..5"]
)
def test_other_names_are_unknown(name: str) -> None:
    with pytest.raises(SpaceError, match="Unknown search space"):
        SearchSpace.load(name)


def test_a_named_member_that_cannot_be_built_says_why() -> None:
    with pytest.raises(SpaceError, match="fbnet cannot be scaled: resolution 16 vanishes"):
        SearchSpace.load("fbnet_w0.5_16px")


def test_a_member_is_no_subset_of_what_its_family_was_reduced_from() -> None:
    data = SearchSpace.load("moga").to_dict() | {"name": "half", "reduced_from": "moga"}
    space = SearchSpace.from_dict(data)
    assert space.scale(width=0.5).reduced_from is None and space.scale().reduced_from == "moga"
    assert SearchSpace.from_dict(space.scale(width=0.5).to_dict()) == space.scale(width=0.5)


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        ({"width": 0}, "width must be a number above 0, got 0"),
        ({"width": -0.5}, "width must be a number above 0, got -0.5"),
        ({"width": math.nan}, "width must be a number above 0, got nan"),
        ({"width": math.inf}, "width must be a number above 0, got inf"),
        ({"width": "0.5"}, "width must be a number above 0, got '0.5'"),
        ({"resolution": 0}, "resolution must be a whole number of at least 1, got 0"),
        ({"resolution": 96.0}, "resolution must be a whole number of at least 1, got 96.0"),
        ({"width": 0, "divisor": 0}, "got 0; divisor must be a whole number of at least 1, got 0"),
        ({"width": 0.03}, "width 0.03 leaves nothing of 16 channels; it must be at least 0.0625"),
        ({"resolution": 16}, r"resolution 16 vanishes: layers\[17\] has stride 2 .* at least 17"),
        ({"resolution": 3}, r"resolution 3 vanishes: layers\[5\] has stride 2 .* at least 17"),
    ],
)
def test_what_cannot_be_built_is_said_in_one_message(factors: dict[str, Any], said: str) -> None:
    with pytest.raises(SpaceError, match=f"The space fbnet cannot be scaled: .*{said}") as caught:
        SearchSpace.load("fbnet").scale(**factors)
    assert "\n" not in str(caught.value)


def test_the_smallest_width_and_resolution_that_are_named_can_be_built() -> None:
    space = SearchSpace.load("fbnet").scale(width=0.0625, resolution=17)
    assert {layer.out_channels for layer in space.layers} == {8, 16, 24}
    assert space.layers[17].input_size == 2


def test_groups_that_do_not_divide_scaled_channels_are_listed() -> None:
    with pytest.raises(SpaceError, match=r"problem.s. in the search space fbnet_w0\.35_div3:") as caught:
        SearchSpace.load("fbnet").scale(width=0.35, divisor=3)
    assert "layers[1]: k3_e1_g2 has 2 groups, which do not divide 9 channels" in str(caught.value)
