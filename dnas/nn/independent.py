"""One block per choice, as MoGA, FairNAS and FBNet have it."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from torch import Tensor, nn

from dnas.blocks.sharing import Projections, Together
from dnas.nn.mixed_block import MixedBlock
from dnas.space import Layer


class IndependentBlock(MixedBlock):
    """Each choice has weights and batch-norm statistics of its own."""

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
