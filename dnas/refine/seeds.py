"""Where a refinement begins: architectures of a differentiable search, of a front, of files, of the zoo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from dnas.runs.checkpoint_file import read
from dnas.search.evolution.algorithm import FloatArray, IntArray
from dnas.search.gradient.derivation import most_probable, sample
from dnas.search.gradient.masks import probabilities
from dnas.space import SearchSpace, zoo
from dnas.space.architecture import Architecture, ArchitectureError
from dnas.support.documents import load_json, read_text
from dnas.support.sealed_json import unseal

FRONT_FORMAT = "dnas-front/1"


class Seeds(NamedTuple):
    """Genomes to begin with, (n, L), and softmax(alpha), (L, C), of a search if one was among the sources."""

    genomes: IntArray
    prior: FloatArray | None


def read_seeds(sources: Sequence[str], space: SearchSpace, samples: int, seed: int) -> Seeds:
    """Read architectures of ``space`` from checkpoints, fronts, architecture files and names of the zoo.

    A search checkpoint gives its most probable architecture and ``samples`` distinct draws of softmax(alpha).

    Raises:
        ValueError: a source that is none of these, or of another space.
    """
    found: list[Architecture] = []
    prior = None
    for source in sources:
        if source.endswith(".ckpt"):
            checkpoint = read(source)
            _check_space(source, checkpoint.space, space)
            generator = np.random.default_rng([seed, 1])
            alpha = checkpoint.alpha
            derived = [most_probable(space, alpha), *sample(space, alpha, samples, generator)]
            found += [each.architecture for each in derived]
            prior = probabilities(alpha.double(), torch.from_numpy(space.valid)).numpy()
            continue
        architectures = _architectures(source, space)
        _check_space(source, architectures[0].space, space)
        found += architectures
    genomes = np.array([each.indices for each in found], dtype=np.int64).reshape(-1, len(space))
    return Seeds(genomes, prior)


def _architectures(source: str, space: SearchSpace) -> list[Architecture]:
    """One or more."""
    path = Path(source)
    if path.suffix != ".json" and not path.exists():
        return [zoo.load(source)]
    try:
        data = unseal(load_json(read_text(path)))
    except (OSError, ValueError) as error:
        raise ArchitectureError(f"--seed-from {source} cannot be read: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FRONT_FORMAT:
        return [Architecture.load(path)]
    if data.get("space_sha256") != space.digest:
        raise ArchitectureError(
            f"--seed-from {source}: a front of another space than the supernet's {space.name}."
        )
    members = [Architecture.from_names(member["choices"], space) for member in data.get("members", ())]
    if not members:
        raise ArchitectureError(f"--seed-from {source}: a front without members.")
    return members


def _check_space(source: str, found: SearchSpace, wanted: SearchSpace) -> None:
    if found != wanted:
        raise ArchitectureError(
            f"--seed-from {source} is of the space {found.name}, the supernet of {wanted.name}"
            f"{' in another version' if found.name == wanted.name else ''}."
        )
