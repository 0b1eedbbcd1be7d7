"""What a layer can be: one file per block type, the contract in :mod:`dnas.blocks.base`."""

from dnas.blocks.base import BlockError, BlockType, Glyph, Position, option
from dnas.blocks.registry import add_option, get, names, register, register_file

__all__ = [
    "BlockError",
    "BlockType",
    "Glyph",
    "Position",
    "add_option",
    "get",
    "names",
    "option",
    "register",
    "register_file",
]
