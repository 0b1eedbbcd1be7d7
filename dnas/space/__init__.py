"""Search spaces and architectures as data."""

from dnas.space.space import Choice, FixedOp, Layer, SearchSpace, output_size, shipped_spaces
from dnas.space.space_file import SpaceError

__all__ = ["Choice", "FixedOp", "Layer", "SearchSpace", "SpaceError", "output_size", "shipped_spaces"]
