"""``dnas sweep``, with searches that are run by ``dnas fit`` in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from signal import Signals

from dnas.blocks.registry import registered_files
from dnas.support.stopping import Stopped, listening
from dnas.sweep.command import make_command


def fit(arguments: Sequence[str], folder: Path, resume: Path | None) -> None:
    """One search; see :class:`dnas.sweep.searches.Fit`.

    A process of its own gives its memory back, and may start further ones for several devices.
    """
    options = [*arguments, f"--run_folder={folder}"]
    options += [] if resume is None else [f"--ckpt_path={resume}"]
    options += [option for path in registered_files() for option in ("--blocks", str(path))]
    # In a session of its own: a terminal's Ctrl-C would reach it twice, once from here.
    with subprocess.Popen(
        [sys.executable, "-m", "lightning_modules.app.cli", "fit", *options], start_new_session=True
    ) as search:
        status = _waited_for(search)
    if status:
        raise ValueError(
            f"The search in {folder} did not finish (exit status {status}), it says why above. Given again, "
            "the same command goes on from its last checkpoint."
        )


def _waited_for(search: subprocess.Popen[bytes]) -> int:
    """Its exit status; a signal goes on to the search, which saves a checkpoint and ends.

    Raises:
        Stopped: when it has ended by that.
    """
    asked: list[Signals] = []

    def pass_on(received: Signals) -> None:
        asked.append(received)
        search.send_signal(received)

    with listening(pass_on):
        status = search.wait()
    if asked:
        raise Stopped(asked[0])
    return status


main = make_command(fit)
