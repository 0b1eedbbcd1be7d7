"""``dnas sweep``, with searches that are run by ``dnas fit`` in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dnas.blocks.registry import registered_files
from dnas.sweep.command import make_command


def fit(arguments: Sequence[str], folder: Path, resume: Path | None) -> None:
    """One search; see :class:`dnas.sweep.searches.Fit`.

    A process of its own gives its memory back, and may start further ones for several devices.
    """
    options = [*arguments, f"--run_folder={folder}"]
    options += [] if resume is None else [f"--ckpt_path={resume}"]
    options += [option for path in registered_files() for option in ("--blocks", str(path))]
    with _left_to_the_search():
        status = subprocess.run(
            [sys.executable, "-m", "lightning_modules.app.cli", "fit", *options]
        ).returncode
    if status:
        raise ValueError(
            f"The search in {folder} did not finish (exit status {status}), it says why above. Given again, "
            "the same command goes on from its last checkpoint."
        )


@contextmanager
def _left_to_the_search() -> Iterator[None]:
    """Ctrl-C reaches the search, too, which saves a checkpoint and ends; it must not be killed meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A handler, not SIG_IGN: the search would inherit that.
    previous = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


main = make_command(fit)
