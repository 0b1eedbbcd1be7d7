"""Running what has not run yet: a finished search is skipped, an interrupted one continues."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from dnas.runs import sealed_file
from dnas.support.files import write_text
from dnas.support.sealed_json import seal, unseal
from dnas.sweep.plan import Search

RECORD = "search.json"


class Fit(Protocol):
    """What a sweep needs of Lightning's side."""

    def __call__(self, arguments: Sequence[str], folder: Path, resume: Path | None) -> None:
        """Do ``dnas fit ARGUMENTS`` to its end.

        Args:
            folder: of the run, which does not exist yet; checkpoints go to ``folder/checkpoints``.
            resume: the checkpoint to go on from.

        Raises:
            ValueError: it did not come to its end.
        """


def run_search(search: Search, folder: Path, fit: Fit) -> Path:
    """The checkpoint of a search, which runs in ``folder`` unless it has finished there.

    Raises:
        FileExistsError: the folder holds a search with other options.
        ValueError: the search failed, or left no checkpoint.
    """
    checkpoint = finished(search, folder)
    if checkpoint is not None:
        return checkpoint
    _record(search, folder, None)
    fit(search.arguments, folder / f"run-{len(_runs(folder)) + 1}", _newest(folder))
    checkpoint = _newest(folder)
    if checkpoint is None:
        raise ValueError(f"The search in {folder} left no checkpoint: is trainer.enable_checkpointing off?")
    _record(search, folder, checkpoint)
    return checkpoint


def finished(search: Search, folder: Path) -> Path | None:
    """The checkpoint of a search that came to its end; None where it has not.

    Raises:
        FileExistsError: the folder holds a search with other options.
        ValueError: its record is damaged.
    """
    try:
        record = unseal(json.loads((folder / RECORD).read_text(encoding="utf-8")))
        arguments, checkpoint = record["arguments"], record["checkpoint"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder / RECORD} is damaged ({error!r}): remove it, and the search goes on from its newest "
            "checkpoint."
        ) from error
    if arguments != list(search.arguments):
        raise FileExistsError(
            f"{folder} holds a search with other options ({' '.join(map(str, arguments))}). Choose another "
            "--output, or remove that folder."
        )
    return None if checkpoint is None else folder / checkpoint


def _record(search: Search, folder: Path, checkpoint: Path | None) -> None:
    place = None if checkpoint is None else checkpoint.relative_to(folder).as_posix()
    content: dict[str, Any] = {"arguments": search.arguments, "checkpoint": place}
    write_text(folder / RECORD, json.dumps(seal(content), indent=1) + "\n")


def _runs(folder: Path) -> list[Path]:
    """A run that continues another one has a folder of its own."""
    return list(folder.glob("run-*"))


def _newest(folder: Path) -> Path | None:
    """The newest checkpoint of a folder's runs; damaged ones are named and passed over."""
    found = [path for run in _runs(folder) for path in run.glob("checkpoints/*.ckpt")]
    for path in sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        if (fault := sealed_file.problem(path)) == "":
            return path
        print(f"Not used, damaged: {path} ({fault or 'no file of torch'})", file=sys.stderr)
    return None
