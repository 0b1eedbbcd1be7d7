"""Finished trainings on disk, a line each as soon as it is known: killed at any moment, none is done twice.

A file belongs to one recipe, which its name tells. A line that a kill has torn is not there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnas.fidelity.source import StandAlone
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from dnas.support.files import append_line


class TrainingStore:
    """Results by architecture, of one recipe.

    Args:
        folder: where the file lies; made when something is written.
        recipe: plain data that decides a training.
    """

    def __init__(self, folder: str | Path, recipe: Mapping[str, Any], space: SearchSpace) -> None:
        plain = json.dumps({**recipe, "space": space.digest}, sort_keys=True)
        self.path = Path(folder) / f"trainings-{hashlib.sha256(plain.encode()).hexdigest()[:16]}.jsonl"
        lines = self.path.read_bytes().splitlines() if self.path.is_file() else []
        self._results = dict(entry for line in lines if (entry := _parsed(line, space)))

    def get(self, architecture: Architecture) -> StandAlone | None:
        """The result of an architecture, if it is known."""
        return self._results.get(architecture)

    def write(self, architecture: Architecture, result: StandAlone) -> None:
        """Know a result, and have it on disk when this returns."""
        self._results[architecture] = result
        append_line(self.path, json.dumps({"architecture": str(architecture), **result._asdict()}))


def _parsed(line: bytes, space: SearchSpace) -> tuple[Architecture, StandAlone] | None:
    try:
        data = json.loads(line)
        architecture = Architecture.parse(data["architecture"], space)
        numbers = int(data["images"]), float(data["seconds"])
        result = StandAlone(float(data["top1"]), str(data["reason"]), *numbers, data["data"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return architecture, result
