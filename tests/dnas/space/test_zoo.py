"""Every published architecture that ships loads, and counts what its paper and its reference say."""

from __future__ import annotations

import pytest

from dnas.costs import count
from dnas.space import SearchSpace, SpaceError, shipped_spaces, zoo
from dnas.space.architecture import Architecture, ArchitectureError

PUBLISHED = {
    "moga_a": (5_159_802, 304_042_176),
    "moga_b": (5_506_236, 248_634_720),
    "moga_c": (5_488_200, 221_089_920),
}
WITH_COUNTS = [name for name in zoo.names() if zoo.published(name).reference_counts]
# No other code is known that counts them; MoGA's are held against its paper below.
WITHOUT_COUNTS = {
    *PUBLISHED,
    "moga_a_figure",
    "mnasnet_d1",
    "ofa_flops_595m",
    "ofa_cpu_15ms",
    "ofa_cpu_11ms",
    "ofa_cpu_10ms",
    "ofa_v100_11ms",
    "ofa_1080ti_12ms",
    "ofa_tx2_96ms",
    "ofa_tx2_35ms",
}
# Our counts are those of the codes; these papers print something else, or one digit (see the files).
OTHER_THAN_PRINTED = {"mobilenetv4_conv_small", "mobilenetv4_conv_medium", "fbnet_a", "fbnet_b", "fbnet_c"}


def weights(arch: Architecture) -> int:
    """Of convolutions and the classifier, without batch norms and biases."""
    space = arch.space
    blocks = zip(space.layers, arch.choices, strict=True)
    ops = (*space.stem_ops, *(op for layer, choice in blocks for op in choice.ops(layer)), *space.head_ops)
    return sum(op.weights for op in ops)


def test_names() -> None:
    assert {*WITH_COUNTS, *WITHOUT_COUNTS} == set(zoo.names())
    assert set(WITH_COUNTS).isdisjoint(WITHOUT_COUNTS)


@pytest.mark.parametrize("name", WITH_COUNTS)
def test_counts_are_those_of_the_reference(name: str) -> None:
    arch, reference = zoo.load(name), zoo.published(name).reference_counts
    costs = count(arch.space)
    assert reference["of"] and {"params", "weights"} & set(reference)
    assert costs.params_of(arch) == reference.get("params", costs.params_of(arch))
    assert weights(arch) == reference.get("weights", weights(arch))
    if "madds" in reference:
        assert costs.madds_of(arch) + reference.get("extra_madds", 0) == reference["madds"]


@pytest.mark.parametrize("name", sorted({*zoo.names()} - set(PUBLISHED) - OTHER_THAN_PRINTED))
def test_counts_are_those_printed(name: str) -> None:
    arch, figures = zoo.load(name), zoo.published(name).figures
    costs = count(arch.space)
    params, madds = costs.params_of(arch) / 1e6, costs.madds_of(arch) / 1e6
    assert params == pytest.approx(figures.get("params_millions", params), abs=0.105)
    assert madds == pytest.approx(figures.get("madds_millions", madds), rel=0.02)


@pytest.mark.parametrize(("name", "params", "madds"), [(name, *counts) for name, counts in PUBLISHED.items()])
def test_counts_are_the_published_ones(name: str, params: int, madds: int) -> None:
    arch = zoo.load(name)
    costs = count(arch.space)
    assert (costs.params_of(arch), costs.madds_of(arch)) == (params, madds)
    published = zoo.published(name).figures
    # The paper cuts its digits off: 5.488 M is printed as 5.4.
    assert params / 1e6 - 0.1 < published["params_millions"] <= params / 1e6
    assert madds / 1e6 - 1 < published["madds_millions"] <= madds / 1e6


def test_the_figure_draws_another_moga_a() -> None:
    drawn, code = zoo.load("moga_a_figure"), zoo.load("moga_a")
    costs = count(drawn.space)
    assert costs.params_of(drawn) == pytest.approx(5.141e6, abs=500)
    assert costs.madds_of(drawn) == pytest.approx(304.02e6, abs=10_000)
    squeezed = [i + 1 for i, choice in enumerate(drawn.choices) if choice.options.se][:3]
    assert squeezed == [3, 4, 5] and [i + 1 for i, c in enumerate(code.choices) if c.options.se][:3] == [
        4,
        5,
        6,
    ]


@pytest.mark.parametrize("name", zoo.names())
def test_everything_in_the_zoo_loads(name: str) -> None:
    arch = zoo.load(name)
    assert Architecture.parse(str(arch), arch.space) == arch


@pytest.mark.parametrize("name", zoo.names())
def test_figures_have_a_source_and_are_numbers(name: str) -> None:
    published = zoo.published(name)
    assert published.title and published.reference and (published.provenance or "source" in published.figures)
    if published.figures:
        assert published.figures["source"]
    numbers = {key: each for key, each in published.figures.items() if key not in {"source", "latency_ms"}}
    assert set(numbers) <= {"params_millions", "madds_millions", "top1", "top5", *zoo.TIMED_BY_MOGA}
    assert all(each > 0 for each in (*numbers.values(), *published.latencies_ms.values()))
    assert all(isinstance(label, str) for label in published.latencies_ms)


def test_published_latencies() -> None:
    moga = {"MACE, Adreno 630": 9.8, "SNPE, Adreno 630": 9.6, "TFLite, CPU of Pixel 1": 126}
    authors = {"GPU (authors)": 5.1, "CPU (authors)": 204.9, "phone (authors)": 124}
    assert zoo.published("proxyless_gpu").latencies_ms == {**moga, **authors}
    assert zoo.published("resnet50").latencies_ms == {}


@pytest.mark.parametrize("name", zoo.names())
def test_a_network_is_in_a_shipped_space_or_a_space_of_its_own(name: str) -> None:
    space = zoo.load(name).space
    assert zoo.space_name(name) == space.name and name in zoo.in_space(space.name)
    if zoo.published(name).alone:
        assert (space.name, space.size, zoo.in_space(name)) == (name, 1, [name])
        assert SearchSpace.load(name) == space and name not in shipped_spaces()
    else:
        assert space == SearchSpace.load(space.name) and space.name in shipped_spaces()


def test_a_network_of_a_space_is_no_space() -> None:
    with pytest.raises(
        SpaceError, match=r"moga_a is a network of the space moga.*Give one of fbnet.*: .*mobilenet_v2"
    ):
        SearchSpace.load("moga_a")


@pytest.mark.parametrize("name", ["moga_d", "", "../spaces/moga", "moga_a.json"])
def test_unknown_names_are_told_the_shipped_ones(name: str) -> None:
    with pytest.raises(ArchitectureError, match=r"Shipped: .*moga_a, moga_a_figure, moga_b, moga_c"):
        zoo.load(name)
