"""The weight-sharing supernet: every architecture of a space in one network, executed by a mask.

How the mask was drawn (soft Gumbel, two paths, one path, ...) is not the supernet's business; see
:mod:`dnas.search.gradient.masks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dnas.layers.fused.checkpointing import PLANS
from dnas.layers.layers import init_weights
from dnas.nn.graphs import LayerGraphs
from dnas.nn.mixed_block import MixedBlock
from dnas.nn.network import Frame, Network, layer_strides
from dnas.nn.sharing import SHARINGS
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture, ArchitectureError

Active = Sequence[Sequence[int]]
# Weights, alpha or both may learn, in training or not: each is a graph of its own.
GRAPHS_PER_LAYER = 8
# Name of the buffer of a layer, by its index.
_COLUMNS = "columns_{}"


class Supernet(Frame):
    """All architectures of ``space`` with shared weights.

    Args:
        sharing: ``independent`` (a block per choice: MoGA, FairNAS, FBNet) or ``entangled`` (every choice a
            slice of one block per layer: learns on small budgets).
        num_classes, in_channels, stem_stride: instead of the space's, for another data set.
        checkpointing: what training keeps for the backward pass: ``none`` keeps everything, ``choice`` the
            input of every choice, ``block`` the input of every layer; the rest is computed again, with the
            same result and the same running statistics.

    Raises:
        ValueError: an unknown ``sharing`` or ``checkpointing``.
    """

    blocks: nn.ModuleList

    def __init__(
        self,
        space: SearchSpace,
        sharing: str = "independent",
        *,
        num_classes: int | None = None,
        in_channels: int | None = None,
        stem_stride: int | None = None,
        checkpointing: str = "none",
    ) -> None:
        if checkpointing not in PLANS:
            raise ValueError(f"Unknown checkpointing {checkpointing!r}: expected one of {', '.join(PLANS)}.")
        if sharing not in SHARINGS:
            raise ValueError(f"Unknown sharing {sharing!r}: expected one of {', '.join(SHARINGS)}.")
        self.adaptation = {"num_classes": num_classes, "in_channels": in_channels, "stem_stride": stem_stride}
        adapted = space.adapt(**self.adaptation)
        super().__init__(adapted, nn.ModuleList(SHARINGS[sharing](layer) for layer in adapted.layers))
        self.space, self.sharing = space, sharing
        self.graphs: LayerGraphs | None = None
        self.strides = layer_strides(adapted)
        for block in self.mixed_blocks():
            block.checkpointing = checkpointing
        self.apply(init_weights)
        self._register_columns()

    def forward(self, images: Tensor, mask: Tensor, active: Active | None = None) -> Tensor:
        """Logits of a mixture, or of one architecture.

        Args:
            images: (N, in_channels, H, W).
            mask: (D, C) floating: a layer of decision d computes sum_i mask[d, i] block_i; or (D,) integers:
                one choice per decision, executed alone and unscaled.
            active: with a floating mask, the choices to execute of every decision (others must have weight
                0); all valid ones when None.

        Returns:
            (N, num_classes) logits.

        Raises:
            ValueError: a mask that does not fit the space.
        """
        rows, choices = self._plan(mask, active)
        x = self.stem(images)
        if self.graphs is not None and active is None and mask.is_floating_point():
            learnt = [row for row in rows if row is not None]
            y = self.graphs.run(list(self.blocks), x, learnt, choices)
            if y is not None:
                return self.finish(y)
        for block, row, chosen in zip(self.blocks, rows, choices, strict=True):
            x = block(x, row, chosen)
        return self.finish(x)

    @property
    def unshared(self) -> list[str]:
        """Block types without slices: under entangled sharing each of their choices keeps its own weights."""
        choices = [choice for layer in self.space.layers for choice in layer.choices if not choice.skip]
        without = {choice.type.name for choice in choices if choice.type.slices() is None}
        return sorted(without) if self.sharing == "entangled" else []

    def mixed_blocks(self) -> list[MixedBlock]:
        """One mixed block per layer."""
        return [block for block in self.blocks if isinstance(block, MixedBlock)]

    def compile_layers(self, backend: str = "inductor") -> None:
        """Compile each layer's training step with ``torch.compile``, when it first runs; equal layers once.

        For masks that run all choices: another selection of choices would be compiled anew. Parameters,
        checkpoints and :meth:`extract` stay as they are. torch's limit of graphs per function is raised, for
        the whole process, to what these layers need.

        Raises:
            ValueError: an unknown backend, or checkpointing, whose second forward pass would not be compiled.
        """
        known = torch.compiler.list_backends(exclude_tags=None)
        if backend not in known:
            raise ValueError(
                f"Unknown backend of torch.compile {backend!r}: expected one of {', '.join(known)}."
            )
        blocks = self.mixed_blocks()
        if any(block.checkpointing != "none" for block in blocks):
            raise ValueError("Compiled layers keep everything: checkpointing must be 'none'.")
        limit = GRAPHS_PER_LAYER * len(blocks)
        torch._dynamo.config.cache_size_limit = max(torch._dynamo.config.cache_size_limit, limit)
        for block in blocks:
            block.compile(backend=backend, dynamic=False)

    def capture_layers(self) -> None:
        """Replay the layers' training steps as CUDA graphs, for masks that run all choices.

        They are captured in the first step on a GPU, which takes a few seconds, and hold one pass at a time:
        backward() must come before the next forward pass. Parameters, checkpoints and :meth:`extract` stay as
        they are. Passes with other masks, images of another size, and evaluation run without graphs.
        """
        self.graphs = LayerGraphs()

    def _apply(self, *arguments: Any, **named: Any) -> Supernet:
        if self.graphs is not None:
            # Graphs read the weights where they were.
            self.capture_layers()
        super()._apply(*arguments, **named)
        return self

    def _plan(self, mask: Tensor, active: Active | None) -> tuple[Sequence[Tensor | None], Active]:
        """Of every layer its row of the mask, or None, and the choices to execute."""
        decisions, choices = len(self.space), self.space.max_choices
        if not mask.is_floating_point() and mask.dtype != torch.bool and mask.shape == (decisions,):
            arch = Architecture(self.space, tuple(mask.tolist()))
            return [None] * len(self.space.layers), [(index,) for index in arch.columns]
        if not mask.is_floating_point() or mask.shape != (decisions, choices):
            raise ValueError(
                f"Expected an ({decisions}, {choices}) floating mask or ({decisions},) integer choices, "
                f"got {tuple(mask.shape)} of {mask.dtype}."
            )
        counts = self.space.num_choices
        if active is None:
            active = [range(count) for count in counts]
        if len(active) != decisions or not all(len(row) for row in active):
            raise ValueError(
                f"Expected at least one active choice for each of {self.space.rows}, got {active}."
            )
        if any(min(row) < 0 or max(row) >= count for row, count in zip(active, counts, strict=True)):
            raise ValueError(
                f"Active choices out of range, {self.space.rows} have {counts} choices: {active}."
            )
        return self._of_layers(mask.unbind(), active)

    def _register_columns(self) -> None:
        """Of every layer, which of its choices each choice of its decision has; where the weights are."""
        for decision in self.space.decisions if self.space.shared else ():
            for layer, columns in zip(decision.layers, zip(*decision.columns, strict=True), strict=True):
                name = _COLUMNS.format(layer.index)
                self.register_buffer(name, torch.tensor(columns), persistent=False)

    def _of_layers(self, rows: Sequence[Tensor], active: Active) -> tuple[Sequence[Tensor], Active]:
        """Rows of the mask, and active choices, of every layer from those of every decision.

        A layer's block weighs as much as all choices of its decision that have it, together.
        """
        if not self.space.shared:
            return rows, active
        weights, chosen = list[Tensor](), list[Sequence[int]]()
        for decision, row, indices in zip(self.space.decisions, rows, active, strict=True):
            for layer, columns in decision.run_by(indices):
                having = self.get_buffer(_COLUMNS.format(layer.index))
                weights.append(row.new_zeros(len(layer.choices)).index_add(0, having, row[: len(having)]))
                chosen.append(columns)
        return weights, chosen

    @torch.no_grad()
    def extract(self, arch: Architecture) -> Network:
        """A plain network with a copy of the supernet's weights and statistics for ``arch``.

        It computes exactly what the supernet computes with a one-hot mask, in train and in eval mode.
        """
        if arch.space != self.space:
            raise ArchitectureError(
                f"This supernet is of space {self.space.name}, the architecture of {arch.space.name}."
            )
        parts = zip(self.mixed_blocks(), arch.columns, strict=True)
        blocks = (block.extract(choice) for block, choice in parts)
        network = Network.of_parts(arch, self, blocks, self.strides)
        return network.train(self.training)
