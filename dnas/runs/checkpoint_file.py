"""Reading the checkpoint of a supernet or of a search, and refusing what is none, in one message.

Files are read with ``weights_only=True``: nothing in them is executed.
"""

from __future__ import annotations

import hashlib
import re
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dnas.device_tables import DeviceError, table_source
from dnas.runs import sealed_file
from dnas.runs.checkpoint import KINDS, SEARCH, SECTION, CheckpointError, SearchCheckpoint, SupernetCheckpoint
from dnas.space import SearchSpace
from dnas.space.space_file import SpaceError
from dnas.support.documents import MAX_INTEGER, DocumentError, check_values

# Where torch advises to read the file without its guard, an advice that is not ours.
_ADVICE = re.compile("Weights only load failed|weights_only")
_OF_SUPERNET: dict[str, type] = {"space": dict, "supernet": dict}
_OF_SEARCH: dict[str, type] = {"alpha": Tensor, "table": dict}
_TABLE = ("name", "kind", "sha256")
_MAY: dict[str, type] = {
    "hyper_parameters": dict,
    "seed": int,
    "versions": dict,
    "history": list,
    "training": dict,
    "tables": dict,
}


def read(path: str | Path) -> SearchCheckpoint:
    """Read the checkpoint of a differentiable search.

    Raises:
        CheckpointError: no such file, damaged, or written by something else.
    """
    checkpoint = read_supernet(path)
    if not isinstance(checkpoint, SearchCheckpoint):
        raise CheckpointError(
            f"{path} is the checkpoint of a one-shot supernet, which has no alpha. Give one that 'dnas fit' "
            "wrote for lightning_modules.search.DifferentiableSearch; to search with this one: dnas refine."
        )
    return checkpoint


def read_supernet(path: str | Path) -> SupernetCheckpoint:
    """Read the checkpoint of a one-shot supernet or of a differentiable search.

    Raises:
        CheckpointError: no such file, damaged, or written by something else.
    """
    path = Path(path)
    content = load_content(path, "'dnas fit --config digits/search.yaml' writes one into its run folder.")
    data = content.get(SECTION)
    if not isinstance(data, dict) or data.get("format") not in [*KINDS]:
        raise CheckpointError(
            f"{path} is a checkpoint, but not of a search or a one-shot supernet: it has no section "
            f"{SECTION!r} of format {' or '.join(map(repr, KINDS))}. Give one that 'dnas fit' wrote for "
            "lightning_modules.search.DifferentiableSearch or lightning_modules.one_shot.OneShotSupernet."
        )
    if problems := _problems(content, data):
        raise CheckpointError(f"{path}, section {SECTION!r}: {'; '.join(problems)}.")
    return _checked(path, content, data)


def load_content(path: Path, hint: str) -> dict[str, Any]:
    """Read what a checkpoint holds; empty if that is no dictionary.

    Raises:
        CheckpointError: no such file, with the hint where one is from, or damaged.
    """
    if not path.is_file():
        raise CheckpointError(f"No checkpoint {path}. {hint}")
    if problem := sealed_file.problem(path):
        raise CheckpointError(f"{path} is damaged: {problem}. Use an earlier one.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged zip archive or pickle makes its reader stumble over
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if _ADVICE.search(reason):
            reason = "it holds objects of Python or TorchScript, or nothing of torch"
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint (damaged, incomplete or not one of ours): {reason}"
        ) from error
    return content if isinstance(content, dict) else {}


