"""The graphs that are timed: real blocks behind a small convolution, so that they run as inside a network.

A block on its own pays for what a network pays only once: converting its input to the runtime's own layout
and its output back. Behind a prefix, T(prefix + block) - T(prefix) holds the difference of the two
conversions, and over the layers of a network these differences cancel to those of the network's ends.
"""

from __future__ import annotations

from torch import Tensor, nn

from dnas.layers.layers import ConvBNAct, fold_norms, init_weights
from dnas.nn.network import Frame, Network
from dnas.space import Choice, Layer, SearchSpace
from dnas.space.architecture import Architecture


class Head(nn.Module):
    """Everything after the last block: (N, channels, h, w) features to (N, classes) logits."""

    def __init__(self, frame: Frame) -> None:
        super().__init__()
        self.head, self.classifier = frame.head, frame.classifier

    def forward(self, features: Tensor) -> Tensor:
        return self.classifier(self.head(features))


def prefix(channels: int) -> nn.Module:
    """A 1x1 convolution that keeps the shape: what a block ends with, so what the next one follows."""
    return _deployed(ConvBNAct(channels, channels))


def behind_prefix(channels: int, module: nn.Module) -> nn.Module:
    """``module`` with :func:`prefix` before it."""
    return nn.Sequential(prefix(channels), module)


def block(layer: Layer, choice: Choice) -> nn.Module:
    """The block of a choice as it is deployed."""
    return _deployed(choice.build(layer))


def stem(space: SearchSpace) -> nn.Module:
    """Images to the first block's input."""
    return _deployed(Frame(space).stem)


def head(space: SearchSpace) -> nn.Module:
    """The last block's output to logits."""
    return _deployed(Head(Frame(space)))


def network(arch: Architecture) -> nn.Module:
    """A whole network as it is deployed."""
    return _deployed(Network(arch))


def _deployed(module: nn.Module) -> nn.Module:
    """Evaluation mode, random weights, batch norms folded into the convolutions as every runtime does."""
    module.apply(init_weights)
    module.eval()
    fold_norms(module)
    return module.requires_grad_(False)
