"""Writing files that no reader ever sees torn, and lines that no kill can lose."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_text(path: str | Path, text: str) -> Path:
    """Write ``text`` to ``path`` atomically, creating its folder; an interrupted one leaves the old file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        # mkstemp makes private files; what we write is for sharing, as open() would have made it.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def append_line(path: str | Path, line: str) -> Path:
    """Add a line to ``path``, creating it and its folder; on disk when this returns.

    After a line that a kill has torn the new one still stands on a line of its own, at the price of an empty
    one before each: readers pass over lines that are empty or torn.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as stream:
        stream.write(f"\n{line}\n".encode())
        stream.flush()
        os.fsync(stream.fileno())
    return path
