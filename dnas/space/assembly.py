"""From the plain data of a file to the parts of a space: channels and sizes flow from entry to entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dnas.space.decisions import Decision, choices_of, decisions
from dnas.space.layers import Choice, FixedOp, Layer, choice_of, fixed_ops


class Parts(NamedTuple):
    """What a space is made of."""

    stem: tuple[FixedOp, ...]
    layers: tuple[Layer, ...]
    decisions: tuple[Decision, ...]
    head: tuple[FixedOp, ...]


def assemble(definition: Mapping[str, Any]) -> Parts:
    """The parts of a definition that has been checked."""
    channels, size = definition.get("in_channels", 3), definition["resolution"]
    stem = fixed_ops(definition["stem"], channels, size)
    channels, size = stem[-1].out_channels, stem[-1].output_size
    every, stages = choices_by_name(definition), stages_of(definition)
    layers: list[Layer] = []
    divisor = definition.get("divisor", 1)
    for stage in stages:
        for position in range(stage.get("repeat", 1)):
            stride = stage["stride"] if position == 0 else 1
            choices = choices_of(stage, every, position)
            shape = channels, stage["out"], stride, size
            layers.append(Layer(len(layers), *shape, stage["activation"], choices, divisor))
            channels, size = stage["out"], layers[-1].output_size
    head = fixed_ops(definition["head"], channels, size)
    return Parts(stem, tuple(layers), decisions(stages, every, layers), head)


def choices_by_name(definition: Mapping[str, Any]) -> dict[str, Choice]:
    """All choices that a definition names, in its order."""
    return {name: choice_of(name, given) for name, given in definition["choices"].items()}


def stages_of(definition: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The stages, or the layers of a definition without: an entry of ``layers`` is a stage of one."""
    found: list[dict[str, Any]] = definition["stages" if "stages" in definition else "layers"]
    return found
