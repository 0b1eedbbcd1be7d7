"""What must be timed for the table of a space: every distinct graph once."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import partial
from itertools import count

import numpy as np
from torch import nn

from dnas.space import Choice, Layer, Over, SearchSpace
from dnas.space.architecture import Architecture
from latency.sources.measured import graphs
from latency.table.entry import Geometry

EMPTY, STEM, HEAD = "empty", "stem", "head"
# Architectures that are drawn for a new network before networks are.
_DRAWS = 1000


@dataclass(frozen=True)
class Job:
    """One graph to time: ``build()`` makes its module for an input of ``shape`` (1, C, H, W)."""

    name: str
    shape: tuple[int, int, int, int]
    build: Callable[[], nn.Module]


@dataclass(frozen=True)
class Plan:
    """The graphs of a space.

    Attributes:
        jobs: by name. A name says what it is: ``empty``, ``stem``, ``head``, ``before_40x14`` (the prefix for
            40 channels at 14 pixels), ``L3_E6K5`` (a block behind its prefix), ``network_07``.
        before: the job whose time is taken off a part's own, by the part's name.
        blocks: the job of every block that takes time; layers with equal blocks share it.
        networks: the whole networks by job name.
        reference: the block that is timed again and again to see whether the device keeps its pace.
    """

    space: SearchSpace
    jobs: dict[str, Job]
    before: dict[str, str]
    blocks: dict[Geometry, str]
    networks: dict[str, Architecture]
    reference: str


def make_plan(
    space: SearchSpace, networks: int, seed: int, empty: Callable[[], nn.Module] = nn.Identity
) -> Plan:
    """The plan of a space with so many different random ``networks`` (all there are in a smaller space)."""
    images = (1, space.in_channels, space.resolution, space.resolution)
    jobs = {EMPTY: Job(EMPTY, images, empty), STEM: Job(STEM, images, partial(graphs.stem, space))}
    plan = Plan(space, jobs, {STEM: EMPTY}, {}, draw_networks(space, networks, seed), "")
    for layer in space.layers:
        for choice in layer.choices:
            _add_block(plan, layer, choice)
    last = space.layers[-1]
    _add_part(plan, HEAD, last.out_channels, last.output_size, partial(graphs.head, space))
    for name, arch in plan.networks.items():
        jobs[name] = Job(name, images, partial(graphs.network, arch))
    names = [*plan.blocks.values()] or [HEAD]
    return Plan(space, jobs, plan.before, plan.blocks, plan.networks, names[len(names) // 2])


def draw_networks(space: SearchSpace, number: int, seed: int) -> dict[str, Architecture]:
    """``number`` different random networks; a greater count begins with those of a smaller one."""
    generator = np.random.default_rng(seed)
    drawn: dict[Architecture, Architecture] = {}
    while len(drawn) < min(number, space.distinct):
        arch = _draw_new(space, drawn, generator)
        drawn[arch.canonical()] = arch
    return {f"network_{index:02d}": arch for index, arch in enumerate(drawn.values())}


def _draw_new(
    space: SearchSpace, drawn: Container[Architecture], generator: np.random.Generator
) -> Architecture:
    """Draw architectures until their network is new; networks, where those that are left have few names."""
    over: Over
    for draw in count():
        over = "architectures" if draw < _DRAWS else "networks"
        arch = Architecture.random(space, generator, over)
        if arch.canonical() not in drawn:
            break
    return arch


def _add_block(plan: Plan, layer: Layer, choice: Choice) -> None:
    geometry = Geometry.of(layer, choice)
    if geometry.is_identity or geometry in plan.blocks:
        return
    plan.blocks[geometry] = f"{layer.name}_{choice.name}"
    build = partial(graphs.block, layer, choice)
    _add_part(plan, plan.blocks[geometry], layer.in_channels, layer.input_size, build)


def _add_part(plan: Plan, name: str, channels: int, size: int, build: Callable[[], nn.Module]) -> None:
    shape, before = (1, channels, size, size), f"before_{channels}x{size}"
    plan.before[name] = before
    plan.jobs[before] = Job(before, shape, partial(graphs.prefix, channels))
    plan.jobs[name] = Job(name, shape, lambda: graphs.behind_prefix(channels, build()))
