"""One searchable layer of a supernet: all its choices behind a narrow interface.

``forward`` takes the layer's row of the mask and computes sum_i mask_i block_i(x) over the choices that are
active; ``extract`` gives one choice as a plain block. How choices share weights is the subclass's business:

* :class:`IndependentBlock`: one block per choice, as MoGA, FairNAS and FBNet have it;
* :class:`EntangledBlock`: every choice is a slice of one largest block, as in single-path NAS (arXiv
  1904.02877), Once-for-All (arXiv 1908.09791) and BigNAS (arXiv 2003.11142).
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnas.nn.blocks import ConvBNAct, InvertedResidual, SqueezeExcite, build_block, build_skip, pointwise
from dnas.nn.checkpointing import recomputed
from dnas.space import Choice, Layer


class MixedBlock(nn.Module, ABC):
    """All choices of one searchable layer.

    ``checkpointing`` tells what training keeps for the backward pass: everything (``none``), the input of
    every choice and computes the choice again (``choice``), or the input of the layer alone (``block``).
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        self.checkpointing = "none"

    @abstractmethod
    def run(self, x: Tensor, choice: int) -> Tensor:
        """The output of one choice: (N, in, h, w) to (N, out, h', w')."""

    @abstractmethod
    def extract(self, choice: int) -> nn.Module:
        """A plain block with the choice's weights and statistics; it computes what :meth:`run` does."""

    def forward(self, x: Tensor, weights: Tensor | None, active: Sequence[int]) -> Tensor:
        """sum over ``active`` of weights[i] * block_i(x); with ``weights`` None, the one active block itself.

        Args:
            x: (N, in, h, w).
            weights: (C,) the layer's row of the mask; entries outside ``active`` are not looked at.
            active: the choices to execute, at least one.
        """
        if self.checkpointing == "block" and torch.is_grad_enabled():
            return recomputed(self, self._mixture, x, weights, active)
        return self._mixture(x, weights, active)

    def _mixture(self, x: Tensor, weights: Tensor | None, active: Sequence[int]) -> Tensor:
        if weights is None:
            return self._one(x, active[0])
        weights = weights.to(x.dtype)
        total = weights[active[0]] * self._one(x, active[0])
        for choice in active[1:]:
            total = total + weights[choice] * self._one(x, choice)
        return total

    def _one(self, x: Tensor, choice: int) -> Tensor:
        if self.checkpointing == "choice" and torch.is_grad_enabled():
            return recomputed(self, self.run, x, choice)
        return self.run(x, choice)


class IndependentBlock(MixedBlock):
    """Each choice has weights and batch-norm statistics of its own."""

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer)
        self.blocks = nn.ModuleList(build_block(layer, choice) for choice in layer.choices)

    def run(self, x: Tensor, choice: int) -> Tensor:
        return self.blocks[choice](x)

    def extract(self, choice: int) -> nn.Module:
        return copy.deepcopy(self.blocks[choice])


