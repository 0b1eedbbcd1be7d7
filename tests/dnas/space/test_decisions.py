"""Stages: layers that follow one decision, layers that may be skipped, and what cannot be either."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from dnas import Architecture, SearchSpace
from dnas.costs import count
from dnas.space import SpaceError

CHOICES = {"a": {"expansion": 2, "kernel": 3}, "b": {"expansion": 3, "kernel": 5, "se": 0.25}}


def space_of(*stages: dict[str, Any], **facts: Any) -> SearchSpace:
    return SearchSpace.from_dict(
        {
            "format": "dnas-space/2",
            "name": "own",
            "resolution": 16,
            "num_classes": 10,
            "stem": [{"type": "conv", "out": 8, "kernel": 3, "stride": 1, "activation": "relu"}],
            "choices": CHOICES,
            "stages": [{"out": 8, "stride": 1, "activation": "relu"} | stage for stage in stages],
            "head": [{"type": "pool"}],
            **facts,
        }
    )


def described(space: SearchSpace) -> dict[str, list[str]]:
    return {decision.name: list(decision.names) for decision in space.decisions}


def test_layers_of_a_stage_have_decisions_of_their_own_unless_they_are_shared() -> None:
    space = space_of({"repeat": 2}, {"out": 12, "stride": 2, "repeat": 3, "shared": True})
    assert described(space) == {"L1": ["a", "b"], "L2": ["a", "b"], "L3-L5": ["a", "b"]}
    assert [(layer.in_channels, layer.out_channels, layer.stride) for layer in space.layers] == [
        (8, 8, 1),
        (8, 8, 1),
        (8, 12, 2),
        (12, 12, 1),
        (12, 12, 1),
    ]
    assert (len(space), space.size, space.shared) == (3, 8, True)


def test_a_stage_without_sharing_is_its_layers_written_out() -> None:
    stages = space_of({"repeat": 2}, {"out": 12, "stride": 2, "repeat": 2})
    layers = stages.to_dict()
    del layers["stages"]
    layers["layers"] = [
        {"out": out, "stride": stride, "activation": "relu"}
        for out, stride in ((8, 1), (8, 1), (12, 2), (12, 1))
    ]
    written = SearchSpace.from_dict(layers)
    assert (written.layers, written.decisions) == (stages.layers, stages.decisions)
    assert not stages.shared


def test_optional_layers_can_be_skipped_and_count_as_depth() -> None:
    space = space_of({"out": 12, "stride": 2, "repeat": 4, "optional": 2})
    assert described(space) == {
        "L1": ["a", "b"],
        "L2": ["a", "b"],
        "L3": ["a", "b", "skip"],
        "L4": ["a", "b", "skip"],
    }
    assert (space.size, space.distinct) == (36, 28), "2 x 2 x (1 + 2 + 4)"


def test_the_space_of_once_for_all_has_its_published_size() -> None:
    kinds = {f"E{e}K{k}": {"expansion": e, "kernel": k} for e in (3, 4, 6) for k in (3, 5, 7)}
    stages = [{"out": out, "stride": 2, "repeat": 4, "optional": 2} for out in (24, 40, 80, 112, 160)]
    assert space_of(*stages, choices=kinds, resolution=224).distinct == 7371**5


def test_a_shared_decision_says_how_many_layers_there_are() -> None:
    space = space_of({"out": 12, "stride": 2, "repeat": 3, "shared": True, "optional": 2})
    assert described(space) == {"L1-L3": ["ax1", "ax2", "ax3", "bx1", "bx2", "bx3"]}
    names = [choice.name for choice in Architecture.parse("bx2", space).choices]
    assert names == ["b", "b", "skip"]
    assert space.distinct == 6


def test_a_shared_stage_may_offer_blocks_in_chosen_depths() -> None:
    space = space_of({"repeat": 3, "shared": True, "optional": 2, "choices": ["bx3", "a", "bx1"]})
    assert described(space) == {"L1-L3": ["bx3", "ax1", "ax2", "ax3", "bx1"]}
    assert [choice.name for choice in space.layers[0].choices] == ["b", "a"]


def test_a_skip_of_the_file_is_one_choice_in_any_depth() -> None:
    choices = {**CHOICES, "none": {"type": "skip"}}
    stage = {"repeat": 2, "shared": True, "optional": 1}
    space = space_of(stage, choices=choices)
    assert described(space) == {"L1-L2": ["ax1", "ax2", "bx1", "bx2", "none"]}
    assert [choice.name for choice in Architecture.parse("ax1", space).choices] == ["a", "none"]


SPACES = {
    "shared": space_of({"repeat": 2, "shared": True}, {"out": 12, "stride": 2}),
    "shared and optional": space_of({"out": 12, "stride": 2, "repeat": 3, "shared": True, "optional": 2}, {}),
    "optional": space_of({"repeat": 3, "optional": 3}, {"out": 12, "stride": 2, "repeat": 2, "shared": True}),
    "a skip twice": space_of(
        {"repeat": 2, "shared": True}, {"out": 12}, choices={**CHOICES, "none": {"type": "skip"}}
    ),
}


def everyone(space: SearchSpace) -> list[Architecture]:
    return [Architecture(space, genome) for genome in product(*map(range, space.num_choices))]


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_costs_are_those_of_the_layers_that_an_architecture_has(space: SearchSpace) -> None:
    costs = count(space)
    assert costs.params.shape == (len(space), space.max_choices)
    for arch in everyone(space):
        pairs = zip(space.layers, arch.choices, strict=True)
        ops = [op for layer, choice in pairs for op in choice.ops(layer)]
        fixed = [*space.stem_ops, *space.head_ops]
        assert costs.params_of(arch) == sum(op.params for op in (*ops, *fixed))
        assert costs.madds_of(arch) == sum(op.madds for op in (*ops, *fixed))


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_equal_canonical_forms_are_equal_networks(space: SearchSpace) -> None:
    architectures = everyone(space)
    forms = space.canonical(np.array([arch.indices for arch in architectures]))
    networks: dict[tuple[Any, ...], set[tuple[int, ...]]] = {}
    for arch, form in zip(architectures, forms, strict=True):
        pairs = zip(space.layers, arch.choices, strict=True)
        network = tuple((choice.options, choice.ops(layer)) for layer, choice in pairs if choice.ops(layer))
        networks.setdefault(network, set()).add(tuple(form))
    assert all(len(forms) == 1 for forms in networks.values())
    assert len({tuple(form) for form in forms}) == space.distinct
    assert len(networks) == space.distinct


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_architectures_read_what_they_write(space: SearchSpace) -> None:
    for arch in everyone(space):
        assert Architecture.parse(str(arch), space) == arch
        assert Architecture.from_dict(arch.to_dict()) == arch


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_a_restricted_space_keeps_the_networks_of_the_choices_that_it_keeps(space: SearchSpace) -> None:
    kept = [
        [each.names[0], each.names[-1]] if len(each.names) > 1 else [*each.names] for each in space.decisions
    ]
    reduced = SearchSpace.from_dict(space.restricted(kept))
    assert [list(each.names) for each in reduced.decisions] == kept
    costs, full = count(reduced), count(space)
    for arch in everyone(reduced):
        same = Architecture.from_names(arch.names, space)
        assert costs.params_of(arch) == full.params_of(same)
        assert [choice.options for choice in arch.choices] == [choice.options for choice in same.choices]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "an optional layer that changes the shape": (
        {"stages": [{"out": 12, "stride": 2, "activation": "relu", "repeat": 2, "optional": 2}]},
        "stages[0].optional: 2 of 2 layer(s) cannot be optional, the first changes 8 > 12 channels, "
        "stride 2: at most 1",
    ),
    "a shared stage that may vanish": (
        {"stages": [{"out": 8, "stride": 1, "activation": "relu", "shared": True, "optional": 1}]},
        "stages[0].optional: 1 of 1 layer(s) cannot be optional, one of a shared stage must stay: at most 0",
    ),
    "more optional layers than there are": (
        {"stages": [{"out": 8, "stride": 1, "activation": "relu", "repeat": 2, "optional": 3}]},
        "stages[0].optional: 3 of 2 layer(s) cannot be optional: at most 2",
    ),
    "a shared stage of several shapes": (
        {"stages": [{"out": [8, 12], "stride": 1, "activation": "relu", "repeat": 2, "shared": True}]},
        "stages[0].out: [8, 12] is not of type 'integer'",
    ),
    "a depth that is not offered": (
        {
            "stages": [
                {
                    "out": 8,
                    "stride": 1,
                    "activation": "relu",
                    "repeat": 3,
                    "shared": True,
                    "optional": 1,
                    "choices": ["ax1", "c"],
                }
            ]
        },
        "stages[0].choices: unknown choice(s) ax1, c; known are a, b, each alone or in x2 to x3 layers",
    ),
    "a name for skips that a block has": (
        {
            "choices": {**CHOICES, "skip": CHOICES["a"]},
            "stages": [{"out": 8, "stride": 1, "activation": "relu", "optional": 1}],
        },
        "stages[0].optional: optional layers have a choice 'skip'; rename the block that has this name here",
    ),
    "stages and layers": (
        {"layers": [{"out": 8, "stride": 1, "activation": "relu"}]},
        "the file: must give either 'layers' or 'stages'",
    ),
    "stages in version 1": (
        {"format": "dnas-space/1"},
        "('stages' was unexpected)",
    ),
    "a block that does not fit the second layer": (
        {
            "choices": {"g": {"expansion": 2, "kernel": 3, "groups": 4}},
            "stages": [{"out": 10, "stride": 1, "activation": "relu", "repeat": 2, "shared": True}],
        },
        "stages[0]: g in L2 has 4 groups, which do not divide 10",
    ),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_is_said_in_one_message(changes: dict[str, Any], message: str) -> None:
    definition = space_of({}).to_dict() | changes
    with pytest.raises(SpaceError) as caught:
        SearchSpace.from_dict(definition)
    assert message in str(caught.value)


def test_the_number_of_choices_of_an_architecture_is_that_of_decisions() -> None:
    with pytest.raises(ValueError, match="has 2 decisions, but 3 choices were given"):
        Architecture.parse("a a a", SPACES["shared"])
    with pytest.raises(ValueError, match="L1-L2: 'c'"):
        Architecture.parse("c a", SPACES["shared"])
