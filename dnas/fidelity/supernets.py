"""The supernets of an audit, of one space and each with a name, and what they say of architectures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dnas.fidelity.settings import Settings
from dnas.fidelity.source import Tell
from dnas.refine.population import PopulationEvaluator
from dnas.runs.checkpoint import SupernetCheckpoint
from dnas.runs.checkpoint_file import read_supernet
from dnas.runs.evaluator import Evaluation
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from dnas.support.devices import torch_device


class Supernet(NamedTuple):
    """A trained supernet under the name that tables and figures give it."""

    name: str
    file: str
    checkpoint: SupernetCheckpoint

    @property
    def space(self) -> SearchSpace:
        """What it is a supernet of."""
        return self.checkpoint.space

    @property
    def stem_stride(self) -> int:
        """Stride of the first convolution, which differs from the space's where images are small."""
        return self.checkpoint.supernet_options.get("stem_stride") or self.space.stem[0].stride

    def describe(self) -> dict[str, Any]:
        """Plain data about it."""
        checkpoint = self.checkpoint
        return {
            "name": self.name,
            "file": self.file,
            "sha256": checkpoint.sha256,
            "kind": checkpoint.kind,
            "sharing": checkpoint.supernet_options.get("sharing"),
            "epoch": checkpoint.epoch,
            "seed": checkpoint.seed,
            "training": dict(checkpoint.training),
            "data": checkpoint.data,
        }


def read_supernets(given: Sequence[str]) -> list[Supernet]:
    """Read checkpoints given as PATH or NAME=PATH; without a name one is called after its weight sharing.

    Raises:
        ValueError: everything that is wrong with any of them, or why they cannot stand side by side.
    """
    problems, found = [], []
    for text in given:
        name, path = _split(text)
        try:
            found.append(Supernet(name, path, read_supernet(path)))
        except ValueError as error:
            problems.append(str(error))
    problems = problems or _mismatches(found)
    if problems:
        raise ValueError("\n".join(problems))
    return _named(found)


def evaluate(
    supernet: Supernet, architectures: Sequence[Architecture], settings: Settings, tell: Tell
) -> list[Evaluation]:
    """One-shot loss and accuracy on the validation split, kept in the output folder.

    Raises:
        ValueError: the supernet cannot be rebuilt, or its data is missing.
    """
    evaluate_all = PopulationEvaluator.of_checkpoint(
        supernet.checkpoint, settings.recalibration_batches, torch_device(settings.device), settings.output
    )
    records = evaluate_all(
        np.array([each.indices for each in architectures]),
        lambda done, of: tell(f"One-shot, {supernet.name}", done, of),
    )
    return [record.evaluation for record in records]


def _split(text: str) -> tuple[str, str]:
    """(name, path); the names of Lightning's own checkpoints have equals signs."""
    name, equals, path = text.partition("=")
    return ("", text) if not equals or Path(text).exists() else (name, path)


def _mismatches(supernets: Sequence[Supernet]) -> list[str]:
    problems = [
        f"--checkpoint {name}=...: the name is given twice"
        for name, times in Counter(each.name for each in supernets if each.name).items()
        if times > 1
    ]
    same = _grouped(supernets, [each.checkpoint.sha256 for each in supernets])
    problems += [f"{' and '.join(files)} are the same supernet" for files in same.values() if len(files) > 1]
    spaces = _grouped(supernets, [f"{each.space.name} ({each.space.digest[:12]}...)" for each in supernets])
    if len(spaces) > 1:
        problems.append(f"Only supernets of one space can be compared: {_listed(spaces)}.")
    strides = _grouped(supernets, [f"stem stride {each.stem_stride}" for each in supernets])
    if len(strides) > 1:
        problems.append(f"The supernets are of different networks: {_listed(strides)}.")
    return problems


def _grouped(supernets: Sequence[Supernet], values: Sequence[str]) -> dict[str, list[str]]:
    """Value -> files of the supernets that have it."""
    groups: dict[str, list[str]] = {}
    for supernet, value in zip(supernets, values, strict=True):
        groups.setdefault(value, []).append(supernet.file)
    return groups


def _listed(groups: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{value} in {', '.join(files)}" for value, files in groups.items())


def _named(supernets: Sequence[Supernet]) -> list[Supernet]:
    """With the kind of weight sharing for a name, numbered where several have the same."""
    plain = [each.name or str(each.checkpoint.supernet_options.get("sharing")) for each in supernets]
    names = [f"{n} {plain[: i + 1].count(n)}" if plain.count(n) > 1 else n for i, n in enumerate(plain)]
    return [each._replace(name=name) for each, name in zip(supernets, names, strict=True)]
