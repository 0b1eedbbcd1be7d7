"""The networks of the zoo against their counterparts in torchvision and timm."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dnas import Network
from dnas.costs import count
from dnas.space import zoo

# Odd at every stride.
SIDE = 95


class Reference(NamedTuple):
    """What a network of the zoo is held against: a package and its name of the network."""

    network: str
    package: str
    name: str

    def build(self) -> nn.Module:
        if self.package == "torchvision":
            return torchvision.models.get_model(self.name, weights=None)
        timm = pytest.importorskip("timm", reason="the reference is timm's: pip install 'dnas[test]'")
        return timm.create_model(self.name, pretrained=False)


REFERENCES = [
    Reference(network, package, name)
    for network in zoo.names()
    for package, name in zoo.published(network).counterparts.items()
]
each_reference = pytest.mark.parametrize(
    "reference", REFERENCES, ids=lambda each: f"{each.package}-{each.name}"
)


def randomised(network: nn.Module) -> nn.Module:
    """Weights that keep the scale of the maps, and statistics that differ from channel to channel."""
    generator = torch.Generator().manual_seed(0)

    def normal(like: Tensor, scale: float) -> Tensor:
        return scale * torch.randn(like.shape, generator=generator, dtype=like.dtype)

    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.dim() > 1:
                value.copy_(normal(value, math.sqrt(2 / value[0].numel())))
            elif name.endswith(("weight", "var")):
                value.copy_(0.5 + torch.rand(value.shape, generator=generator, dtype=value.dtype))
            elif value.is_floating_point():
                value.copy_(normal(value, 0.1))
    return network


def with_weights_of(theirs: nn.Module, ours: nn.Module) -> nn.Module:
    """``ours`` with the state of ``theirs``, tensor by tensor in order."""
    names, given = list(ours.state_dict()), list(theirs.state_dict().values())
    assert [value.shape for value in ours.state_dict().values()] == [value.shape for value in given]
    ours.load_state_dict(dict(zip(names, given, strict=True)))
    return ours


def test_both_packages_are_references() -> None:
    assert {"torchvision", "timm"} == {reference.package for reference in REFERENCES}
    assert len(REFERENCES) >= 18


@each_reference
def test_parameters_and_multiply_adds_are_those_of_the_reference(reference: Reference) -> None:
    arch, printed = zoo.load(reference.network), zoo.published(reference.network).reference_counts
    costs, side = count(arch.space), arch.space.resolution
    with torch.device("meta"):
        theirs = reference.build().eval()
        with FlopCounterMode(display=False) as counter:
            theirs(torch.empty(1, 3, side, side))
    params = sum(each.numel() for each in theirs.parameters())
    assert costs.params_of(arch) == params == printed["params"]
    assert 2 * costs.madds_of(arch) == counter.get_total_flops() == 2 * printed["madds"]


@each_reference
def test_outputs_of_equal_weights_are_equal(reference: Reference) -> None:
    theirs = randomised(reference.build().double()).eval()
    ours = with_weights_of(theirs, Network(zoo.load(reference.network)).double()).eval()
    images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        expected = theirs(images)
        assert expected.std() > 1e-3, "a network that says the same of every image proves nothing"
        torch.testing.assert_close(ours(images), expected, rtol=1e-5, atol=1e-9)


@each_reference
def test_batch_norms_have_the_settings_of_the_reference(reference: Reference) -> None:
    with torch.device("meta"):
        theirs, ours = reference.build(), Network(zoo.load(reference.network))
    settings = [
        [(norm.eps, norm.momentum) for norm in network.modules() if isinstance(norm, nn.BatchNorm2d)]
        for network in (ours, theirs)
    ]
    assert [eps for eps, _ in settings[0]] == [eps for eps, _ in settings[1]]
    if reference.name != "mnasnet_100":  # torchvision's, where both libraries have the network
        assert [each for _, each in settings[0]] == pytest.approx([each for _, each in settings[1]])