class EntangledBlock(MixedBlock):
    """Every choice is a slice of one largest block.

    It is the centre of the largest kernel, the first hidden channels and the first squeezed channels.

    Batch norms: scale and shift are shared slices like the weights; running statistics are kept per choice,
    because kernels of different size have different output distributions. Choices with grouped 1x1
    convolutions share only with choices of equal groups and expansion, since slicing channels would cut
    through the groups. A skip has its own weights, if any.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer)
        self.family = [_family(choice) for choice in layer.choices]
        self.shared = nn.ModuleDict({name: _largest(layer, name) for name in dict.fromkeys(self.family)})
        for index, choice in enumerate(layer.choices):
            if not choice.skip:
                self._add_statistics(index, layer.hidden_channels(choice))

    def _add_statistics(self, choice: int, hidden: int) -> None:
        sizes = {"expand": hidden, "depthwise": hidden, "project": self.layer.out_channels}
        for part, size in sizes.items():
            self.register_buffer(f"{part}_mean_{choice}", torch.zeros(size))
            self.register_buffer(f"{part}_var_{choice}", torch.ones(size))

    def run(self, x: Tensor, choice: int) -> Tensor:
        block, spec = self.shared[self.family[choice]], self.layer.choices[choice]
        if not isinstance(block, InvertedResidual):
            return block(x)
        hidden, groups = self.layer.hidden_channels(spec), spec.groups
        y = pointwise(x, block.expand.conv.weight[:hidden], groups=groups)
        y = self._norm("expand", choice, block.expand, y)
        kernel = _cut(block.depthwise.conv.weight, (hidden, 1, spec.kernel, spec.kernel))
        y = F.conv2d(block.shuffle(y), kernel, None, self.layer.stride, spec.kernel // 2, groups=hidden)
        y = self._norm("depthwise", choice, block.depthwise, y)
        if spec.se:
            y = _sliced_squeeze_excite(block.se, y, self.layer.squeezed_channels(spec))
        y = pointwise(y, block.project.conv.weight[:, : hidden // groups], groups=groups)
        y = self._norm("project", choice, block.project, y)
        return x + y if block.residual else y

    def _norm(self, part: str, choice: int, conv: ConvBNAct, y: Tensor) -> Tensor:
        channels, bn = y.shape[1], conv.bn
        assert isinstance(bn, nn.BatchNorm2d) and bn.momentum is not None
        mean, var = self.get_buffer(f"{part}_mean_{choice}"), self.get_buffer(f"{part}_var_{choice}")
        scale, shift = bn.weight[:channels], bn.bias[:channels]
        return conv.act(F.batch_norm(y, mean, var, scale, shift, self.training, bn.momentum, bn.eps))

    @torch.no_grad()
    def extract(self, choice: int) -> nn.Module:
        block, spec = self.shared[self.family[choice]], self.layer.choices[choice]
        if spec.skip:
            return copy.deepcopy(block)
        # On the meta device nothing is initialised, so that no random numbers are drawn.
        with torch.device("meta"):
            target = build_block(self.layer, spec)
        whole = block.state_dict()
        for part in ("expand", "depthwise", "project"):
            for statistic in ("mean", "var"):
                whole[f"{part}.bn.running_{statistic}"] = self.get_buffer(f"{part}_{statistic}_{choice}")
        cut = {name: _cut(whole[name], value.shape).clone() for name, value in target.state_dict().items()}
        target.load_state_dict(cut, assign=True)
        return target.train(self.training)


def _family(choice: Choice) -> str:
    if choice.skip:
        return "skip"
    if choice.groups == 1:
        return "dense"
    return f"groups{choice.groups}_expansion{choice.expansion}".replace(".", "_")


def _largest(layer: Layer, family: str) -> nn.Module:
    members = [choice for choice in layer.choices if _family(choice) == family]
    if family == "skip":
        return build_skip(layer)
    largest = replace(
        members[0],
        expansion=max(choice.expansion for choice in members),
        kernel=max(choice.kernel for choice in members),
        se=0.0,
    )
    block = build_block(layer, largest)
    assert isinstance(block, InvertedResidual)
    squeezed = max(layer.squeezed_channels(choice) for choice in members)
    if squeezed:
        # Wide enough for every member: with unequal ratios the widest squeeze need not be the widest block's.
        block.se = SqueezeExcite(layer.hidden_channels(largest), squeezed, layer.activation)
    return block


def _sliced_squeeze_excite(se: nn.Module, y: Tensor, squeezed: int) -> Tensor:
    assert isinstance(se, SqueezeExcite)
    channels, reduce, expand = y.shape[1], se.reduce, se.expand
    assert reduce.bias is not None and expand.bias is not None
    gate = y.mean((2, 3), keepdim=True)
    gate = se.act(pointwise(gate, reduce.weight[:squeezed, :channels], reduce.bias[:squeezed]))
    gate = pointwise(gate, expand.weight[:channels, :squeezed], expand.bias[:channels])
    return y * se.gate(gate)


def _cut(whole: Tensor, shape: Sequence[int]) -> Tensor:
    """The part of a larger tensor that a choice uses: first channels, centre of the kernel."""
    channels = [slice(0, size) for size in shape[:2]]
    margins = [(large - small) // 2 for large, small in zip(whole.shape[2:], shape[2:], strict=True)]
    centre = [slice(margin, margin + size) for margin, size in zip(margins, shape[2:], strict=True)]
    return whole[(*channels, *centre)]


SHARINGS: dict[str, type[MixedBlock]] = {"independent": IndependentBlock, "entangled": EntangledBlock}
