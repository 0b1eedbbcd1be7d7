"""``dnas sweep``, with searches that are run by ``dnas fit`` in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
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
    status = run_and_wait([sys.executable, "-m", "lightning_modules.app.cli", "fit", *options])
    if status:
        raise ValueError(
            f"The search in {folder} did not finish (exit status {status}), it says why above. Given again, "
            "the same command goes on from its last checkpoint."
        )


def run_and_wait(command: Sequence[str]) -> int:
    """The exit status of a command, to which signals go on: it saves a checkpoint and ends.

    Raises:
        Stopped: when it has ended after a signal.
    """
    asked: list[Signals] = []
    # The first signal is the only one that is heard: a second ends this process.
    with listening(asked.append):
        # In a session of its own: a terminal's Ctrl-C would reach it twice, once from here.
        process = subprocess.Popen(command, start_new_session=True)
        while process.poll() is None and not asked:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
        if asked:
            process.send_signal(asked[0])
        status = process.wait()
    if asked:
        raise Stopped(asked[0])
    return status


main = make_command(fit)
