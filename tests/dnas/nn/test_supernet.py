"""The supernet runs what the mask says, and extracts networks that compute the same (contracts 4 and 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dnas.blocks.sharing import Projections, Together
from dnas.costs import count
from dnas.nn.mixed_block import MixedBlock
from dnas.nn.supernet import Supernet
from dnas.search.gradient.masks import (
    HardGumbel,
    MaskStrategy,
    SoftGumbel,
    StrictlyFair,
    TwoPath,
    UniformPath,
)
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture, ArchitectureError

Get = Callable[[str], SearchSpace]
SPACES = ["narrow_moga", "narrow_fbnet", "motley", "minimal", "staged"]
SHARINGS = ["independent", "entangled"]
ADAPTED = {"num_classes": 3, "in_channels": 2, "stem_stride": 1}


def build(space: SearchSpace, sharing: str, **adaptation: Any) -> Supernet:
    """In double precision, without dropout (its noise differs), with statistics of some real steps."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        supernet = Supernet(space, sharing, **adaptation).double()
    for module in supernet.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in supernet.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        for arch in [Architecture.random(space, np.random.default_rng(seed)) for seed in range(2)]:
            supernet(images(supernet, 16), torch.tensor(arch.indices))
    return supernet


def images(supernet: Supernet, side: int = 27, batch: int = 2) -> Tensor:
    channels = next(m for m in supernet.stem.modules() if isinstance(m, nn.Conv2d)).in_channels
    generator = torch.Generator().manual_seed(side + batch)
    return torch.randn(batch, channels, side, side, generator=generator, dtype=torch.float64)


def one_hot(space: SearchSpace, arch: Architecture) -> Tensor:
    return torch.nn.functional.one_hot(torch.tensor(arch.indices), space.max_choices).double()


@pytest.mark.parametrize("adaptation", [{}, ADAPTED], ids=["deployed", "adapted"])
@pytest.mark.parametrize("sharing", SHARINGS)
@pytest.mark.parametrize("name", SPACES)
def test_extracted_network_is_the_one_hot_supernet(
    get_space: Get, name: str, sharing: str, adaptation: dict[str, int]
) -> None:
    space = get_space(name)
    supernet = build(space, sharing, **adaptation)
    for seed in (10, 11):
        arch = Architecture.random(space, np.random.default_rng(seed))
        active = [(index,) for index in arch.indices]
        for training, side, batch in ((False, 27, 1), (True, 27, 3), (False, 17, 2)):
            supernet.train(training)
            network = supernet.extract(arch)
            assert network.training == training and network.arch == arch
            x = images(supernet, side, batch)
            expected = network(x)
            torch.testing.assert_close(supernet(x, torch.tensor(arch.indices)), expected)
            # A training step moved the statistics of both alike: a second extraction finds them.
            again = dict(supernet.extract(arch).named_buffers())
            for key, value in network.named_buffers():
                if "num_batches" not in key:
                    torch.testing.assert_close(again[key], value, msg=f"{key} after training={training}")
        supernet.eval()
        torch.testing.assert_close(supernet(x, one_hot(space, arch), active), supernet.extract(arch)(x))


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("sharing", SHARINGS)
def test_gradients_of_the_extracted_network_are_those_of_the_supernet(
    get_space: Get, name: str, sharing: str
) -> None:
    space = get_space(name)
    supernet = build(space, sharing).train()
    arch = Architecture.random(space, np.random.default_rng(12))
    network, x = supernet.extract(arch), images(supernet, batch=3)
    supernet(x, torch.tensor(arch.indices)).square().sum().backward()
    network(x).square().sum().backward()
    pairs = [(supernet.stem, network.stem), (supernet.classifier, network.classifier)]
    for ours, theirs in pairs:
        for (key, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad, msg=key)


def test_training_the_extracted_network_leaves_the_supernet_alone(get_space: Get) -> None:
    supernet = build(get_space("motley"), "entangled").train()
    before = {name: value.clone() for name, value in supernet.state_dict().items()}
    network = supernet.extract(Architecture(supernet.space, (1, 2, 1, 0)))
    network(images(supernet, batch=3)).sum().backward()
    torch.optim.SGD(network.parameters(), lr=1.0).step()
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())
    assert all(parameter.grad is None for parameter in supernet.parameters())


def test_extracting_draws_no_random_numbers_and_leaves_nothing_empty(get_space: Get) -> None:
    supernet, before = build(get_space("narrow_fbnet"), "entangled"), torch.get_rng_state()
    network = supernet.extract(Architecture.random(supernet.space, np.random.default_rng(0)))
    assert torch.equal(torch.get_rng_state(), before)
    assert {t.device.type for t in (*network.parameters(), *network.buffers())} == {"cpu"}


