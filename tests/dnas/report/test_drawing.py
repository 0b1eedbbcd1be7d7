"""The drawing of an architecture: width is expansion, colour kernel, outline squeeze-excite, skip a line."""

from __future__ import annotations

import copy

import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from dnas import Architecture, SearchSpace
from dnas.report.drawing import architecture_drawing
from dnas.report.style import GREEN, ORANGE, PALE, SKY, new_figure
from dnas.space import zoo

KERNEL_COLOURS = {3: SKY, 5: ORANGE, 7: GREEN}


def boxes(axes):
    """{layer index: box} without those of stem and head."""
    found = [
        p for p in axes.patches if isinstance(p, Rectangle) and to_hex(p.get_facecolor()).upper() != PALE
    ]
    return {round(p.get_y() + p.get_height() / 2): p for p in found}


def has_outline(box):
    return to_hex(box.get_edgecolor()) == "#000000" and box.get_linewidth() >= 1.5


def texts(axes):
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("name", zoo.in_space("moga"))
def test_every_block_of_moga(name):
    architecture = zoo.load(name)
    axes = architecture_drawing(architecture, title=name).axes[0]
    drawn = boxes(axes)
    assert axes.get_title() == name and sorted(drawn) == list(range(len(architecture.space)))
    for index, choice in enumerate(architecture.choices):
        assert drawn[index].get_width() == pytest.approx(choice.options.expansion / 6)
        assert drawn[index].get_x() == pytest.approx(-choice.options.expansion / 12), "centred"
        assert to_hex(drawn[index].get_facecolor()).upper() == KERNEL_COLOURS[choice.options.kernel]
        assert has_outline(drawn[index]) == (choice.options.se > 0)


@pytest.mark.parametrize(
    "name", ["mobilenet_v3_large", "mobilenetv4_conv_medium", "resnet50", "fbnet_a", "fbnet_c"]
)
def test_networks_of_other_blocks(name):
    architecture = zoo.load(name)
    drawn = [index for index, choice in enumerate(architecture.choices) if not choice.skip]
    assert set(drawn) <= set(boxes(architecture_drawing(architecture).axes[0]))


def test_fbnet_with_skips_and_groups():
    space = SearchSpace.load("fbnet")
    names = ["skip", "skip", *["k3_e1_g2", "k5_e6"] * 10]
    axes = architecture_drawing(Architecture.from_names(names, space)).axes[0]
    drawn = boxes(axes)
    assert sorted(drawn) == list(range(2, 22))
    assert {i for i, box in drawn.items() if box.get_hatch()} == set(range(2, 22, 2))
    # L1 keeps its shape, L2 does not: its skip is a convolution.
    assert texts(axes).count("skip") == 1 and texts(axes).count("skip 1×1") == 1


def test_strides_and_channels_are_told():
    found = texts(architecture_drawing(zoo.load("moga_a")).axes[0])
    strides = [text for text in found if text.startswith("stride")]
    assert strides == [f"stride 2, {2 * s} → {s} px" for s in (56, 28, 14, 7)]
    assert {"224 → 112 px", "1000 classes", "16 → 24", "160 → 160"} <= set(found)


@pytest.mark.parametrize(
    ("space", "entries"),
    [
        ("moga", ["kernel 3×3", "kernel 5×5", "kernel 7×7", "squeeze-excite"]),
        ("fbnet", ["kernel 3×3", "kernel 5×5", "grouped convolutions", "skip"]),
    ],
)
def test_legend_explains_what_the_space_has(space, entries):
    space = SearchSpace.load(space)
    architecture = Architecture(space, (0,) * len(space))
    legend = architecture_drawing(architecture).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == entries
    assert "widest: 6" in legend.get_title().get_text()
    assert architecture_drawing(architecture, legend=False).axes[0].get_legend() is None


def test_draws_into_given_axes():
    figure = new_figure(5.6)
    left, right = figure.subplots(1, 2)
    assert architecture_drawing(zoo.load("moga_a"), left) is figure
    assert architecture_drawing(zoo.load("moga_b"), right) is figure
    assert len(figure.axes) == 2 and len(boxes(left)) == len(boxes(right)) == 14


def moga_with(kernels):
    definition = copy.deepcopy(SearchSpace.load("moga").to_dict())
    definition["name"] = "other"
    definition["choices"] = {f"k{k}": {"expansion": 2, "kernel": k} for k in kernels}
    return SearchSpace.from_dict(definition)


@pytest.mark.parametrize("kernels", [(1,), (1, 3, 5, 7, 9), (3, 11), (1, 3, 5, 7, 9, 11, 13, 15)])
def test_kernels_have_colours_of_their_own(kernels):
    space = moga_with(kernels)
    indices = tuple(layer % len(kernels) for layer in range(len(space)))
    drawn = boxes(architecture_drawing(Architecture(space, indices)).axes[0])
    colours = {to_hex(drawn[layer].get_facecolor()) for layer in range(len(kernels))}
    assert len(colours) == len(kernels)


def test_a_space_of_skips_only():
    definition = SearchSpace.load("fbnet").to_dict()
    definition.update(name="empty", choices={"skip": {"skip": True}})
    space = SearchSpace.from_dict(definition)
    assert boxes(architecture_drawing(Architecture(space, (0,) * len(space))).axes[0]) == {}


def test_narrow_axes_keep_their_width():
    figure = new_figure(5.6)
    for axes in figure.subplots(1, 6):
        architecture_drawing(zoo.load("moga_a"), axes, legend=False)
    figure.draw_without_rendering()
    assert all(axes.get_position().width > 0.7 / 6 for axes in figure.axes), (
        "texts do not squeeze the drawings"
    )