def _problems(content: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
    """Everything that is missing or of another kind than it should be."""
    required = (_OF_SEARCH if data["format"] == SEARCH else {}) | _OF_SUPERNET
    problems = [f"{key} is missing" for key in required if key not in data]
    problems += [
        f"{key} is {type(data[key]).__name__}, expected {kind.__name__}"
        for key, kind in required.items()
        if key in data and not isinstance(data[key], kind)
    ]
    if isinstance(data.get("table"), dict):
        problems += _table_problems("table", data["table"])
    if isinstance(data.get("tables"), dict):
        for device, table in data["tables"].items():
            problems += _table_problems(f"tables.{device}", table)
    weights, epoch = content.get("state_dict"), content.get("epoch", 0)
    if not isinstance(weights, dict):
        problems.append("the checkpoint has no weights (state_dict)")
    elif not all(isinstance(key, str) for key in weights):
        problems.append("weights (state_dict) have names that are no texts")
    if not isinstance(epoch, int) or not 0 <= epoch < MAX_INTEGER:
        problems.append(f"epoch is {reprlib.repr(epoch)}, expected a number of epochs")
    return [*problems, *_other_problems(content, data)]


def _table_problems(name: str, table: Any) -> list[str]:
    if not isinstance(table, dict):
        return [f"{name} is {type(table).__name__}, expected dict"]
    missing = [f"{name}.{key} is missing" for key in _TABLE if key not in table]
    other = [f"{name}.{key} is no text" for key in _TABLE if not isinstance(table.get(key, ""), str)]
    return missing + other


def _other_problems(content: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
    """What need not be there, but is, of another kind."""
    found = {
        "hyper_parameters": content.get("hyper_parameters", {}),
        **{k: data[k] for k in _MAY if k in data},
    }
    problems = [
        f"{key} is {type(value).__name__}, expected {_MAY[key].__name__}"
        for key, value in found.items()
        if not isinstance(value, _MAY[key])
    ]
    try:
        check_values({**data, **found, "alpha": None})
    except DocumentError as error:
        problems.append(str(error))
    return problems


def _checked(path: Path, content: Mapping[str, Any], data: Mapping[str, Any]) -> SupernetCheckpoint:
    try:
        space = SearchSpace.from_dict(data["space"])
    except SpaceError as error:
        raise CheckpointError(f"{path}: {error}") from error
    facts = _facts(path, content, data, space)
    if data["format"] != SEARCH:
        return SupernetCheckpoint(**facts)
    given = content.get("hyper_parameters", {}).get("table", data["table"]["name"])
    try:
        sources = [str(given)] if isinstance(given, str) else [table_source(str(each)) for each in given]
    except (DeviceError, TypeError) as error:
        raise CheckpointError(f"{path}: table of the search: {error}") from error
    devices = data.get("tables", {})
    if len(sources) != max(1, len(devices)):
        raise CheckpointError(f"{path} names {len(sources)} latency tables for {len(devices)} devices.")
    return SearchCheckpoint(
        **facts,
        alpha=_finite(path, data["alpha"], space),
        table=data["table"],
        table_source=sources[0],
        tables=devices,
        table_sources=[f"{device}={source}" for device, source in zip(devices, sources, strict=False)],
    )


def _facts(
    path: Path, content: Mapping[str, Any], data: Mapping[str, Any], space: SearchSpace
) -> dict[str, Any]:
    """What every supernet has."""
    prefix = "supernet."
    weights = content["state_dict"].items()
    return {
        "kind": KINDS[data["format"]],
        "space": space,
        "supernet_options": data["supernet"],
        "weights": {k.removeprefix(prefix): v for k, v in weights if k.startswith(prefix)},
        "epoch": int(content.get("epoch", 0)),
        "seed": data.get("seed", 0),
        "versions": data.get("versions", {}),
        "data": data.get("data"),
        "history": data.get("history", []),
        "training": data.get("training", {}),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def _finite(path: Path, alpha: Tensor, space: SearchSpace) -> Tensor:
    shape = (len(space), space.max_choices)
    if tuple(alpha.shape) != shape:
        raise CheckpointError(
            f"{path}: alpha has shape {tuple(alpha.shape)}, its space {space.name} needs {shape}."
        )
    bad = sorted({space.decisions[index].name for index, _ in (~alpha.isfinite()).nonzero().tolist()})
    if bad:
        raise CheckpointError(
            f"{path}: alpha is not finite in {', '.join(bad)}: the search had diverged. Use an earlier one."
        )
    return alpha