class Executed:
    """Counts, per layer, which choices ran, and the channels of all depthwise convolutions."""

    def __init__(self, supernet: Supernet, monkeypatch: pytest.MonkeyPatch) -> None:
        self.choices: list[list[int]] = [[] for _ in supernet.space.layers]
        self.filtered = 0
        for blocks, ran in zip(supernet.mixed_blocks(), self.choices, strict=True):
            self._count(blocks, ran, monkeypatch)
        original = torch.conv2d

        def conv2d(x: Tensor, weight: Tensor, *args: Any, **options: Any) -> Tensor:
            if weight.shape[1] == 1 and weight.shape[-1] > 1:
                self.filtered += len(weight)
            return original(x, weight, *args, **options)

        monkeypatch.setattr(torch.nn.functional, "conv2d", conv2d)

    def _count(self, blocks: MixedBlock, ran: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
        alone, together = blocks.run, blocks.project

        def run(x: Tensor, choice: int) -> Tensor:
            ran.append(choice)
            return alone(x, choice)

        def project(offer: Together, x: Tensor, choices: Sequence[int]) -> Projections:
            ran.extend(choices)
            return together(offer, x, choices)

        monkeypatch.setattr(blocks, "run", run)
        monkeypatch.setattr(blocks, "project", project)


@pytest.mark.parametrize("sharing", SHARINGS)
@pytest.mark.parametrize(
    ("strategy", "per_layer"),
    [
        (UniformPath(), 1),
        (StrictlyFair(), 1),
        (HardGumbel(), 1),
        (TwoPath(), 2),
        (HardGumbel(all_paths=True), 12),
        (SoftGumbel(), 12),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, MaskStrategy) else str(value),
)
def test_only_the_chosen_paths_run(
    get_space: Get, strategy: MaskStrategy, per_layer: int, sharing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = get_space("narrow_moga")
    supernet = build(space, sharing)
    x = images(supernet, 16, 3)
    alpha = torch.zeros(len(space), space.max_choices, dtype=torch.float64)
    samples = strategy.draw(alpha, tau=1.0, generator=torch.Generator().manual_seed(0))
    for sample in samples[:2]:
        with monkeypatch.context() as patch:
            executed = Executed(supernet, patch)
            supernet(x, sample.mask, sample.active)
        assert [len(ran) for ran in executed.choices] == [per_layer] * 14
        for ran, weights in zip(executed.choices, sample.mask, strict=True):
            assert len(set(ran)) == per_layer and set(weights.nonzero().flatten().tolist()) <= set(ran)
        widths = [
            layer.choices[choice].options.hidden_channels(layer)
            for layer, ran in zip(supernet.space.layers, executed.choices, strict=True)
            for choice in ran
        ]
        stem = supernet.space.stem[1].in_channels
        if sharing == "independent" or per_layer == 1:
            assert executed.filtered == sum(widths) + stem
        else:
            assert executed.filtered <= sum(widths) + stem, "slices of one kernel are computed once"


def test_a_path_runs_with_its_own_kernel(get_space: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small choice must not be computed at the size of the largest."""
    space = get_space("narrow_moga")
    supernet = build(space, "entangled")
    seen: list[tuple[int, ...]] = []
    original = torch.conv2d

    def conv2d(x: Tensor, weight: Tensor, *args: Any, **options: Any) -> Tensor:
        seen.append(tuple(weight.shape))
        return original(x, weight, *args, **options)

    arch = Architecture.parse(" ".join(["E3K3"] * 7 + ["E6K5"] * 7), space)
    monkeypatch.setattr(torch.nn.functional, "conv2d", conv2d)
    supernet(images(supernet, 96), torch.tensor(arch.indices))
    depthwise = [shape for shape in seen if shape[1] == 1 and shape[-1] > 1][1:]
    pairs = zip(space.layers, arch.choices, strict=True)
    hidden = [choice.options.hidden_channels(layer) for layer, choice in pairs]
    assert depthwise == [(h, 1, k, k) for h, k in zip(hidden, [3] * 7 + [5] * 7, strict=True)]


@pytest.mark.parametrize("sharing", SHARINGS)
def test_unused_choices_get_no_gradient(get_space: Get, sharing: str) -> None:
    space = get_space("narrow_fbnet")
    supernet = build(space, sharing).train()
    arch = Architecture(space, (1,) * 22)
    supernet(images(supernet), torch.tensor(arch.indices)).sum().backward()
    for blocks in supernet.mixed_blocks():
        touched = {name for name, p in blocks.named_parameters() if p.grad is not None}
        prefix = "blocks.1." if sharing == "independent" else "shared.groups2_expansion1."
        assert touched and all(name.startswith(prefix) for name in touched)


@pytest.mark.parametrize("sharing", SHARINGS)
def test_a_dense_mask_of_layers_with_fewer_choices(get_space: Get, sharing: str) -> None:
    """Padding is not executed, whatever weight it has."""
    space = get_space("motley")
    supernet = build(space, sharing).eval()
    mask = torch.softmax(
        torch.randn(4, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64), 1
    )
    garbage = torch.where(torch.from_numpy(space.valid), mask, torch.full_like(mask, torch.nan))
    torch.testing.assert_close(supernet(images(supernet), garbage), supernet(images(supernet), mask))


@pytest.mark.parametrize("sharing", SHARINGS)
def test_a_block_weighs_what_all_choices_of_its_decision_that_have_it_weigh(
    get_space: Get, sharing: str
) -> None:
    space = get_space("staged")
    supernet = build(space, sharing).eval()
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(len(space), space.max_choices, generator=generator, dtype=torch.float64)
    mask.requires_grad_()
    x = images(supernet)
    y = supernet.stem(x)
    for decision, row in zip(space.decisions, mask, strict=True):
        for place, layer in enumerate(decision.layers):
            block = supernet.mixed_blocks()[layer.index]
            each = zip(decision.columns, row, strict=False)
            y = sum(weight * block.run(y, columns[place]) for columns, weight in each)
    expected = supernet.finish(y)
    found = supernet(x, mask)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(each.square().sum(), mask)[0] for each in (found, expected)]
    torch.testing.assert_close(*gradients)
    assert gradients[0][2].nonzero().numel(), "a choice's weight reaches all layers"


def test_choices_that_run_the_same_block_in_a_layer_run_it_once(
    get_space: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two paths through a shared stage may differ in its depth alone."""
    space = get_space("staged")
    supernet = build(space, "independent")
    names = space.decisions[-1].names
    active = [(0,)] * (len(space) - 1) + [(names.index("k3x1"), names.index("k3x3"))]
    executed = Executed(supernet, monkeypatch)
    supernet(images(supernet, 16, 3), torch.ones(len(space), space.max_choices).double(), active)
    assert executed.choices[-3:] == [[0], [0, 3], [0, 3]]


@pytest.mark.parametrize(
    ("mask", "active", "message"),
    [
        (torch.ones(4, 6), None, r"Expected an \(4, 7\) floating mask"),
        (torch.ones(4), None, r"or \(4,\) integer choices, got \(4,\) of torch.float32"),
        (torch.ones(4, dtype=torch.bool), None, "of torch.bool"),
        (torch.ones(4, 7, dtype=torch.long), None, "of torch.int64"),
        (torch.tensor([0, 0, 2, 0]), None, "L3: 2"),
        (torch.ones(4, 7), [(0,)] * 3, "at least one active choice for each of 4 layers"),
        (torch.ones(4, 7), [(0,), (), (0,), (0,)], "at least one active choice"),
        (torch.ones(4, 7), [(0,), (0,), (2,), (0,)], "out of range"),
        (torch.ones(4, 7), [(-1,), (0,), (0,), (0,)], "out of range"),
    ],
)
def test_masks_that_do_not_fit(get_space: Get, mask: Tensor, active: Any, message: str) -> None:
    supernet = Supernet(get_space("motley"))
    with pytest.raises(ValueError, match=message):
        supernet(torch.zeros(1, 1, 8, 8), mask, active)


def test_wrong_arguments(get_space: Get) -> None:
    with pytest.raises(ValueError, match="Unknown sharing 'shared': expected one of independent, entangled"):
        Supernet(get_space("minimal"), "shared")
    with pytest.raises(ArchitectureError, match="is of space minimal, the architecture of motley"):
        Supernet(get_space("minimal")).extract(Architecture(get_space("motley"), (0, 0, 0, 0)))


def test_parameters_of_full_spaces() -> None:
    """Entangled weights are one E6 K7 SE block per layer; independent ones add all choices up."""
    space = SearchSpace.load("moga")
    costs = count(space)
    sizes = {s: sum(p.numel() for p in Supernet(space, s).parameters()) for s in SHARINGS}
    assert sizes["independent"] == costs.fixed_params + costs.params.sum()
    assert sizes["entangled"] == costs.params_of(Architecture.parse(" ".join(["E6K7SE"] * 14), space))


@pytest.mark.parametrize("sharing", ["independent", "entangled"])
def test_every_batch_norm_has_the_settings_of_the_space(get_space: Get, sharing: str) -> None:
    definition = get_space("fbnet").to_dict()
    definition |= {"format": "dnas-space/2", "norm": {"eps": 0.001, "momentum": 0.01}}
    definition["choices"]["skip"] = {"type": "skip"}
    space = SearchSpace.from_dict(definition)
    assert space.digest != SearchSpace.from_dict({**definition, "norm": {"eps": 0.001}}).digest
    supernet = Supernet(space, sharing)
    extracted = supernet.extract(Architecture(space, (0,) * len(space)))
    for network in (supernet, extracted):
        settings = {
            (each.eps, each.momentum) for each in network.modules() if isinstance(each, nn.BatchNorm2d)
        }
        assert settings == {(0.001, 0.01)}
