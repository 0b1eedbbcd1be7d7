"""The block types by name: those in this folder, and a user's own."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import re
import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

from dnas.blocks.base import BlockError, BlockType, options_schema

# Name of a type, which is that of its file here, and its class.
SHIPPED = {
    "inverted_residual": "InvertedResidual",
    "skip": "Skip",
    "universal_inverted_bottleneck": "UniversalInvertedBottleneck",
    "bottleneck": "Bottleneck",
    "fused_inverted_residual": "FusedInvertedResidual",
    "conv": "Conv",
    "separable": "Separable",
    "max_pool": "MaxPool",
}
_own: dict[str, BlockType] = {}
_files: dict[Path, list[str]] = {}


def names() -> list[str]:
    """The names that ``type:`` may have in a search space."""
    return [*SHIPPED, *_own]


def get(name: str) -> BlockType:
    """The type of that name.

    Raises:
        BlockError: there is none; the message names all there are.
    """
    if name in _own:
        return _own[name]
    if name not in SHIPPED:
        raise BlockError(
            f"Unknown block type {name!r}: known are {', '.join(names())}. A type of your own is registered "
            "by dnas.blocks.register, or on the command line by --blocks FILE.py."
        )
    return _shipped(name)


def register(block: type[BlockType]) -> type[BlockType]:
    """Make a type known under its name; usable as a decorator. The same class may be registered again.

    Raises:
        BlockError: no block type, or a name that another type has.
    """
    if not (isinstance(block, type) and issubclass(block, BlockType)):
        raise BlockError(f"{block!r} is no block type: expected a subclass of dnas.blocks.BlockType.")
    name, options = getattr(block, "name", None), getattr(block, "Options", None)
    if not (isinstance(name, str) and re.fullmatch(r"[a-z][a-z0-9_]*", name)):
        raise BlockError(f"{block.__qualname__}.name must be of a-z, 0-9 and _, got {name!r}.")
    if not (isinstance(options, type) and dataclasses.is_dataclass(options)):
        raise BlockError(f"{block.__qualname__}.Options must be a frozen dataclass, got {options!r}.")
    known = _own.get(name)
    if name in SHIPPED or (known and not _same(type(known), block)):
        raise BlockError(
            f"There is another block type {name!r} already: give {block.__qualname__} another name."
        )
    options_schema(options)
    if known is None:
        _own[name] = block()
    return block


def register_file(path: str | Path) -> list[str]:
    """Run a Python file and register the block types that it defines; returns their names.

    A file that was registered before is not run again.

    Raises:
        BlockError: no such file, a file that fails, or one without block types.
    """
    path = Path(path).resolve()
    if path in _files:
        return _files[path]
    if not path.is_file():
        raise BlockError(f"No file {path}: expected a Python file that defines block types.")
    name = f"dnas_user_blocks.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BlockError(f"{path} is no Python file: its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    # What the file defines is found by its module's name, when it is pickled for instance.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise BlockError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    defined = [each for each in vars(module).values() if _is_defined_in(each, name)]
    if not defined:
        raise BlockError(f"{path} defines no block type: no subclass of dnas.blocks.BlockType is in it.")
    _files[path] = [register(each).name for each in defined]
    return _files[path]


def registered_files() -> list[Path]:
    """The files that were registered, for a process that needs the same types."""
    return list(_files)


class _RegisterFile(argparse.Action):
    """Registers at once: the space is read after the options."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: object, value: object, option: str | None = None
    ) -> None:
        try:
            register_file(str(value))
        except BlockError as error:
            parser.error(str(error))


BLOCKS_FLAG = "--blocks"
OPTION_HELP = "Python file that defines block types of your own (may be given several times); it is run"


def add_option(parser: argparse.ArgumentParser) -> None:
    """Give a command that reads a space the option ``--blocks``."""
    default = argparse.SUPPRESS
    parser.add_argument(
        BLOCKS_FLAG, action=_RegisterFile, default=default, metavar="FILE.py", help=OPTION_HELP
    )


def register_files_of(argv: Sequence[str]) -> list[str]:
    """Register what ``--blocks`` names in arguments that another parser reads; returns the others.

    Raises:
        BlockError: as :func:`register_file`.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(BLOCKS_FLAG, dest="blocks", action="append", default=[])
    found, others = parser.parse_known_args(argv)
    for path in found.blocks:
        register_file(path)
    return others


def _is_defined_in(value: object, module: str) -> bool:
    return isinstance(value, type) and issubclass(value, BlockType) and value.__module__ == module


def _same(one: type, other: type) -> bool:
    """A file that is run twice defines its classes anew."""
    return (one.__module__, one.__qualname__) == (other.__module__, other.__qualname__)


@cache
def _shipped(name: str) -> BlockType:
    block = getattr(import_module(f"dnas.blocks.{name}"), SHIPPED[name])()
    assert isinstance(block, BlockType)
    return block
