"""Decoded images kept on disk, so that no epoch decodes them again; whole and up to date, or made anew.

A cache is a folder with `images.npy`, (N, 3, S, S) uint8, and `identity.json`, which tells what it was made
of. It is made under another name and renamed when it is complete.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pytorch_lightning.utilities import rank_zero_info

from lightning_modules.data.decoding import Decode, MappedImages, write_decoded

VERSION = 1  # of the format, and of how images are decoded
_IMAGES, _IDENTITY = "images.npy", "identity.json"
_CHECKED = 64  # images whose checksum is compared when a cache is opened


class CacheError(ValueError):
    """The cache cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class ImageCache:
    """The decoded form of a list of image files.

    Args:
        folder: where caches lie; made if it is not there.
        name: beginning of this one's name.
        root: folder of the image files; files that move together with it keep their cache.
        files: N paths below `root`.
        decode: a PIL image to (3, side, side) uint8; picklable.
        facts: plain data that decides what `decode` does.
        side: height and width of the decoded images, pixels.
        limit_gb: largest size of the cache, 10^9 bytes.
        num_workers: processes that decode; 0 decodes in this process.
    """

    folder: Path
    name: str
    root: Path
    files: Sequence[str]
    decode: Decode
    facts: Mapping[str, Any]
    side: int
    limit_gb: float
    num_workers: int = 0

    def images(self) -> MappedImages:
        """The decoded images; made first where there are none, or where they are damaged or out of date.

        Raises:
            CacheError: they would exceed `limit_gb` or the disk.
            Undecodable: image files are damaged.
        """
        if self._fault():
            self.folder.mkdir(parents=True, exist_ok=True)
            with _alone(self.folder / f".{self.place.name}.lock"):
                # Another process may have made it while this one waited.
                if fault := self._fault():
                    self._make(fault)
        return MappedImages(self.place / _IMAGES)

    @cached_property
    def place(self) -> Path:
        """Folder of this cache; other lists of files have other folders."""
        return self.folder / f"{self.name}-{zlib.crc32('/'.join(self._names).encode()):08x}"

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What must be equal for a cache to be used: version, facts, the files' names, sizes and times."""
        digest = hashlib.sha256()
        for name, file in zip(self._names, self.files, strict=True):
            status = os.stat(file)
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
        return {"version": VERSION, "side": self.side, "files": digest.hexdigest(), **self.facts}

    @cached_property
    def _names(self) -> list[str]:
        return [os.path.relpath(file, self.root) for file in self.files]

    @property
    def _bytes(self) -> int:
        return len(self.files) * 3 * self.side**2

    @property
    def _size(self) -> str:
        return _readable(self._bytes)

    def _fault(self) -> str | None:
        """Why what is there cannot be used; None if it can."""
        if not self.place.is_dir():
            return "there is no cache of them yet"
        try:
            found = json.loads((self.place / _IDENTITY).read_text(encoding="utf-8"))
            checksum = found.pop("checksum")
            array = np.load(self.place / _IMAGES, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError, AttributeError, KeyError, TypeError) as error:
            return f"the cache is damaged ({type(error).__name__}: {error})"
        if found != self.identity:
            return "files have changed since the cache was made, or it is of another version"
        if array.shape != (len(self.files), 3, self.side, self.side) or array.dtype != np.uint8:
            return f"the cache is damaged (it holds {array.dtype} of shape {array.shape})"
        return None if _checksum(array) == checksum else "the cache is damaged (wrong checksum)"

    def _make(self, reason: str) -> None:
        self._check_size()
        rank_zero_info(f"Decoding {len(self.files)} images into {self.place} ({self._size}): {reason}")
        temporary = Path(tempfile.mkdtemp(prefix=f".{self.place.name}-", dir=self.folder))
        try:
            write_decoded(temporary / _IMAGES, self.files, self.decode, self.side, self.num_workers)
            checksum = _checksum(np.load(temporary / _IMAGES, mmap_mode="r"))
            text = json.dumps({**self.identity, "checksum": checksum}, indent=1)
            (temporary / _IDENTITY).write_text(text, encoding="utf-8")
            _publish(temporary, self.place)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self._disk_full("it became full on the way") from error
            raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _check_size(self) -> None:
        if self._bytes > self.limit_gb * 1e9:
            raise CacheError(
                f"the cache of {len(self.files)} images of {self.side} x {self.side} pixels would take"
                f" {self._size}, more than cache_limit_gb={self.limit_gb:g}: raise that, use a smaller"
                " resolution or class_subset, or leave out cache (images are then decoded every time)"
            )
        free = shutil.disk_usage(self.folder).free
        if free < self._bytes:
            raise self._disk_full(f"{_readable(free)} are free")

    def _disk_full(self, found: str) -> CacheError:
        return CacheError(
            f"the disk is too full for the image cache {self.place}: it takes {self._size}, {found}; free"
            " some space, set cache to a folder on another disk, or leave it out"
        )


def _readable(size: float) -> str:
    """Bytes as GB, or as MB where that reads better."""
    return f"{size * 1e-9:.3g} GB" if size >= 1e9 else f"{size * 1e-6:.3g} MB"


def _checksum(array: np.ndarray) -> int:
    """CRC-32 of some images spread over all: enough to notice what never reached the disk."""
    chosen = np.linspace(0, len(array) - 1, min(_CHECKED, len(array))).round().astype(np.int64)
    return zlib.crc32(np.ascontiguousarray(array[chosen]).tobytes())


def _publish(new: Path, place: Path) -> None:
    """Renames the folder `new` to `place`; what is there already goes."""
    # mkdtemp makes private folders; a cache is for sharing, as mkdir would have made it.
    umask = os.umask(0)
    os.umask(umask)
    new.chmod(0o777 & ~umask)
    if place.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
        os.replace(place, old / "old")
        shutil.rmtree(old, ignore_errors=True)
    os.rename(new, place)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Waits until no other process is in here with the same lock file; the system unlocks when one dies.

    Where the system or the disk has no locks, processes make the same cache several times, and one stays.
    """
    with path.open("a") as stream:
        with suppress(ImportError, OSError):
            import fcntl

            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                rank_zero_info(f"Waiting for another process that makes {path.name[1:-5]} ...")
                fcntl.flock(stream, fcntl.LOCK_EX)
        yield
