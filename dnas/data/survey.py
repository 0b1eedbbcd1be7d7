"""Every image file of a folder looked at: decoded, hashed, described."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.progress import track

from dnas.images.decoding import DEEP, Header, ImageFault, decode, read_header
from dnas.images.folders import LeftOut, class_names, image_files

PARTS = ("train", "val")
# A grey image of many bits whose largest value of 255 is below this uses a sixteenth of its range.
DARK = 16

_Extrema = tuple[tuple[int, int], ...]  # of red, green and blue


@dataclass(frozen=True)
class Found:
    """One image file.

    Attributes:
        path: below the folder that was surveyed, with slashes.
        part: "train" or "val"; "" in a single folder of classes.
        label: its class.
        digest: SHA-256 of the file; "" where it cannot be read.
        header: None where there is none.
        fault: why it cannot be decoded; "" if it can.
        blank: all its pixels are equal.
        dark: it has more than 8 bits, and is nearly black after scaling.
    """

    path: str
    part: str
    label: str
    digest: str = ""
    header: Header | None = None
    fault: str = ""
    blank: bool = False
    dark: bool = False


@dataclass(frozen=True)
class Survey:
    """A folder of images.

    Attributes:
        folder: with `train` and `val`, or with the classes.
        classes: part -> sorted names of its classes.
        images: all image files, in the order of training.
        left_out: what is no class and no image.
    """

    folder: Path
    classes: dict[str, list[str]]
    images: tuple[Found, ...]
    left_out: LeftOut


def survey(folder: Path, workers: int) -> Survey:
    """Look at every image of ``folder/train/CLASS`` and ``folder/val/CLASS``, or of ``folder/CLASS``.

    Args:
        workers: processes that decode; 0 for none but this.

    Raises:
        ValueError: no folders of classes; a process was killed.
        OSError: a folder cannot be listed.
    """
    if not folder.is_dir():
        raise ValueError(
            f"No folder {folder}. Expected FOLDER/train/CLASS and FOLDER/val/CLASS, or FOLDER/CLASS."
        )
    parts = [part for part in PARTS if (folder / part).is_dir()] or [""]
    left_out = LeftOut()
    classes = {part: class_names(folder / part, left_out) for part in parts}
    if not any(classes.values()):
        raise ValueError(f"No folders of classes in {folder}. Expected FOLDER/train/CLASS, or FOLDER/CLASS.")
    files = [
        (path, part, label)
        for part in parts
        for label, paths in image_files(folder / part, classes[part], left_out).items()
        for path in paths
    ]
    console = Console(stderr=True)
    looked_at = _looked_at(folder, files, workers)
    images = track(looked_at, "Decoding images", total=len(files), console=console, transient=True)
    return Survey(folder, classes, tuple(images), left_out)


def _looked_at(folder: Path, files: Sequence[tuple[str, str, str]], workers: int) -> Iterator[Found]:
    look = partial(look_at, folder)
    if workers < 1 or len(files) < 2:
        yield from map(look, files)
        return
    try:
        with ProcessPoolExecutor(workers) as pool:
            yield from pool.map(look, files, chunksize=max(1, min(32, len(files) // (4 * workers))))
    except BrokenProcessPool as error:
        raise ValueError(
            "A process that decodes was killed, perhaps for lack of memory: give fewer --workers."
        ) from error


def look_at(folder: Path, file: tuple[str, str, str]) -> Found:
    """One file, given as (path, part, class); a fault is data."""
    path, part, label = file
    found = partial(Found, Path(os.path.relpath(path, folder)).as_posix(), part, label)
    try:
        digest = _digest(path)
    except OSError as error:
        return found(fault=f"cannot be read: {error.strerror or error}")
    header = None
    try:
        header = read_header(path)
        extrema = cast(_Extrema, decode(path).getextrema())
    except ImageFault as fault:
        return found(digest, header, fault.reason)
    except MemoryError:
        return found(digest, header, "too large for the memory of this machine")
    blank = all(low == high for low, high in extrema)
    dark = header.mode in DEEP and max(high for _, high in extrema) < DARK and not blank
    return found(digest, header, "", blank, dark)


def _digest(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
