"""The contract of a block type: what it must say so that everything else in the library can ask it.

A type imports torch where it builds, not at the top of its file: spaces are read, counted and listed without.
"""

from __future__ import annotations

import dataclasses
import types
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    Protocol,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from dnas.blocks.ops import Op

if TYPE_CHECKING:
    from torch import nn

    from dnas.blocks.sharing import Slices, Together


class BlockError(ValueError):
    """A block type that cannot be used, or one that nobody registered."""


class Position(Protocol):
    """Where a block stands: the shapes that every choice of a layer must keep.

    ``input_size`` and ``output_size`` are the sides of square maps in pixels; ``activation`` is a name of
    :data:`dnas.layers.activations.ACTIVATIONS`.
    """

    @property
    def in_channels(self) -> int: ...
    @property
    def out_channels(self) -> int: ...
    @property
    def stride(self) -> int: ...
    @property
    def input_size(self) -> int: ...
    @property
    def output_size(self) -> int: ...
    @property
    def activation(self) -> str: ...
    @property
    def divisor(self) -> int:
        """What hidden channels are rounded to a multiple of (:func:`dnas.blocks.widths.rounded`); 1: not."""

    @property
    def keeps_shape(self) -> bool:
        """Stride 1 and equal channels: a residual connection is possible."""


@dataclass(frozen=True)
class Glyph:
    """A box of a drawn block.

    Args:
        width: relative to the block's input channels.
        kernel: decides the colour, and is written into the box.
        outline, hatch: what a thick outline, or hatching, of this box says (for the legend); none when empty.
        channels: of the box, in place of ``width``, where the block gives a number and no ratio.
    """

    width: float
    kernel: int
    outline: str = ""
    hatch: str = ""
    channels: int | None = None

    def relative(self, in_channels: int) -> float:
        """The width where the block has so many input channels."""
        return self.width if self.channels is None else self.channels / in_channels


class BlockType(ABC):
    """A kind of block. A subclass sets ``name`` and ``Options`` and builds; the rest has defaults.

    Attributes:
        name: as written in YAML, ``type: inverted_residual``.
        Options: a frozen dataclass whose fields are made by :func:`option`: they are the keys in YAML.
        is_skip: whether it does nothing where the shape is kept, and as little as possible elsewhere.
    """

    name: ClassVar[str]
    Options: ClassVar[type]
    is_skip: ClassVar[bool] = False

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def problems(self, position: Position, options: Any) -> list[str]:
        """Every reason why the block cannot stand at ``position``, in words."""
        return []

    def ops(self, position: Position, options: Any) -> tuple[Op, ...]:
        """The operations in order of execution; by default those that the built module is seen to run.

        Raises:
            BlockError: the module runs something that :mod:`dnas.blocks.ops` has no word for.
        """
        from dnas.blocks.traced import traced_ops

        return traced_ops(self, position, options)

    @abstractmethod
    def build(self, position: Position, options: Any) -> nn.Module:
        """The module: (N, in_channels, h, w) to (N, out_channels, h', w')."""

    def glyphs(self, options: Any) -> tuple[Glyph, ...]:
        """How it is drawn: boxes from the input down; none: a thin line."""
        values = dataclasses.asdict(options)
        width, hidden = values.get("expansion", 1), values.get("hidden")
        return (Glyph(float(width or 0), int(values.get("kernel", 1)), channels=hidden),)

    def label(self, position: Position, name: str) -> str:
        """What a drawing calls the choice ``name`` there."""
        return name

    def column_names(self) -> tuple[str, ...]:
        """Names of what latency tables write of it, beside shapes, stride and activation."""
        return tuple(field.name for field in dataclasses.fields(self.Options))

    def columns(self, position: Position, options: Any) -> dict[str, Any]:
        """Their values, for people to read; by default those of :func:`stated_options`."""
        return stated_options(options)

    def slices(self) -> Slices | None:
        """How a choice is a slice of its layer's largest block, for entangled sharing; None: it is none."""
        return None

    def together(self) -> Together | None:
        """A faster way to compute many choices of this type at once; None: one after the other."""
        return None


_REQUIRED = dataclasses.MISSING
# Bounds of options that state none of their own: far from use, and from what overflows.
MAX_KERNEL, MAX_NUMBER = 255, 1_000_000


