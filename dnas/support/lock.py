"""Nobody else in a folder: two runs in one would overwrite each other's state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has none; there the user has to take care
    fcntl = None  # type: ignore[assignment]


@contextmanager
def only_one(folder: Path, process: int = 0) -> Iterator[None]:
    """Work in ``folder``, made if need be, alone; processes above 0 are the first one's helpers.

    The lock goes with its process, however that ends.

    Raises:
        FileExistsError: another run works there, or it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"--output {folder} is a file: give a folder to write to.")
    folder.mkdir(parents=True, exist_ok=True)
    if process > 0 or fcntl is None:
        yield
        return
    with (folder / ".lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FileExistsError(f"Another run is at work in {folder}.") from error
        yield
