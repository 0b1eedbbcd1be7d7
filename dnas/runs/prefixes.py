"""Evaluating many architectures: what they have in common at their beginning is computed once.

The statistics of a batch norm, and what leaves a block, depend only on the images and on what comes before.
So architectures are evaluated in the order of their choices, and the maps that leave an equal beginning (the
stem, and equal blocks behind it) are kept for the next one. The numbers are those of evaluating one by one,
bit for bit: the same operations on the same batches.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import takewhile, zip_longest
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dnas.runs.evaluator import (
    KEEP_BYTES,
    Batch,
    Batches,
    Evaluation,
    OneShotEvaluator,
    evaluate,
    recalibrate,
)
from dnas.space.architecture import Architecture


class Maps(NamedTuple):
    """What enters a part of the network: batches to recalibrate with, and to evaluate on."""

    recalibration: Batches
    validation: Batches


class Ready(NamedTuple):
    """An architecture with a network that can be evaluated: what is left of it, and what enters that."""

    architecture: Architecture
    network: nn.Module
    batches: Batches
    num_classes: int


def evaluate_in_order(
    evaluator: OneShotEvaluator, architectures: Iterable[Architecture], keep_bytes: int = KEEP_BYTES
) -> Iterator[tuple[Architecture, Evaluation]]:
    """Evaluate architectures; yields each as soon as it is known, in the order of their blocks.

    Args:
        architectures: of the supernet's space.
        keep_bytes: of maps to keep at most; beginnings whose maps do not fit are computed for each again.
    """
    for ready in recalibrated_in_order(evaluator, architectures, keep_bytes):
        yield ready.architecture, evaluate(ready.network, ready.batches, ready.num_classes)


def recalibrated_in_order(
    evaluator: OneShotEvaluator, architectures: Iterable[Architecture], keep_bytes: int = KEEP_BYTES
) -> Iterator[Ready]:
    """The networks that :func:`evaluate_in_order` evaluates; done with before the next one is asked for."""
    ordered = sorted(architectures, key=lambda each: each.canonical().columns)
    validation = evaluator.validation
    # A list of batches, where it is one, that a race can pick from.
    kept, deepest = [Maps(evaluator.recalibration, validation.kept or validation)], math.inf
    for architecture, following in zip_longest(ordered, ordered[1:]):
        network = evaluator.extract(architecture)
        parts = [network.stem, *network.blocks]
        common = 0 if following is None else _common(architecture.canonical(), following.canonical())
        while len(kept) <= min(common, deepest):
            used = sum(_bytes(batches) for maps in kept[1:] for batches in maps)
            maps = _through(parts[len(kept) - 1], kept[-1], keep_bytes - used)
            if maps is None:
                deepest = len(kept) - 1
            else:
                kept.append(maps)
        rest = nn.Sequential(*parts[len(kept) - 1 :], network.head, network.classifier)
        recalibrate(rest, kept[-1].recalibration)
        yield Ready(architecture, rest, kept[-1].validation, network.classifier.out_features)
        del kept[common + 1 :]


def _common(first: Architecture, second: Architecture) -> int:
    """How many parts, the stem and the blocks behind it, two architectures begin with alike."""
    pairs = zip(first.columns, second.columns, strict=True)
    return 1 + len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


@torch.no_grad()
def _through(part: nn.Module, maps: Maps, room: int) -> Maps | None:
    """What leaves a part once it is recalibrated; None if that takes more than ``room`` bytes."""
    recalibration = _recalibrated(part, maps.recalibration)
    left, validation = room - _bytes(recalibration), list[Batch]()
    part.eval()
    for batch, labels in maps.validation:
        output = part(batch)
        left -= output.nbytes
        if left < 0:
            return None
        validation.append((output, labels))
    return Maps(recalibration, validation)


def _recalibrated(part: nn.Module, batches: Batches) -> list[Batch]:
    """What leaves a part while its batch norms are recalibrated, as the next part sees it then."""
    if not any(isinstance(module, _BatchNorm) for module in part.modules()):
        part.train()
        return [(part(images), labels) for images, labels in batches]
    outputs: list[Tensor] = []
    with part.register_forward_hook(lambda module, inputs, output: outputs.append(output)):
        recalibrate(part, batches)
    return [(output, labels) for output, (_, labels) in zip(outputs, batches, strict=True)]


def _bytes(batches: Batches) -> int:
    return sum(images.nbytes for images, _ in batches)
