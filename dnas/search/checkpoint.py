"""The plain-data section of a search checkpoint, and reading it without Lightning.

A checkpoint written by Lightning carries, under ``"dnas"``, plain data that deriving needs: the space, alpha, which
latency table was used, how the supernet was built, which data it saw. Nothing in it is a pickled object: files are
read with ``weights_only=True``.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dnas.nn.supernet import Supernet
from dnas.space import SearchSpace
from dnas.space_file import SpaceError

SECTION = "dnas"
FORMAT = "dnas-search/1"
_REQUIRED = ("space", "alpha", "table", "supernet")


class CheckpointError(ValueError):
    """A file that is not a readable search checkpoint; the message says what was expected and what to do."""


@dataclass(frozen=True)
class SearchCheckpoint:
    """What a search left behind.

    Attributes:
        alpha: (L, C) float32 architecture logits.
        table: name, kind and sha256 of the latency table that was used.
        supernet_options: sharing, num_classes, in_channels, stem_stride.
        data: class path and arguments of the data module, if there was one.
        history: metrics of every epoch.
        sha256: of the file.
    """

    space: SearchSpace
    alpha: Tensor
    table: Mapping[str, Any]
    supernet_options: Mapping[str, Any]
    weights: Mapping[str, Tensor] = field(repr=False)
    epoch: int
    seed: int
    versions: Mapping[str, str]
    data: Mapping[str, Any] | None
    history: list[dict[str, float]] = field(repr=False)
    sha256: str

    def build_supernet(self) -> Supernet:
        """The supernet with its trained weights, in eval mode."""
        supernet = Supernet(self.space, **self.supernet_options)
        supernet.load_state_dict(dict(self.weights))
        return supernet.eval()


def section(
    *,
    space: SearchSpace,
    alpha: Tensor,
    table: Mapping[str, Any],
    supernet: Supernet,
    seed: int,
    draws: int,
    versions: Mapping[str, str],
    data: Mapping[str, Any] | None,
    history: list[dict[str, float]],
) -> dict[str, Any]:
    """The plain data to store under :data:`SECTION`."""
    return {
        "format": FORMAT,
        "space": space.to_dict(),
        "alpha": alpha.detach().float().cpu().clone(),
        "table": dict(table),
        "supernet": {"sharing": supernet.sharing, **supernet.adaptation},
        "seed": seed,
        "draws": draws,
        "versions": dict(versions),
        "data": data,
        "history": history,
    }


def read(path: str | Path) -> SearchCheckpoint:
    """Read a search checkpoint.

    Raises:
        CheckpointError: no such file, damaged, or written by something else.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(
            f"No checkpoint {path}. 'dnas fit --config digits/search.yaml' writes one into its run folder."
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        reason = str(error).strip().splitlines()
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint (damaged, incomplete or not one of ours): "
            f"{reason[0] if reason else type(error).__name__}"
        ) from error
    data = content.get(SECTION) if isinstance(content, dict) else None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is a checkpoint, but not of a search: it has no section {SECTION!r} of format {FORMAT!r}. "
            "Give a checkpoint that 'dnas fit' wrote for lightning_modules.search.DifferentiableSearch."
        )
    missing = [key for key in _REQUIRED if key not in data]
    if missing:
        raise CheckpointError(f"{path} lacks {', '.join(missing)} in its section {SECTION!r}.")
    return _checked(path, content, data)


def _checked(path: Path, content: Mapping[str, Any], data: Mapping[str, Any]) -> SearchCheckpoint:
    try:
        space = SearchSpace.from_dict(data["space"])
    except SpaceError as error:
        raise CheckpointError(f"{path}: {error}") from error
    alpha, shape = data["alpha"], (len(space), space.max_choices)
    if tuple(alpha.shape) != shape:
        raise CheckpointError(
            f"{path}: alpha has shape {tuple(alpha.shape)}, its space {space.name} needs {shape}."
        )
    bad = sorted({space.layers[index].name for index, _ in (~alpha.isfinite()).nonzero().tolist()})
    if bad:
        raise CheckpointError(
            f"{path}: alpha is not finite in {', '.join(bad)}: the search had diverged. Use an earlier one."
        )
    weights = {
        k.removeprefix("supernet."): v for k, v in content["state_dict"].items() if k.startswith("supernet.")
    }
    return SearchCheckpoint(
        space=space,
        alpha=alpha,
        table=data["table"],
        supernet_options=data["supernet"],
        weights=weights,
        epoch=int(content.get("epoch", 0)),
        seed=data.get("seed", 0),
        versions=data.get("versions", {}),
        data=data.get("data"),
        history=data.get("history", []),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
