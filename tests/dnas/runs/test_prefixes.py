"""Many architectures at once: the numbers of one by one, bit for bit, and equal beginnings computed once."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dnas.nn.supernet import Supernet
from dnas.runs.evaluator import OneShotEvaluator
from dnas.runs.prefixes import evaluate_in_order
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture

DATA = {"class_path": "lightning_modules.data.Digits", "init_args": {"resolution": 16, "batch_size": 60}}


def evaluator(space: SearchSpace, sharing: str = "independent") -> OneShotEvaluator:
    torch.manual_seed(0)
    supernet = Supernet(space, sharing)
    # Statistics and affine parameters as a training leaves them: all different.
    for module in supernet.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
    return OneShotEvaluator(supernet.eval(), DATA, recalibration_batches=2)


def drawn(space: SearchSpace, number: int) -> list[Architecture]:
    generator = torch.Generator().manual_seed(1)
    rows = [
        tuple(int(torch.randint(count, (), generator=generator)) for count in space.num_choices)
        for _ in range(number)
    ]
    return [Architecture(space, row) for row in dict.fromkeys(rows)]


@pytest.fixture(params=["tiny-independent", "tiny-entangled", "skips-independent"])
def case(
    request: pytest.FixtureRequest, tiny_space: SearchSpace, skips_space: SearchSpace
) -> OneShotEvaluator:
    name, sharing = request.param.split("-")
    return evaluator({"tiny": tiny_space, "skips": skips_space}[name], sharing)


@pytest.mark.parametrize("keep_bytes", [0, 300_000, 1 << 30])
def test_numbers_are_those_of_one_by_one(keep_bytes: int, case: OneShotEvaluator) -> None:
    architectures = drawn(case.supernet.space, 12)
    found = dict(evaluate_in_order(case, architectures, keep_bytes))
    assert found == {each: case(each) for each in architectures}
    assert len({evaluation.loss for evaluation in found.values()}) > 6


def test_a_space_whose_decisions_are_of_several_layers() -> None:
    space = SearchSpace.from_dict(
        {
            "format": "dnas-space/2",
            "name": "shared",
            "resolution": 16,
            "num_classes": 10,
            "stem": [{"type": "conv", "out": 8, "kernel": 3, "stride": 2, "activation": "relu"}],
            "choices": {"a": {"expansion": 2, "kernel": 3}, "b": {"expansion": 3, "kernel": 5, "se": 0.25}},
            "stages": [
                {"out": 8, "stride": 1, "activation": "relu", "repeat": 2, "shared": True},
                {"out": 12, "stride": 2, "activation": "relu", "repeat": 2},
            ],
            "head": [{"type": "pool"}],
        }
    )
    case = evaluator(space)
    architectures = drawn(space, 8)
    assert dict(evaluate_in_order(case, architectures)) == {each: case(each) for each in architectures}


@pytest.fixture
def forwards(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a stem, and a first block, was run on a batch."""
    counts = [0, 0]
    extract = OneShotEvaluator.extract

    def counted(self: OneShotEvaluator, architecture: Architecture):
        network = extract(self, architecture)
        for number, part in enumerate((network.stem, network.blocks[0])):
            part.register_forward_hook(
                lambda *_, number=number: counts.__setitem__(number, counts[number] + 1)
            )
        return network

    monkeypatch.setattr(OneShotEvaluator, "extract", counted)
    return counts


def test_equal_beginnings_are_computed_once(forwards: list[int], tiny_space: SearchSpace) -> None:
    case = evaluator(tiny_space)
    architectures = drawn(tiny_space, 12)
    batches = len([*case.recalibration]) + len([*case.validation])
    [*evaluate_in_order(case, architectures)]
    first = len({each.columns[0] for each in architectures})
    assert forwards == [batches, first * batches]
    forwards[:] = 0, 0
    # A stem's maps do not fit: after one attempt, everything is computed for each.
    [*evaluate_in_order(case, architectures, keep_bytes=1000)]
    assert len(architectures) * batches <= forwards[0] <= (len(architectures) + 1) * batches
    assert forwards[1] == len(architectures) * batches


def test_each_is_known_before_the_next_begins(tiny_space: SearchSpace) -> None:
    case = evaluator(tiny_space)
    some = evaluate_in_order(case, drawn(tiny_space, 12))
    first, _ = next(some)
    second, _ = next(some)
    assert first.columns < second.columns


def test_nothing_to_evaluate(tiny_space: SearchSpace) -> None:
    assert not [*evaluate_in_order(evaluator(tiny_space), [])]
