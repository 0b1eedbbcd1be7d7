"""Files of weights that others have written: a state dict, or one among other things.

Files are read with ``weights_only=True``: nothing in them is executed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dnas.runs.checkpoint import CheckpointError


class WeightsFile(NamedTuple):
    """A state dict, in order, and the file it was in: its name, the key there ("" for all), its digest."""

    state: Mapping[str, Tensor]
    file: str
    key: str
    sha256: str

    @property
    def origin(self) -> dict[str, str]:
        """Where the weights are from, as plain data for a checkpoint."""
        return {"file": self.file, "key": self.key, "sha256": self.sha256}


def read_weights(path: str | Path, key: str | None = None) -> WeightsFile:
    """Read a state dict that is all of a file, or that a dictionary in it has at ``key``.

    Without a ``key`` the file must hold one state dict: under whatever name (``state_dict``, ``model``,
    ``model_state``), beside what else there is of training.

    Raises:
        CheckpointError: no such file, damaged, one that would run code, none or several state dicts.
    """
    path = Path(path)
    content = _load(path)
    found = {name: each for name, each in _state_dicts(content).items() if key is None or name == key}
    if len(found) != 1:
        raise CheckpointError(f"{path} {_which(content, key)}")
    ((name, state),) = found.items()
    return WeightsFile(state, path.name, name, hashlib.sha256(path.read_bytes()).hexdigest())


def _load(path: Path) -> Any:
    if not path.is_file():
        raise CheckpointError(f"No file {path} of weights.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged zip archive or pickle makes its reader stumble over
        raise CheckpointError(f"{path} {_trouble(error)}") from error


def _trouble(error: Exception) -> str:
    """What keeps a file from being read."""
    if isinstance(error, UnpicklingError):
        foreign = re.search(r"GLOBAL:? (\S+)", str(error))
        return (
            f"holds more than tensors{f' ({foreign[1]})' if foreign else ''}: reading it could run code, so "
            "it is refused. Of a file that you trust, save the state dict alone with the code that wrote it: "
            "torch.save(model.state_dict(), FILE)."
        )
    reason = str(error).strip().splitlines()
    return (
        "cannot be read as weights (damaged, incomplete, or not written by torch.save): "
        f"{type(error).__name__}{f', {reason[0]}' if reason else ''}."
    )


def _state_dicts(content: Any) -> dict[str, Mapping[str, Tensor]]:
    """Those in a file, by their key; by "" if that is all the file holds."""
    if _is_state_dict(content):
        return {"": content}
    if not isinstance(content, Mapping):
        return {}
    return {str(key): value for key, value in content.items() if _is_state_dict(value)}


def _is_state_dict(content: Any) -> bool:
    if not isinstance(content, Mapping) or not content:
        return False
    return all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())


def _which(content: Any, key: str | None) -> str:
    """Why there is not one state dict."""
    found = _state_dicts(content)
    if key is None and found:
        return f"holds {len(found)} state dicts: {', '.join(found)}. Choose one (--key)."
    if found:
        return f"has no state dict at {key!r}; it has {', '.join(map(repr, found))}."
    held = f"a dictionary of {', '.join(map(str, content))}" if isinstance(content, Mapping) else ""
    return (
        f"holds no state dict, but {held[:300] or type(content).__name__}. Expected what "
        "torch.save(model.state_dict(), FILE) writes, or a dictionary with that in it."
    )
