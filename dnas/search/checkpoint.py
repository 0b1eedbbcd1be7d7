"""The plain-data section of a search checkpoint, and reading it without Lightning.

A checkpoint written by Lightning carries, under ``"dnas"``, plain data that deriving needs: the space, alpha,
which latency table was used, how the supernet was built, which data it saw. Nothing in it is a pickled
object: files are read with ``weights_only=True``.
"""

from __future__ import annotations

import hashlib
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
_REQUIRED: dict[str, type] = {"space": dict, "alpha": Tensor, "table": dict, "supernet": dict}
_TABLE = ("name", "kind", "sha256")


class CheckpointError(ValueError):
    """A file that is not a readable search checkpoint; the message says what was expected and what to do."""


@dataclass(frozen=True)
class SearchCheckpoint:
    """What a search left behind.

    Attributes:
        alpha: (L, C) float32 architecture logits.
        table: name, kind and sha256 of the latency table that was used.
        table_source: the name or path it was loaded from.
        supernet_options: sharing, num_classes, in_channels, stem_stride.
        data: class path and arguments of the data module, if there was one.
        history: metrics of every epoch.
        sha256: of the file.
    """

    space: SearchSpace
    alpha: Tensor
    table: Mapping[str, Any]
    table_source: str
    supernet_options: Mapping[str, Any]
    weights: Mapping[str, Tensor] = field(repr=False)
    epoch: int
    seed: int
    versions: Mapping[str, str]
    data: Mapping[str, Any] | None
    history: list[dict[str, float]] = field(repr=False)
    sha256: str

    def build_supernet(self) -> Supernet:
        """The supernet with its trained weights, in eval mode.

        Raises:
            CheckpointError: options or weights are not those of a supernet of this space.
        """
        try:
            supernet = Supernet(self.space, **self.supernet_options)
            supernet.load_state_dict(dict(self.weights))
        except (TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"The supernet cannot be rebuilt from the checkpoint: {error}") from error
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
    except Exception as error:  # whatever a damaged zip archive or pickle makes its reader stumble over
        reason = str(error).strip().splitlines()
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint (damaged, incomplete or not one of ours): "
            f"{reason[0] if reason else type(error).__name__}"
        ) from error
    data = content.get(SECTION) if isinstance(content, dict) else None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is a checkpoint, but not of a search: it has no section {SECTION!r} of format "
            f"{FORMAT!r}. Give one that 'dnas fit' wrote for lightning_modules.search.DifferentiableSearch."
        )
    if problems := _problems(content, data):
        raise CheckpointError(f"{path}, section {SECTION!r}: {'; '.join(problems)}.")
    return _checked(path, content, data)


def _problems(content: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
    """Everything that is missing or of another kind than it should be."""
    problems = [f"{key} is missing" for key in _REQUIRED if key not in data]
    problems += [
        f"{key} is {type(data[key]).__name__}, expected {kind.__name__}"
        for key, kind in _REQUIRED.items()
        if key in data and not isinstance(data[key], kind)
    ]
    if isinstance(data.get("table"), dict):
        problems += [f"table.{key} is missing" for key in _TABLE if key not in data["table"]]
    if not isinstance(content.get("state_dict"), dict):
        problems.append("the checkpoint has no weights (state_dict)")
    return problems


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
        table_source=str(content.get("hyper_parameters", {}).get("table", data["table"]["name"])),
        supernet_options=data["supernet"],
        weights=weights,
        epoch=int(content.get("epoch", 0)),
        seed=data.get("seed", 0),
        versions=data.get("versions", {}),
        data=data.get("data"),
        history=data.get("history", []),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
