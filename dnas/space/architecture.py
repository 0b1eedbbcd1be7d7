"""An architecture as data: a space and one choice per decision, as JSON and as text (``E6K5 ... E6K5SE``)."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dnas.blocks.ops import Op
from dnas.space import Choice, Over, SearchSpace, shipped_spaces
from dnas.space.space_file import SpaceError
from dnas.support.documents import DocumentError, load_json, load_yaml, read_text
from dnas.support.files import write_text

FORMAT = "dnas-architecture/1"


class ArchitectureError(ValueError):
    """An architecture that does not fit its space, or a file that is none."""


@dataclass(frozen=True)
class Architecture:
    """One choice per decision of a space, mostly of every layer. Immutable and hashable.

    Args:
        space: the space it belongs to.
        indices: D integers, the column of what every decision chooses.

    Raises:
        ArchitectureError: wrong number of choices, or an index that a decision does not have.
    """

    space: SearchSpace
    indices: tuple[int, ...]

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "indices", tuple(map(operator.index, self.indices)))
        except TypeError:
            raise ArchitectureError(f"Choices must be integers, got {self.indices!r}.") from None
        if len(self.indices) != len(self.space):
            raise ArchitectureError(
                f"Space {self.space.name} has {self.space.rows}, but {len(self.indices)} choices were given."
            )
        pairs = zip(self.space.decisions, self.indices, strict=True)
        bad = [f"{each.name}: {index}" for each, index in pairs if not 0 <= index < len(each.names)]
        if bad:
            raise ArchitectureError(f"No such choice index in space {self.space.name}: {', '.join(bad)}.")

    @classmethod
    def parse(cls, text: str, space: SearchSpace) -> Architecture:
        """Read the text form: choice names separated by white space or commas, the first decision first."""
        return cls.from_names(text.replace(",", " ").split(), space)

    @classmethod
    def from_names(cls, names: Sequence[str], space: SearchSpace) -> Architecture:
        """One choice name per decision; raises :class:`ArchitectureError` listing every unknown name."""
        if len(names) != len(space):
            raise ArchitectureError(
                f"Space {space.name} has {space.rows}, but {len(names)} choices were given: {' '.join(names)}"
            )
        columns = [{name: index for index, name in enumerate(decision.names)} for decision in space.decisions]
        bad = [
            f"{decision.name}: {name!r} (known: {', '.join(column)})"
            for decision, name, column in zip(space.decisions, names, columns, strict=True)
            if name not in column
        ]
        if bad:
            raise ArchitectureError(f"Unknown choice(s) for space {space.name}:\n  " + "\n  ".join(bad))
        return cls(space, tuple(column[name] for name, column in zip(names, columns, strict=True)))

    @classmethod
    def random(
        cls, space: SearchSpace, generator: np.random.Generator, over: Over = "architectures"
    ) -> Architecture:
        """Draw one from an explicit NumPy generator, uniform over architectures or :meth:`networks
        <dnas.space.SearchSpace.sample>`."""
        return cls(space, tuple(space.sample(1, generator, over)[0]))

    @classmethod
    def load(cls, path: str | Path) -> Architecture:
        """Read an architecture file; further keys in it (costs, provenance) are left to their readers.

        It is JSON, or YAML by its name (.yaml, .yml), which may be easier to write by hand.
        """
        path = Path(path)
        data = read_data(path)
        try:
            return cls.from_dict(data)
        except (ArchitectureError, SpaceError) as error:
            raise ArchitectureError(f"{path}: {error}") from error

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Architecture:
        """The inverse of :meth:`to_dict`; choices need not be given where there is no choice."""
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            found = data.get("format") if isinstance(data, Mapping) else type(data).__name__
            raise ArchitectureError(f"expected 'format': {FORMAT!r}, found {found!r}.")
        if "space" not in data:
            raise ArchitectureError("missing space.")
        space = data["space"]
        space = SearchSpace.load(space) if isinstance(space, str) else SearchSpace.from_dict(space)
        choices = data.get(
            "choices", [each.names[0] for each in space.decisions] if space.size == 1 else None
        )
        if choices is None:
            raise ArchitectureError(f"missing choices: {space.name} has {space.size:,} architectures.")
        if not isinstance(choices, list) or not all(isinstance(name, str) for name in choices):
            raise ArchitectureError(f"'choices' must be a list of choice names, found {choices!r}.")
        if data.get("space_sha256", space.digest) != space.digest:
            raise ArchitectureError(
                f"it was made for another version of the space {space.name} "
                f"(sha256 {str(data['space_sha256'])[:12]}..., here {space.digest[:12]}...)."
            )
        return cls.from_names(choices, space)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: a shipped space by name, another one by its whole definition."""
        shipped = self.space.name in shipped_spaces() and SearchSpace.load(self.space.name) == self.space
        return {
            "format": FORMAT,
            "space": self.space.name if shipped else self.space.to_dict(),
            "space_sha256": self.space.digest,
            "choices": list(self.names),
        }

    def save(self, path: str | Path, extra: Mapping[str, Any] | None = None) -> Path:
        """Write the architecture file atomically; ``extra`` adds keys such as costs and provenance."""
        return write_text(path, json.dumps({**self.to_dict(), **(extra or {})}, indent=2) + "\n")

    @property
    def columns(self) -> tuple[int, ...]:
        """L integers: which of its choices every layer has."""
        pairs = zip(self.space.decisions, self.indices, strict=True)
        return tuple(column for decision, index in pairs for column in decision.columns[index])

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The chosen block of every layer."""
        return tuple(layer.choices[i] for layer, i in zip(self.space.layers, self.columns, strict=True))

    @property
    def ops(self) -> tuple[Op, ...]:
        """All its operations in order: stem, blocks, head."""
        pairs = zip(self.space.layers, self.choices, strict=True)
        blocks = (op for layer, choice in pairs for op in choice.ops(layer))
        return (*self.space.stem_ops, *blocks, *self.space.head_ops)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of every decision's choice."""
        pairs = zip(self.space.decisions, self.indices, strict=True)
        return tuple(decision.names[index] for decision, index in pairs)

    def canonical(self) -> Architecture:
        """The architecture that stands for all that build this network; see :meth:`SearchSpace.canonical`."""
        return Architecture(self.space, tuple(self.space.canonical(np.array([self.indices]))[0]))

    def __str__(self) -> str:
        return " ".join(self.names)


