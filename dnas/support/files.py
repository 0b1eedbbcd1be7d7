"""Writing files that no reader ever sees torn, lines that no kill can lose, and having a folder alone."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows has none; there the user has to take care
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
# Ends the hidden name of a file that is not whole yet.
UNFINISHED = ".unfinished"


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A stream whose content becomes that of ``path``, whose folder is created, when the context ends well.

    It is on disk then. Until it is whole, and for ever if something is raised, the old file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path):
        handle, temporary = tempfile.mkstemp(UNFINISHED, f".{path.name}.", path.parent)
        try:
            with os.fdopen(handle, "w+b") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            # mkstemp makes private files; what we write is for sharing, as open() would have made it.
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors of the system while ``path`` is written name it; a full disk names no file."""
    try:
        yield
    except OSError as error:
        hidden = f".{path.name}."
        if error.errno and (
            error.filename is None or any(part.startswith(hidden) for part in Path(str(error.filename)).parts)
        ):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise


def write_text(path: str | Path, text: str) -> Path:
    """Write ``text`` to ``path`` in UTF-8, whole or not at all; see :func:`replacing`."""
    path = Path(path)
    with replacing(path) as stream:
        stream.write(text.encode("utf-8"))
    return path


def append_line(path: str | Path, line: str) -> Path:
    """Add a line to ``path``, creating it and its folder; on disk when this returns.

    After a line that a kill has torn the new one still stands on a line of its own, at the price of an empty
    one before each: readers pass over lines that are empty or torn.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path), path.open("ab") as stream:
        stream.write(f"\n{line}\n".encode())
        stream.flush()
        os.fsync(stream.fileno())
    return path


@contextmanager
def only_one(folder: Path, process: int = 0) -> Iterator[None]:
    """Work in ``folder``, made if need be, alone; processes above 0 are the first one's helpers.

    Two runs in one folder would overwrite each other's state. The lock goes with its process, however that
    ends; what a killed one was writing is removed.

    Raises:
        FileExistsError: another run works there, or it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"--output {folder} is a file: give a folder to write to.")
    folder.mkdir(parents=True, exist_ok=True)
    if process > 0 or fcntl is None:
        yield
        return
    with (folder / LOCK).open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FileExistsError(f"Another run is at work in {folder}.") from error
        for pattern in ("", "*/"):
            for left in folder.glob(f"{pattern}.*{UNFINISHED}"):
                left.unlink(missing_ok=True)
        yield


@contextmanager
def going_on(what: str) -> Iterator[None]:
    """Turn a full disk, a lost folder and the like into a warning: ``what`` is not worth a training."""
    try:
        yield
    except OSError as error:
        warnings.warn(f"{what} cannot be written ({error}); this goes on without.", stacklevel=3)
