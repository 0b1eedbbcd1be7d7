"""Files of torch with a checksum: written whole or not at all, and refused when one bit is not as it was.

torch writes zip archives, and reads them without looking at their checksums. The SHA-256 of everything before
it stands in the archive's comment, where torch and other readers pass over it.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch

from dnas.support.files import replacing

_MARK = b"dnas-sha256:"
_HEX = 64
_COMMENT = len(_MARK) + _HEX
# The last record of an archive without a comment: signature, counts and places, length of the comment.
_END, _END_BYTES = b"PK\x05\x06", 22


def save(content: Mapping[str, Any], path: str | Path) -> None:
    """Write what torch.save takes, with a checksum; an interrupted one leaves the old file.

    Raises:
        OSError: the folder cannot be written to, or is full.
    """
    path = Path(path)
    try:
        with replacing(path) as stream:
            torch.save(content, stream)
            _seal(stream)
    except RuntimeError as error:
        # torch's writer stumbles over what a full disk has left undone.
        if isinstance(cause := error.__context__, OSError):
            raise OSError(cause.errno, cause.strerror, str(path)) from error
        raise


def problem(path: str | Path) -> str | None:
    """What is wrong with the bytes of a file of torch, "" where nothing is; None if it is no archive.

    Files without our checksum are held against those of the archive.
    """
    with Path(path).open("rb") as stream:
        length = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, length - _COMMENT))
        comment = stream.read()
        try:
            if not zipfile.is_zipfile(stream):
                return None
            if not comment.startswith(_MARK):
                return _of_archive(stream)
        except Exception as error:  # whatever a damaged archive makes zipfile and its decompressors raise
            return str(error) or type(error).__name__
        as_written = _digest(stream, length - _HEX) == comment[len(_MARK) :]
        return "" if as_written else "its checksum is not that of its content"


def _of_archive(stream: IO[bytes]) -> str:
    with zipfile.ZipFile(stream) as archive:
        if archive.comment:
            return "its checksum is damaged"
        damaged = archive.testzip()
    return f"the checksum of {damaged} in it is not that of its content" if damaged else ""


def _seal(stream: IO[bytes]) -> None:
    length = stream.seek(0, os.SEEK_END)
    stream.seek(length - _END_BYTES)
    end = stream.read(_END_BYTES)
    assert end.startswith(_END) and end.endswith(b"\0\0"), "torch writes archives without a comment"
    stream.seek(length - 2)
    stream.write(_COMMENT.to_bytes(2, "little") + _MARK)
    digest = _digest(stream, length + len(_MARK))
    stream.seek(0, os.SEEK_END)
    stream.write(digest)


def _digest(stream: IO[bytes], length: int) -> bytes:
    """SHA-256 of the first bytes, as hexadecimal digits."""
    found = hashlib.sha256()
    stream.seek(0)
    while length > 0 and (block := stream.read(min(length, 1 << 20))):
        found.update(block)
        length -= len(block)
    return found.hexdigest().encode()
