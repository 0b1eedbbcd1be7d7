"""A folder of its own for every run, so that a second run never meets the files of the first."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from dnas.support import resuming
from dnas.support.files import LOCK, UNFINISHED, only_one

# Of the run of this process; no attribute of anything, as processes that are spawned get copies of those.
_held = ExitStack()
_SHARED = "DNAS_RUN_FOLDER"


def make_run_folder(requested: str | None, name: str, resumes: bool = False) -> Path:
    """Create the folder of a run and return it.

    Args:
        requested: the folder the user asked for; it must not hold a run yet.
        name: of the kind of run; without a request the folder is ``runs/<name>/<date>-<time>``.
        resumes: the requested folder holds a run, which goes on there.

    Raises:
        FileExistsError: the requested folder already holds files.
        ValueError: one of several processes, started from outside, cannot know where the first one writes.
    """
    if process_number() != 0:
        return folder_of_first_process(requested)
    if requested:
        folder = Path(requested) if resumes else _requested(Path(requested))
    else:
        folder = fresh_folder(Path("runs") / name)
    os.environ[_SHARED] = str(folder.resolve())
    return folder


def hold(folder: Path) -> None:
    """Have a folder alone until :func:`let_go`; raises FileExistsError where another run is at work in it."""
    _held.enter_context(only_one(folder))


def let_go() -> None:
    """Let others have the folder that is held, if one is."""
    _held.close()


def process_number() -> int:
    """Of this process among those of a run, 0 the first; known before torch.distributed is."""
    # Of torchrun, of Lightning, of srun.
    names = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
    return int(next((os.environ[name] for name in names if name in os.environ), "0"))


def folder_of_first_process(requested: str | Path | None) -> Path:
    """Where a process works that is not the first one of its run.

    Processes that Lightning starts get it through the environment; torchrun's have the same arguments.

    Raises:
        ValueError: neither says where that is.
    """
    folder = os.environ.get(_SHARED) or requested
    if folder is None:
        raise ValueError("Processes that were started by torchrun or srun need a --run_folder in common.")
    return Path(folder)


def _requested(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or _files_of(folder)):
        raise FileExistsError(
            f"The run folder {folder} is not empty. Every run gets a folder of its own: choose another "
            "--run_folder, or leave it out. To go on with the run there: "
            f"{resuming.again('dnas fit', folder)}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _files_of(folder: Path) -> list[Path]:
    """What a run has left; of one that could not begin its lock and its command, and what it began to write,
    are nothing."""
    nothing = (LOCK, resuming.FILE)
    return [path for path in folder.iterdir() if path.name not in nothing and path.suffix != UNFINISHED]


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
