"""A search space as data: decisions about searchable layers, between a fixed stem and a fixed head.

``moga`` is the space of MoGA (arXiv 1908.01314), ``fbnet`` that of FBNet (arXiv 1812.03443) and
``nasbench_macro`` that of NAS-Bench-Macro (arXiv 2103.11922). A space describes the *deployed* network
(resolution, classes); training on smaller images or fewer classes adapts it.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dnas.blocks.ops import Op
from dnas.space import canonical, scaling
from dnas.space.assembly import assemble, stages_of
from dnas.space.decisions import Decision
from dnas.space.layers import Choice, FixedOp, Layer
from dnas.space.space_file import SpaceError, check, parse

# What a draw is uniform over.
Over = Literal["architectures", "networks"]


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """Decisions x choices with a fixed stem and head; make one with :meth:`load` or :meth:`from_dict`.

    Mostly every layer has a decision of its own; the layers of a shared stage have one in common.

    ``reduced_from`` names the space that these layers are a subset of: its latency tables fit this one.
    """

    name: str
    resolution: int
    in_channels: int
    num_classes: int
    stem: tuple[FixedOp, ...]
    layers: tuple[Layer, ...]
    decisions: tuple[Decision, ...]
    head: tuple[FixedOp, ...]
    reduced_from: str | None
    definition: Mapping[str, Any]

    @classmethod
    def load(cls, name_or_path: str | Path) -> SearchSpace:
        """Load a shipped space by name, or a user's own from a YAML file (schema: docs/spaces.md).

        A network of the zoo that is in no shipped space is a space of one architecture, of the same name. A
        member of a family has a name, too: ``fbnet_w0.35_96px`` (see :meth:`scale`).

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
        name, factors = scaling.factors_of(str(name_or_path))
        if name not in shipped_spaces():
            return _space_of_network(name).scale(**factors)
        source = resources.files("dnas.space").joinpath(f"spaces/{name}.yaml")
        return cls.from_dict(parse(source.read_bytes(), f"{name}.yaml"), checked=True).scale(**factors)

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

    def scale(
        self,
        *,
        width: float = 1.0,
        resolution: int | None = None,
        divisor: int | None = None,
        head: bool = True,
    ) -> SearchSpace:
        """The member of this space's family with other widths, deployed at another resolution.

        Args:
            width: factor of all channels of stem, layers, head and blocks (MobileNet's width multiplier);
                1 changes none of them.
            resolution: side of the input image in pixels; this space's own by default.
            divisor: scaled channels become the nearest multiple of it: at least one of it, never below 90 %
                of the product. By default the ``divisor`` of the space, else 8.
            head: False keeps the head's channels. No paper of the shipped spaces says whether theirs shrink.

        Returns:
            A space of its own, named after both factors, as ``fbnet_w0.35_96px``; this one where they change
            nothing.

        Raises:
            SpaceError: no usable number, channels or maps that vanish, or groups that do not divide the
                scaled channels; one message.
        """
        if width == 1 and resolution in (None, self.resolution):
            return self
        return SearchSpace.from_dict(
            scaling.scaled(self.definition, width=width, resolution=resolution, divisor=divisor, head=head)
        )

    @property
    def stem_ops(self) -> tuple[Op, ...]:
        """All operations before the first searchable layer."""
        return tuple(op for entry in self.stem for op in entry.ops)

    @property
    def head_ops(self) -> tuple[Op, ...]:
        """All operations after the last searchable layer, the classifier with bias included."""
        classifier = Op("linear", self.head[-1].out_channels, self.num_classes, 1, bias=True)
        return (*(op for entry in self.head for op in entry.ops), classifier)

    def choices(self, layer: int) -> tuple[Choice, ...]:
        """The choices allowed in ``layer`` (0-based), in the order of the file."""
        return self.layers[layer].choices

    @cached_property
    def shared(self) -> bool:
        """Whether a decision governs several layers; else decision d is about layer d."""
        return len(self.decisions) < len(self.layers)

    @cached_property
    def num_choices(self) -> tuple[int, ...]:
        """Number of choices of every decision."""
        return tuple(len(decision.names) for decision in self.decisions)

    @property
    def max_choices(self) -> int:
        """C of every (D, C) table: decisions with fewer choices are padded, see :attr:`valid`."""
        return max(self.num_choices)

    @cached_property
    def valid(self) -> np.ndarray:
        """(D, C) bool: which entries of a (D, C) table stand for a choice."""
        return np.arange(self.max_choices) < np.array(self.num_choices)[:, None]

    def sum_of_layers(self, values: np.ndarray) -> np.ndarray:
        """What every choice of every decision adds up to, from what every choice of every layer is.

        Args:
            values: (L, K), K at least the choices of the layer that has most.

        Returns:
            (D, C) of the same type; where nothing is shared, ``values`` themselves.
        """
        if not self.shared:
            return values
        table = np.zeros((len(self), self.max_choices), values.dtype)
        for decision in self.decisions:
            for layer, columns in zip(decision.layers, zip(*decision.columns, strict=True), strict=True):
                table[decision.index, : len(columns)] += values[layer.index, list(columns)]
        return table

    @property
    def layers_by_choices(self) -> tuple[int, int]:
        """(L, K) of a table with a row for every layer; K are the choices of the layer that has most."""
        return len(self.layers), max(len(layer.choices) for layer in self.layers)

    @cached_property
    def size(self) -> int:
        """Number of architectures."""
        return math.prod(self.num_choices)

    @cached_property
    def runs(self) -> tuple[canonical.Run, ...]:
        """The decisions in runs of equal ones, within which identities can move."""
        return canonical.runs_of(self.decisions)

    @cached_property
    def distinct(self) -> int:
        """Number of different networks, exact; see :meth:`canonical`."""
        return canonical.distinct(self.runs)

    def canonical(self, genomes: np.ndarray) -> np.ndarray:
        """The architecture that stands for all that build the same network, of many at once.

        Args:
            genomes: (n, D) integers, a choice of every decision.

        Returns:
            (n, D): identities moved to the end of their run of equal layers (same shapes, activation and
            choices). Equal rows are equal networks.

        Raises:
            ValueError: another shape or type, or choices that the decisions do not have.
        """
        counts = np.array(self.num_choices)
        integers = isinstance(genomes, np.ndarray) and np.issubdtype(genomes.dtype, np.integer)
        if not integers or genomes.ndim != 2 or genomes.shape[1] != len(self):
            raise ValueError(f"Expected (n, {len(self)}) integers, the choices of {self.rows}.")
        if (genomes < 0).any() or (genomes >= counts).any():
            raise ValueError(f"Choices out of range: {self.rows} have {', '.join(map(str, counts))} choices.")
        return canonical.canonical(self.runs, genomes)

    @property
    def rows(self) -> str:
        """For messages: ``14 layers``, or ``7 decisions`` where some govern several."""
        return f"{len(self)} {'decisions' if self.shared else 'layers'}"

    def restricted(self, kept: Sequence[Sequence[str]]) -> dict[str, Any]:
        """The plain data of a space with fewer choices.

        Args:
            kept: for every decision the names of the choices that it keeps, at least one.
        """
        definition = self.to_dict()
        names, stages = iter(kept), list[dict[str, Any]]()
        for stage in stages_of(definition):
            if stage.get("shared"):
                stages.append({**stage, "choices": list(next(names))})
                continue
            only = {key: value for key, value in stage.items() if key not in {"repeat", "optional", "shared"}}
            for position in range(stage.get("repeat", 1)):
                stride = {"stride": 1} if position else {}
                stages.append({**only, **stride, "choices": list(next(names))})
        definition["stages" if "stages" in definition else "layers"] = stages
        used = {name for stage in stages for name in stage["choices"]}
        if self._names_of_skips & used - set(definition["choices"]):
            definition["choices"]["skip"] = {"type": "skip"}
        return definition

    @property
    def _names_of_skips(self) -> set[str]:
        return {choice.name for layer in self.layers for choice in layer.choices if choice.skip}

    def sample(self, number: int, generator: np.random.Generator, over: Over = "architectures") -> np.ndarray:
        """Draw architectures, (number, D) int64, independently: one may come twice.

        Args:
            over: "architectures", every choice of every decision equally likely; or "networks", every
                different network, in its canonical form. Without identities both are the same draws.

        Raises:
            ValueError: another ``over``.
        """
        if over not in ("architectures", "networks"):
            raise ValueError(f"over must be 'architectures' or 'networks', got {over!r}")
        if over == "architectures" or self.distinct == self.size:
            return generator.integers(self.num_choices, size=(number, len(self)))
        return canonical.sample(self.runs, number, generator)

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
        """Number of decisions."""
        return len(self.decisions)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SearchSpace) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"SearchSpace({self.name!r}, {self.rows}, {self.size:,} architectures)"


def shipped_spaces() -> list[str]:
    """Names that :meth:`SearchSpace.load` knows."""
    files = resources.files("dnas.space").joinpath("spaces").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def _space_of_network(name: str) -> SearchSpace:
    """The space that a network of the zoo is."""
    from dnas.space import zoo  # here, because the networks of the zoo are made of spaces

    alone = zoo.spaces_of_one()
    if name in alone:
        return zoo.load(name).space
    other = f"{name} is a network of the space {zoo.space_name(name)}. " if name in zoo.names() else ""
    raise SpaceError(
        f"Unknown search space {name!r}. {other}Give one of {', '.join(shipped_spaces())} (or one scaled, as "
        "moga_w0.5_96px), the path of a .yaml file, or a network of the zoo that is a space of its own: "
        f"{', '.join(alone)}."
    )


def _build(definition: dict[str, Any]) -> SearchSpace:
    parts = assemble(definition)
    return SearchSpace(
        name=definition["name"],
        resolution=definition["resolution"],
        in_channels=definition.get("in_channels", 3),
        num_classes=definition["num_classes"],
        stem=parts.stem,
        layers=parts.layers,
        decisions=parts.decisions,
        head=parts.head,
        reduced_from=definition.get("reduced_from"),
        definition=definition,
    )