def option(
    description: str,
    *,
    default: Any = _REQUIRED,
    short: str = "",
    flag: bool = False,
    quiet: bool = False,
    instead_of: str = "",
    **schema: Any,
) -> Any:
    """A field of a type's Options.

    Args:
        description: what it means, with its unit.
        default: required in YAML without one.
        short: heading of its column in listings of an architecture; not listed when empty.
        flag: listings say whether it is set, not its value.
        quiet: latency tables do not write it while it has its default, nor do listings of an architecture
            when no choice of its space sets it.
        instead_of: another option, which must not be given beside this one. Without a default of its own
            exactly one of both is required.
        schema: further keywords of JSON Schema (minimum, maximum, ``odd=True``); numbers without a maximum
            are bounded by :data:`MAX_NUMBER`, odd ones by :data:`MAX_KERNEL`.
    """
    if schema.pop("odd", False):
        # Zero, where the minimum allows it, stands for none.
        schema = {"maximum": MAX_KERNEL, **schema, "not": {"multipleOf": 2, "minimum": 1}}
    metadata = {
        "description": description,
        "short": short,
        "flag": flag,
        "quiet": quiet,
        "instead_of": instead_of,
        "schema": schema,
    }
    if default is _REQUIRED:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def residual_option() -> Any:
    """The field ``residual`` of the Options of a type that adds its input where the shape is kept."""
    return option("false: the input is never added", default=True, quiet=True)


_JSON_TYPES: Mapping[Any, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER},
    float: {"type": "number", "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER},
    str: {"type": "string"},
}


def options_schema(options: type) -> dict[str, Any]:
    """JSON Schema of the options of a choice, from the annotations and :func:`option` of their fields.

    Raises:
        BlockError: an annotation that YAML has no value for.
    """
    hints, properties, required = get_type_hints(options), {}, []
    for field in dataclasses.fields(options):
        properties[field.name] = {
            **_json_type(hints[field.name], f"{options.__qualname__}.{field.name}"),
            "description": field.metadata.get("description", ""),
            **field.metadata.get("schema", {}),
        }
        if field.default is dataclasses.MISSING:
            required.append(field.name)
    schema = {"type": "object", "additionalProperties": False, "properties": properties, "required": required}
    named = {field.name: field.metadata.get("instead_of") for field in dataclasses.fields(options)}
    alternatives = [_one_of(other, name, options) for name, other in named.items() if other]
    return {**schema, "allOf": alternatives} if alternatives else schema


def _one_of(first: str, second: str, options: type) -> dict[str, Any]:
    """Not both; and one of both at least, where the first has no default to stand for it."""
    alone: list[dict[str, Any]] = [{"required": [first]}, {"required": [second]}]
    (default,) = (field.default for field in dataclasses.fields(options) if field.name == first)
    if default is not None:
        alone.append({"properties": {first: False, second: False}})
    return {"oneOf": alone}


def _json_type(hint: Any, place: str) -> dict[str, Any]:
    if get_origin(hint) is Literal:
        return {"enum": list(get_args(hint))}
    if get_origin(hint) in (types.UnionType, Union):
        return {"anyOf": [_json_type(each, place) for each in get_args(hint)]}
    if hint is type(None):
        return {"type": "null"}
    if hint not in _JSON_TYPES:
        raise BlockError(f"{place} is of {hint}: options are int, float, bool, str or Literal.")
    return dict(_JSON_TYPES[hint])


def option_values(options: Any) -> dict[str, Any]:
    """The options by name, in the order of their fields."""
    return {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}


def stated_options(options: Any) -> dict[str, Any]:
    """As :func:`option_values`, without quiet ones that have their default and what another replaces."""
    values = option_values(options)
    unsaid = {
        field.name if values[field.name] == field.default else field.metadata["instead_of"]
        for field in dataclasses.fields(options)
        if field.metadata.get("quiet")
    }
    return {name: value for name, value in values.items() if name not in unsaid}


def listed_options(options: Any) -> dict[str, str]:
    """Heading -> text of every option that listings show; an empty text where a flag is not set."""
    cells = {}
    fields = {field.name: field.metadata for field in dataclasses.fields(options)}
    for name, value in stated_options(options).items():
        heading = fields[name].get("short", "")
        if heading and fields[name].get("flag"):
            cells[heading] = "yes" if value else ""
        elif heading and value is not None:
            cells[heading] = f"{value:g}" if isinstance(value, float) else str(value)
    return cells
