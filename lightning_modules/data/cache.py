"""Decoded images kept on disk, so that no epoch decodes them again; whole and up to date, or made anew.

A cache is a folder with `images.npy`, (N, 3, S, S) uint8, and `identity.json`, which says what it was made
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

from dnas.images.decoding import VERSION as DECODING
from dnas.images.decoding import ImageFault, status
from lightning_modules.data.damaged import Undecodable, refusal
from lightning_modules.data.decoding import Decode, MappedImages, write_decoded

VERSION = 2  # of the format
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
        decode: a path to (3, side, side) uint8; picklable.
        facts: plain data that decides what `decode` does.
        side: height and width of the decoded images, pixels.
        limit_gb: largest size of the cache, 10^9 bytes.
        num_workers: processes that decode; 0 decodes in this process.
        skip: keep a cache of which images are missing, because their files are damaged.
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
    skip: bool = False

    def images(self) -> MappedImages:
        """The decoded images; made first where there are none, or where they are damaged or out of date.

        Raises:
            CacheError: they would exceed `limit_gb` or the disk.
            Undecodable: image files are damaged, and `skip` is False.
            UnreadableImage: the system does not give the bytes of a file.
        """
        if self._fault():
            self.folder.mkdir(parents=True, exist_ok=True)
            with _alone(self.folder / f".{self.place.name}.lock"):
                # Another process may have made it while this one waited.
                if fault := self._fault():
                    self._make(fault)
        self._refuse({int(number): self._damage[number] for number in self._damage})
        return MappedImages(self.place / _IMAGES)

    @property
    def damaged(self) -> list[int]:
        """Numbers of the damaged files, whose images are black; of a cache that is made."""
        return sorted(map(int, self._damage))

    @property
    def _damage(self) -> dict[str, str]:
        """Number of a damaged file -> what is wrong with it."""
        found = json.loads((self.place / _IDENTITY).read_text(encoding="utf-8"))
        damage: dict[str, str] = found["damaged"]
        return damage

    def _refuse(self, reasons: Mapping[int, str]) -> None:
        if reasons and not self.skip:
            faults = [ImageFault(self.files[number], reason) for number, reason in reasons.items()]
            raise Undecodable(refusal(faults, f"{len(self.files)} image files"))

    @cached_property
    def place(self) -> Path:
        """Folder of this cache; other lists of files have other folders."""
        return self.folder / f"{self.name}-{zlib.crc32(os.fsencode('/'.join(self._names))):08x}"

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What must be equal for a cache to be used: version, facts, the files' names, sizes and times."""
        digest = hashlib.sha256()
        for name, file in zip(self._names, self.files, strict=True):
            found = status(file)
            digest.update(os.fsencode(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n"))
        version = {"version": VERSION, "decoding": DECODING}
        return {**version, "side": self.side, "files": digest.hexdigest(), **self.facts}

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
            checksum, _ = found.pop("checksum"), found.pop("damaged").keys()
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
            faults = write_decoded(temporary / _IMAGES, self.files, self.decode, self.side, self.num_workers)
            damaged = {number: fault.reason for number, fault in faults.items()}
            self._refuse(damaged)
            checksum = _checksum(np.load(temporary / _IMAGES, mmap_mode="r"))
            text = json.dumps({**self.identity, "checksum": checksum, "damaged": damaged}, indent=1)
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