def read_data(path: Path) -> Any:
    """What an architecture file holds; raises :class:`ArchitectureError` for a file that cannot be read."""
    if not path.is_file():
        raise ArchitectureError(f"No architecture file {path}. 'dnas derive' writes one.")
    kind, load = ("YAML", load_yaml) if path.suffix in {".yaml", ".yml"} else ("JSON", load_json)
    try:
        return load(read_text(path))
    except DocumentError as error:
        raise ArchitectureError(
            f"{path} is not an architecture file, it is not valid {kind}: {error}"
        ) from error


def index_array(
    architectures: Architecture | Iterable[Architecture] | np.ndarray, space: SearchSpace
) -> np.ndarray:
    """(n, D) integers from one architecture, several, or an array of that shape; checked against ``space``.

    Raises:
        ArchitectureError: another space, a wrong shape, or indices out of range.
    """
    if isinstance(architectures, Architecture):
        architectures = [architectures]
    if not isinstance(architectures, np.ndarray):
        architectures = list(architectures)
        strangers = {a.space.name for a in architectures if isinstance(a, Architecture) and a.space != space}
        if strangers:
            raise ArchitectureError(
                f"Architecture(s) of another space ({', '.join(strangers)}) given to {space!r}."
            )
        rows = [a.indices if isinstance(a, Architecture) else a for a in architectures]
        architectures = np.array(rows) if rows else np.empty((0, len(space)), dtype=np.int64)
    genomes = np.atleast_2d(architectures)
    if genomes.ndim != 2 or genomes.shape[1] != len(space) or not np.issubdtype(genomes.dtype, np.integer):
        raise ArchitectureError(
            f"Expected an (n, {len(space)}) array of integers, got {genomes.shape} of {genomes.dtype}."
        )
    if genomes.size and (genomes.min() < 0 or (genomes.max(axis=0) >= np.array(space.num_choices)).any()):
        raise ArchitectureError(
            f"Choice indices out of range for space {space.name}: {space.rows} have {space.num_choices}."
        )
    return genomes
