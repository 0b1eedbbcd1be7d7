"""Search spaces and architectures as data."""

from dnas.blocks.ops import output_size
from dnas.space.decisions import Decision
from dnas.space.layers import Choice, FixedOp, Layer
from dnas.space.space import Over, SearchSpace, shipped_spaces
from dnas.space.space_file import SpaceError

__all__ = [
    "Choice",
    "Decision",
    "FixedOp",
    "Layer",
    "Over",
    "SearchSpace",
    "SpaceError",
    "output_size",
    "shipped_spaces",
]
