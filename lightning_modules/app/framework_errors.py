"""Errors of the frameworks that a user causes: what they say, without their traceback."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch.distributed import DistNetworkError
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from dnas.support.command import USER_ERRORS
from lightning_modules.app.run_folder import folder_of_first_process
from lightning_modules.callbacks.lost import gone

# The end of a traceback: the last place with its lines of source, then the error and what it says.
_RAISED = re.compile(r".*^  File [^\n]*\n(?:    [^\n]*\n)*([\w.]+): (.*)", re.DOTALL | re.MULTILINE)

# What torch says of the processes of its DataLoader, and of what they share.
_LOADER = re.compile(
    r"DataLoader worker|received \d+ items of ancdata|unable to \w+ .*shared memory|Too many open files"
)


@contextmanager
def in_our_words() -> Iterator[None]:
    """Turn a setting that cannot be used, or a port that is taken, into an error of the user's.

    Raises:
        ValueError: instead of the framework's own kind.
    """
    try:
        yield
    except tuple(_WORDS) as error:
        words = next(words for kind, words in _WORDS.items() if isinstance(error, kind))
        message = words(error)
        if message is None:
            raise
        raise ValueError(message) from error


def _single_value(error: ValueError) -> str | None:
    if not str(error).startswith("Expected more than 1 value per channel"):
        return None
    return (
        "A batch norm has a single value per channel, no deviation: one image, whose map is down to 1 x "
        "1 pixels. Give at least two images a batch (data.batch_size; data.eval_batch_size, with which "
        "statistics are recalibrated), larger images (data.resolution), or model.stem_stride 1."
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _devices(error: TypeError) -> str | None:
    """Lightning's class of error for numbers of devices, and Python's for mistakes of ours."""
    return f"trainer.devices cannot be used: {error}" if "`devices`" in str(error) else None


def _port(error: DistNetworkError) -> str:
    reason = _one_line(error).partition(" Exception raised from")[0]
    return (
        f"The processes cannot meet ({reason}). If the port is taken, set MASTER_PORT to a free one; "
        "another run may use it."
    )


def _loader(error: RuntimeError) -> str | None:
    if not _LOADER.match(str(error)):
        return None
    return (
        f"A process that loads images has ended ({_one_line(error).rstrip('.')}), perhaps for lack of "
        "memory, of shared memory (docker run --shm-size 8g), or of open files (ulimit -n): give fewer "
        "data.num_workers, 0 for none; --resume goes on where a checkpoint is."
    )


def _exited(error: ProcessExitedException) -> str:
    """Of a strategy that spawns: torch has ended the others."""
    folder = folder_of_first_process(".")
    return gone(error.error_index, None, error.signal_name or f"status {error.exit_code}", folder)


def _raised(error: ProcessRaisedException) -> str | None:
    """Of a strategy that spawns: what the process raised is text here."""
    found = _RAISED.fullmatch(str(error).rstrip())
    return " ".join(found[2].split()) if found and _of_a_user(found[1]) else None


def _package(error: ModuleNotFoundError) -> str:
    """Lightning says which package, and names no module."""
    install = f"pip install {error.name}" if error.name else "install it"
    return f"{str(error).rstrip('.')}, which an option asks for: {install}"


def _of_a_user(name: str) -> bool:
    """Whether an error of this class, as a traceback names it, is the user's."""
    module, _, attribute = name.rpartition(".")
    try:
        kind = getattr(import_module(module) if module else builtins, attribute, None)
    except ImportError:
        return False
    return isinstance(kind, type) and issubclass(kind, (*USER_ERRORS, MisconfigurationException))


_WORDS: dict[type[Exception], Callable[[Any], str | None]] = {
    ValueError: _single_value,
    TypeError: _devices,
    MisconfigurationException: _one_line,
    DistNetworkError: _port,
    RuntimeError: _loader,  # the one above is of this kind
    ProcessExitedException: _exited,
    ProcessRaisedException: _raised,
    ModuleNotFoundError: _package,
}
