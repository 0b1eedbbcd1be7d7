"""A folder of its own for every run, so that a second run never meets the files of the first."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

_SHARED = "DNAS_RUN_FOLDER"


def make_run_folder(requested: str | None, name: str) -> Path:
    """Create the folder of a run and return it.

    Args:
        requested: the folder the user asked for; it must not hold a run yet.
        name: of the kind of run; without a request the folder is ``runs/<name>/<date>-<time>``.

    Raises:
        FileExistsError: the requested folder already holds files.
        ValueError: one of several processes, started from outside, cannot know where the first one writes.
    """
    if os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) != "0":
        return _of_first_process(requested)
    folder = _requested(Path(requested)) if requested else fresh_folder(Path("runs") / name)
    os.environ[_SHARED] = str(folder.resolve())
    return folder


def _of_first_process(requested: str | None) -> Path:
    # Processes that Lightning starts get it through the environment; torchrun's have the same arguments.
    folder = os.environ.get(_SHARED) or requested
    if folder is None:
        raise ValueError("Processes that were started by torchrun or the like need a --run_folder in common.")
    return Path(folder)


def _requested(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(
            f"The run folder {folder} is not empty. Every run gets a folder of its own: choose another "
            "--run_folder, or leave it out. To continue a run, give its checkpoint with --ckpt_path."
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fresh_folder(parent: Path) -> Path:
    """Create and return ``parent/<date>-<time>``, a new folder whoever else asks at the same moment."""
    parent.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    for attempt in range(1000):
        folder = parent / (f"{stamp}-{attempt}" if attempt else stamp)
        try:
            # mkdir fails if another process was faster: the name is ours, or nobody's yet.
            folder.mkdir()
            return folder
        except FileExistsError:
            continue
    raise FileExistsError(f"{parent} already holds a thousand runs of this second.")
