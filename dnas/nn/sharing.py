"""The ways in which the choices of a layer share weights: not at all, or as slices of one block."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dnas.blocks.sharing import Projections, Together
from dnas.layers.fused.statistics import Running
from dnas.layers.layers import centre_cut
from dnas.layers.synchronised import batch_norm
from dnas.nn.mixed_block import MixedBlock
from dnas.space import Layer


class IndependentBlock(MixedBlock):
    """Each choice has weights and batch-norm statistics of its own, as in MoGA, FairNAS and FBNet."""

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer)
        self.blocks = nn.ModuleList(choice.build(layer) for choice in layer.choices)

    def run(self, x: Tensor, choice: int) -> Tensor:
        return self.blocks[choice](x)

    def extract(self, choice: int) -> nn.Module:
        return copy.deepcopy(self.blocks[choice])

    def block_of(self, choice: int) -> nn.Module:
        return self.blocks[choice]

    def project(self, together: Together, x: Tensor, choices: Sequence[int]) -> Projections:
        return together.independent(self, x, choices)


class EntangledBlock(MixedBlock):
    """Every choice is a slice of the largest block of its family, where its type has slices.

    As in single-path NAS (arXiv 1904.02877), Once-for-All (arXiv 1908.09791) and BigNAS (arXiv 2003.11142).

    Batch norms: scale and shift are shared slices like the weights; running statistics are kept per choice,
    because slices of different size have different output distributions. A skip has its own weights, if any,
    and so has every choice of a type without slices.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer)
        self.slices = [choice.type.slices() for choice in layer.choices]
        self.family = [_family(layer, index) for index in range(len(layer.choices))]
        self.shared = nn.ModuleDict({name: self._largest(name) for name in dict.fromkeys(self.family)})
        for index, slices in enumerate(self.slices):
            norms = slices.norms(layer, self.options(index)) if slices else {}
            for part, size in norms.items():
                self.register_buffer(f"{part}_mean_{index}", torch.zeros(size))
                self.register_buffer(f"{part}_var_{index}", torch.ones(size))

    def _largest(self, family: str) -> nn.Module:
        members = [index for index, name in enumerate(self.family) if name == family]
        slices = self.slices[members[0]]
        if slices is None:
            return self.layer.choices[members[0]].build(self.layer)
        return slices.largest(self.layer, [self.options(index) for index in members])

    def block_of(self, choice: int) -> nn.Module:
        return self.shared[self.family[choice]]

    def run(self, x: Tensor, choice: int) -> Tensor:
        slices = self.slices[choice]
        return slices.run(self, x, choice) if slices else self.block_of(choice)(x)

    def project(self, together: Together, x: Tensor, choices: Sequence[int]) -> Projections:
        if self.slices[choices[0]] is None:
            return together.independent(self, x, choices)
        return together.entangled(self, x, choices)

    def running(self, part: str, choice: int) -> Running:
        if self.slices[choice] is None:
            return super().running(part, choice)
        momentum = self.part(part, choice).norm.momentum
        assert momentum is not None
        mean, var = self.get_buffer(f"{part}_mean_{choice}"), self.get_buffer(f"{part}_var_{choice}")
        return Running(mean, var, momentum, None)

    def normalised(self, part: str, choice: int, y: Tensor) -> Tensor:
        """Batch normalisation and activation of a part, with the statistics of the choice."""
        conv, channels = self.part(part, choice), y.shape[1]
        bn = conv.norm
        assert bn.momentum is not None
        mean, var = self.get_buffer(f"{part}_mean_{choice}"), self.get_buffer(f"{part}_var_{choice}")
        scale, shift = bn.weight[:channels], bn.bias[:channels]
        return conv.act(batch_norm(bn, y, mean, var, scale, shift, bn.momentum))

    @torch.no_grad()
    def extract(self, choice: int) -> nn.Module:
        block, slices = self.block_of(choice), self.slices[choice]
        if slices is None:
            return copy.deepcopy(block)
        # On the meta device nothing is initialised, so that no random numbers are drawn.
        with torch.device("meta"):
            target = self.layer.choices[choice].build(self.layer)
        whole = block.state_dict()
        for part in slices.norms(self.layer, self.options(choice)):
            for statistic in ("mean", "var"):
                whole[f"{part}.bn.running_{statistic}"] = self.get_buffer(f"{part}_{statistic}_{choice}")
        cut = {
            name: centre_cut(whole[name], value.shape).clone() for name, value in target.state_dict().items()
        }
        target.load_state_dict(cut, assign=True)
        for part in slices.norms(self.layer, self.options(choice)):
            norm, shared = getattr(target, part).norm, self.part(part, choice).norm
            norm.eps, norm.momentum = shared.eps, shared.momentum
        return target.train(self.training)


def _family(layer: Layer, index: int) -> str:
    """Choices of one family share a block; its name is part of the parameters' names."""
    choice = layer.choices[index]
    slices = choice.type.slices()
    if slices is not None:
        return slices.family(choice.options)
    return "skip" if choice.skip else f"own_{index}"


# By the name that users give.
SHARINGS: dict[str, type[MixedBlock]] = {"independent": IndependentBlock, "entangled": EntangledBlock}
