"""A network begins with the weights that its architecture has in a supernet, or is told why it cannot."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from dnas import Architecture, Network, SearchSpace
from dnas.runs.checkpoint import CheckpointError
from dnas.runs.checkpoint_file import read_supernet
from dnas.runs.trained import inherit_weights, read_network
from dnas.space import zoo


@pytest.mark.parametrize("kind", ["search_checkpoint", "one_shot_checkpoint"])
def test_it_computes_what_the_supernet_does(
    kind: str, tiny_space: SearchSpace, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(kind)
    arch = Architecture(tiny_space, (3, 1, 2))
    network = Network(arch, 10, drop_path=0.5)
    assert "except" not in inherit_weights(network, path)
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        expected = read_supernet(path).build_supernet()(images, torch.tensor(arch.indices))
        torch.testing.assert_close(network.eval()(images), expected)


def test_a_classifier_of_other_classes_stays(search_checkpoint: Path, tiny_space: SearchSpace) -> None:
    arch = Architecture(tiny_space, (3, 1, 2))
    network = Network(arch, 7)
    classifier = {name: value.clone() for name, value in network.classifier.state_dict().items()}
    assert "except the classifier: of 10 classes, not 7" in inherit_weights(network, search_checkpoint)
    expected = read_supernet(search_checkpoint).build_supernet().extract(arch).state_dict()
    for name, value in network.state_dict().items():
        part, _, rest = name.partition(".")
        assert torch.equal(value, classifier[rest] if part == "classifier" else expected[name]), name


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_refused(
    value: float, one_shot_checkpoint: Path, tiny_space: SearchSpace, tmp_path: Path
) -> None:
    """Of files that others wrote; ours hold none."""
    content = torch.load(one_shot_checkpoint, weights_only=True)
    content["state_dict"]["supernet.classifier.bias"][3] = value
    torch.save(content, tmp_path / "other.ckpt")
    message = "classifier.bias is not finite, one of 1: the training had diverged"
    with pytest.raises(CheckpointError, match=message):
        read_supernet(tmp_path / "other.ckpt").build_supernet()
    with pytest.raises(CheckpointError, match=message):
        inherit_weights(Network(Architecture(tiny_space, (3, 1, 2)), 10), tmp_path / "other.ckpt")
    network = Network(Architecture(tiny_space, (3, 1, 2)), 10)
    weights = {f"network.{name}": each for name, each in network.state_dict().items()}
    weights["network.classifier.bias"][3] = value
    content = {"architecture": network.arch.to_dict(), "state_dict": weights}
    torch.save(content, tmp_path / "network.ckpt")
    with pytest.raises(CheckpointError, match=f"network.ckpt: {message}"):
        read_network(tmp_path / "network.ckpt")


def test_what_does_not_fit(search_checkpoint: Path, tiny_space: SearchSpace, tmp_path: Path) -> None:
    arch = Architecture(tiny_space, (3, 1, 2))

    def refused(network: Network, message: str, path: Any = search_checkpoint) -> None:
        before = {name: value.clone() for name, value in network.state_dict().items()}
        with pytest.raises(CheckpointError, match=message):
            inherit_weights(network, path)
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())

    refused(Network(arch, 10, in_channels=1), "images of 3 channels, and this network has 1")
    refused(Network(zoo.load("moga_a"), 10), r"its space is tiny \(.*the architecture's moga")
    refused(Network(arch, 10), "No checkpoint", tmp_path / "none.ckpt")
