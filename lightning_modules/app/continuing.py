"""Going on with a run: ``--resume FOLDER``, and what ``--ckpt_path`` cannot mean."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from dnas.blocks.registry import BLOCKS_FLAG
from dnas.runs import sealed_file
from dnas.support import resuming
from lightning_modules.app.resources import CONFIG_FLAGS
from lightning_modules.app.run_folder import folder_of_first_process, process_number
from lightning_modules.callbacks.finite import Diverged

CONFIG = "config.yaml"
CHECKPOINTS = "checkpoints"
# What Lightning takes for a checkpoint of the trainer's own, which a run in a new folder has not.
KEYWORDS = ("last", "best", "hpc")
_CKPT = "--ckpt_path"
_FOLDERS = ("--run_folder", "--trainer.default_root_dir")


def continued(folder: Path, others: Sequence[str]) -> list[str]:
    """The arguments that go on in ``folder``: the run's config, its newest checkpoint, ``others`` on top.

    A run that was killed before its first checkpoint begins anew there.

    Raises:
        ValueError: no folder of a run, all checkpoints in it are damaged, or another folder to write to.
    """
    if not others or others[0] != "fit":
        raise ValueError(f"{resuming.FLAG} FOLDER goes on with what 'dnas fit' did there.")
    for flag, _ in _pairs(others):
        if flag in _FOLDERS:
            raise ValueError(
                f"{resuming.FLAG} goes on in the run's own folder: leave out {flag}. For a run in another "
                f"folder, give {_CKPT} a checkpoint of this one, without {resuming.FLAG}."
            )
    if process_number() != 0:
        # It is started in the folder that the first one has changed to, and has the same arguments.
        folder = folder_of_first_process(folder)
    call = resuming.read_call(folder)
    if call.command != "dnas fit":
        raise ValueError(f"{folder} was written by {call.command}: {resuming.again(call.command, folder)}")
    folder = folder.resolve()
    if not any((folder / CHECKPOINTS).glob("*.ckpt")):
        resuming.enter(call)
        print(f"Nothing was saved yet: beginning anew in {folder}", flush=True)
        arguments = [*call.arguments, f"--run_folder={folder}", *others[1:]]
        # Killed again before its first checkpoint, it shall know its further options.
        resuming.called("dnas fit", arguments)
        return ["fit", *arguments]
    config, checkpoint = folder / CONFIG, newest_checkpoint(folder)
    if checkpoint is None:
        raise ValueError(f"All checkpoints in {folder} are damaged. Begin anew, in another folder: {call}")
    if not config.is_file():
        raise ValueError(
            f"{config}, which every run leaves, is gone. Go on in another folder: {call} {_CKPT} "
            f"{shlex.quote(str(checkpoint))} --run_folder ANOTHER"
        )
    resuming.enter(call)
    print(f"Going on from {checkpoint}", flush=True)
    own = [f"--config={config}", f"--run_folder={folder}", f"{_CKPT}={checkpoint}"]
    return ["fit", *_blocks(call.arguments), *own, *others[1:]]


def rolled_back(error: Diverged) -> list[str]:
    """The arguments that go on from the last good state of a run that diverged.

    Raises:
        Diverged: it shall stop, or there is no checkpoint yet; names the last good state.
    """
    checkpoint = newest_checkpoint(error.folder) if error.rolls_back else None
    if checkpoint is None:
        raise with_last_good(error) from error
    print(f"{error}\nGoing back to {checkpoint}, with lower learning rates.", flush=True)
    return [f"--run_folder={error.folder}", f"{_CKPT}={checkpoint}"]


def with_last_good(error: Diverged) -> Diverged:
    """The same, naming the checkpoint of the last good state, and how to go on from there."""
    checkpoint = newest_checkpoint(error.folder)
    good = f"The last good state is {checkpoint}."
    if checkpoint is None:
        good = "There is no checkpoint to go back to."
    elif error.curable:
        call = f"{resuming.again('dnas fit', error.folder)} --model.on_nan rollback"
        good += f" '{call}' goes on from there, and lowers its learning rates when this happens again."
    return Diverged(f"{error} {good}", error.folder, curable=error.curable)


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint of a run in which most batches are done; damaged ones are named and passed over."""
    done: dict[Path, int] = {}
    for path in sorted((folder / CHECKPOINTS).glob("*.ckpt")):
        try:
            if fault := sealed_file.problem(path):
                raise ValueError(fault)
            done[path] = batches_done(path)
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError) as error:
            print(f"Not used, damaged or no checkpoint of a training: {path} ({error})", file=sys.stderr)
    return max(done, key=lambda path: done[path], default=None)


def batches_done(checkpoint: Path) -> int:
    """In all epochs before this checkpoint was written; raises what torch.load does, and KeyError."""
    return int(_loops(checkpoint)["epoch_loop.batch_progress"]["total"]["completed"])


def logged(checkpoint: Path) -> tuple[int, int]:
    """Epochs and steps that a training has in its logs when it goes on from a checkpoint."""
    loops = _loops(checkpoint)
    epochs = loops["epoch_progress"]["current"]["processed"]
    return int(epochs), int(loops["epoch_loop.state_dict"]["_batches_that_stepped"])


def _loops(checkpoint: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(checkpoint, map_location="cpu", mmap=True, weights_only=True)
    return dict(content["loops"]["fit_loop"])


def refuse_keywords(arguments: Sequence[str]) -> None:
    """Refuse a ``--ckpt_path`` that names no file but the trainer's own last or best.

    Raises:
        ValueError: with the path that is meant, where a config in a run's folder says which.
    """
    keyword = dict(_pairs(arguments)).get(_CKPT)
    if keyword not in KEYWORDS:
        return
    configs = [Path(value).parent for flag, value in _pairs(arguments) if flag in CONFIG_FLAGS]
    runs = [folder for folder in configs if (folder / CHECKPOINTS).is_dir()]
    found = newest_checkpoint(runs[-1]) if runs else None
    path = found or Path("RUN_FOLDER", CHECKPOINTS, "last.ckpt")
    raise ValueError(
        f"{_CKPT} {keyword}: every run has a folder of its own, and a new one holds no checkpoint. Give its "
        f"path, {_CKPT} {path}, or go on in the same folder: {resuming.again('dnas fit', path.parents[1])}"
    )


def _blocks(arguments: Sequence[str]) -> list[str]:
    """The options that name files of block types, which no config holds."""
    return [each for flag, value in _pairs(arguments) if flag == BLOCKS_FLAG for each in (flag, value)]


def _pairs(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Flags with their values, given as ``--flag value`` or ``--flag=value``."""
    pairs = []
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=False):
        flag, equals, value = argument.partition("=")
        if flag.startswith("-"):
            pairs.append((flag, value if equals else following))
    return pairs
