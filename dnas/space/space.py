"""A search space as data: searchable layers x choices between a fixed stem and a fixed head.

``moga`` is the space of MoGA (arXiv 1908.01314), ``fbnet`` that of FBNet (arXiv 1812.03443). A space
describes the *deployed* network (resolution, classes); training on smaller images or fewer classes adapts it.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from dnas.space.space_file import SpaceError, check, hidden_channels, parse


@dataclass(frozen=True)
class Choice:
    """One candidate block: an inverted residual (expansion, kernel, SE ratio, groups), or a skip."""

    name: str
    expansion: float = 1.0
    kernel: int = 1
    se: float = 0.0
    groups: int = 1
    skip: bool = False


@dataclass(frozen=True)
class Layer:
    """One searchable position: shapes that every choice must keep, and the choices allowed there."""

    index: int
    in_channels: int
    out_channels: int
    stride: int
    input_size: int
    activation: str
    choices: tuple[Choice, ...]

    @property
    def name(self) -> str:
        """Field convention: L1 is the first searchable layer."""
        return f"L{self.index + 1}"

    @property
    def output_size(self) -> int:
        """Side of the output map in pixels (padding is kernel // 2)."""
        return output_size(self.input_size, self.stride)

    @property
    def keeps_shape(self) -> bool:
        """Whether a residual connection is possible: stride 1 and equal channels."""
        return self.stride == 1 and self.in_channels == self.out_channels

    def hidden_channels(self, choice: Choice) -> int:
        """Channels between expansion and projection (0 for a skip)."""
        return 0 if choice.skip else hidden_channels(self.in_channels, choice.expansion)

    def squeezed_channels(self, choice: Choice) -> int:
        """Channels between the two squeeze-excite layers (0 without squeeze-excite)."""
        return int(self.hidden_channels(choice) * choice.se)


@dataclass(frozen=True)
class FixedOp:
    """One operation of the stem or head: ``conv``, ``separable``, ``pool`` or ``dropout``."""

    type: str
    in_channels: int
    out_channels: int
    input_size: int
    kernel: int = 1
    stride: int = 1
    activation: str = "none"
    norm: bool = True
    rate: float = 0.0

    @property
    def output_size(self) -> int:
        return 1 if self.type == "pool" else output_size(self.input_size, self.stride)


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """Layers x choices with a fixed stem and head; make one with :meth:`load` or :meth:`from_dict`.

    ``reduced_from`` names the space that these layers are a subset of: its latency tables fit this one.
    """

    name: str
    resolution: int
    in_channels: int
    num_classes: int
    stem: tuple[FixedOp, ...]
    layers: tuple[Layer, ...]
    head: tuple[FixedOp, ...]
    reduced_from: str | None
    definition: Mapping[str, Any]

    @classmethod
    def load(cls, name_or_path: str | Path) -> SearchSpace:
        """Load a shipped space by name, or a user's own from a YAML file (schema: docs/spaces.md).

        Raises:
            SpaceError: no such space, or every mistake in the file with its place.
        """
        path = Path(name_or_path)
        if path.suffix in {".yaml", ".yml"}:
            if not path.is_file():
                raise SpaceError(
                    f"No search space file {path}. Shipped spaces: {', '.join(shipped_spaces())}."
                )
            return cls.from_dict(parse(path.read_bytes(), str(path)), checked=True)
        if str(name_or_path) not in shipped_spaces():
            raise SpaceError(
                f"Unknown search space {str(name_or_path)!r}. "
                f"Give one of {', '.join(shipped_spaces())}, or the path of a .yaml file."
            )
        source = resources.files("dnas.space").joinpath(f"spaces/{name_or_path}.yaml")
        return cls.from_dict(parse(source.read_bytes(), f"{name_or_path}.yaml"), checked=True)

    @classmethod
    def from_dict(cls, definition: Mapping[str, Any], *, checked: bool = False) -> SearchSpace:
        """Build a space from the plain data of its YAML file; raises :class:`SpaceError`."""
        if not checked:
            check(definition)
        return _build(copy.deepcopy(dict(definition)))

    def to_dict(self) -> dict[str, Any]:
        """The plain data this space was built from; ``from_dict`` gives an equal space."""
        return copy.deepcopy(dict(self.definition))

    def adapt(
        self,
        *,
        resolution: int | None = None,
        num_classes: int | None = None,
        in_channels: int | None = None,
        stem_stride: int | None = None,
    ) -> SearchSpace:
        """The same layers and choices for other images: what training on a small data set needs."""
        definition = self.to_dict()
        given = {"resolution": resolution, "num_classes": num_classes, "in_channels": in_channels}
        definition.update({key: value for key, value in given.items() if value is not None})
        if stem_stride is not None:
            definition["stem"][0]["stride"] = stem_stride
        return SearchSpace.from_dict(definition)

    def choices(self, layer: int) -> tuple[Choice, ...]:
        """The choices allowed in ``layer`` (0-based), in the order of the columns of every cost table."""
        return self.layers[layer].choices

    @cached_property
    def num_choices(self) -> tuple[int, ...]:
        """Number of choices of every layer."""
        return tuple(len(layer.choices) for layer in self.layers)

    @property
    def max_choices(self) -> int:
        """C of every (L, C) table: layers with fewer choices are padded, see :attr:`valid`."""
        return max(self.num_choices)

    @cached_property
    def valid(self) -> np.ndarray:
        """(L, C) bool: which entries of an (L, C) table stand for a choice."""
        return np.arange(self.max_choices) < np.array(self.num_choices)[:, None]

    @cached_property
    def size(self) -> int:
        """Number of architectures."""
        return math.prod(self.num_choices)

    @cached_property
    def digest(self) -> str:
        """sha256 of everything that defines the networks (not of the description)."""
        essential = {
            k: v for k, v in self.definition.items() if k not in {"description", "reference", "reduced_from"}
        }
        # As a list: the order of the choices is the order of the columns, so it is part of the identity.
        essential["choices"] = list(essential["choices"].items())
        essential["in_channels"] = self.in_channels
        return hashlib.sha256(json.dumps(essential, sort_keys=True).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.layers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SearchSpace) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"SearchSpace({self.name!r}, {len(self)} layers, {self.size:,} architectures)"


def shipped_spaces() -> list[str]:
    """Names that :meth:`SearchSpace.load` knows."""
    files = resources.files("dnas.space").joinpath("spaces").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def output_size(input_size: int, stride: int) -> int:
    """Side of a map after a convolution with padding kernel // 2."""
    return (input_size - 1) // stride + 1


def _build(definition: dict[str, Any]) -> SearchSpace:
    channels, size = definition.get("in_channels", 3), definition["resolution"]
    stem = _fixed(definition["stem"], channels, size)
    channels, size = stem[-1].out_channels, stem[-1].output_size
    every = {name: Choice(name, **options) for name, options in definition["choices"].items()}
    layers: list[Layer] = []
    for index, entry in enumerate(definition["layers"]):
        names = entry.get("choices", list(every))
        choices = tuple(every[name] for name in names)
        layers.append(
            Layer(index, channels, entry["out"], entry["stride"], size, entry["activation"], choices)
        )
        channels, size = entry["out"], layers[-1].output_size
    return SearchSpace(
        name=definition["name"],
        resolution=definition["resolution"],
        in_channels=definition.get("in_channels", 3),
        num_classes=definition["num_classes"],
        stem=stem,
        layers=tuple(layers),
        head=_fixed(definition["head"], channels, size),
        reduced_from=definition.get("reduced_from"),
        definition=definition,
    )


def _fixed(entries: list[dict[str, Any]], channels: int, size: int) -> tuple[FixedOp, ...]:
    ops: list[FixedOp] = []
    for entry in entries:
        options = {key: value for key, value in entry.items() if key != "out"}
        out = entry.get("out", channels)
        ops.append(FixedOp(in_channels=channels, out_channels=out, input_size=size, **options))
        channels, size = out, ops[-1].output_size
    return tuple(ops)
