"""Which folders are classes and which files are images; what is neither is counted, not passed over."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from dnas.images.decoding import shown

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
# What systems leave in folders, beside names that begin with a dot; compared in lower case.
JUNK = {
    "__macosx",
    "@eadir",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "thumbs.db",
    "desktop.ini",
}
# Kinds of what is left out.
HIDDEN_FOLDER, HIDDEN_FILE = "hidden folder(s)", "hidden file(s)"
OTHER_TYPE, OUTSIDE = "file(s) of other types", "file(s) outside the classes"
SPECIAL, CIRCLE = "special file(s)", "link(s) to a folder around them"

_EXAMPLES = 3

_Place = tuple[int, int]  # device and inode of a folder


class LeftOut:
    """What is no class and no image, by kind."""

    def __init__(self) -> None:
        self.paths: dict[str, list[str]] = {}

    def add(self, kind: str, path: str) -> None:
        """Count one of a kind."""
        self.paths.setdefault(kind, []).append(path)

    @property
    def counts(self) -> dict[str, int]:
        """Kind -> number of paths."""
        return {kind: len(paths) for kind, paths in self.paths.items()}

    def sentence(self) -> str:
        """Kinds, counts and some names, on one line; "" where nothing is left out."""
        return ", ".join(_counted(kind, paths) for kind, paths in self.paths.items())


def _counted(kind: str, paths: Sequence[str]) -> str:
    names = Counter(os.path.basename(path) for path in paths)
    some = [shown(name) for name, _ in names.most_common(_EXAMPLES)]
    return f"{len(paths)} {kind} ({', '.join(some)}{', ...' if len(names) > _EXAMPLES else ''})"


def is_hidden(name: str) -> bool:
    """Whether a folder or file of this name belongs to a system or a tool, not to a data set."""
    return name.startswith(".") or name.casefold() in JUNK


def class_names(folder: Path, left_out: LeftOut) -> list[str]:
    """Sorted names of the folders of classes; [] where there are none.

    Raises:
        OSError: the folder is there and cannot be listed.
    """
    if not folder.is_dir():
        return []
    around, names = _around(folder), []
    for entry in _listed(folder):
        if _is_folder(entry):
            if kind := _no_folder(entry, around):
                left_out.add(kind, entry.path)
            else:
                names.append(entry.name)
        else:
            left_out.add(HIDDEN_FILE if is_hidden(entry.name) else OUTSIDE, entry.path)
    return sorted(names)


def image_files(folder: Path, classes: Iterable[str], left_out: LeftOut) -> dict[str, list[str]]:
    """The image files of every class, at any depth, folder by folder in the order of their names.

    A link that leads nowhere is listed: it stands for an image that is missing.

    Raises:
        OSError: a folder cannot be listed.
    """
    around = _around(folder)
    return {name: _below(os.path.join(str(folder), name), around, left_out) for name in classes}


def _below(top: str, around: frozenset[_Place], left_out: LeftOut) -> list[str]:
    found: dict[str, list[str]] = {}
    if os.path.isdir(top):
        _walk(top, around, found, left_out)
    return [os.path.join(folder, name) for folder in sorted(found) for name in sorted(found[folder])]


def _walk(folder: str, around: frozenset[_Place], found: dict[str, list[str]], left_out: LeftOut) -> None:
    around = around | {_place(folder)}
    for entry in _listed(folder):
        if _is_folder(entry):
            if kind := _no_folder(entry, around):
                left_out.add(kind, entry.path)
            else:
                _walk(entry.path, around, found, left_out)
        elif kind := _no_image(entry):
            left_out.add(kind, entry.path)
        else:
            found.setdefault(folder, []).append(entry.name)


def _listed(folder: str | Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _no_folder(entry: os.DirEntry[str], around: frozenset[_Place]) -> str:
    """Kind of what is left out; "" for a folder to look into."""
    if is_hidden(entry.name):
        return HIDDEN_FOLDER
    return CIRCLE if _place(entry.path) in around else ""


def _no_image(entry: os.DirEntry[str]) -> str:
    """Kind of what is left out; "" for an image."""
    if is_hidden(entry.name):
        return HIDDEN_FILE
    if not entry.name.lower().endswith(EXTENSIONS):
        return OTHER_TYPE
    try:
        # Opening a pipe would wait for ever.
        regular = entry.is_file(follow_symlinks=False) or stat.S_ISREG(os.stat(entry.path).st_mode)
    except OSError:
        return ""
    return "" if regular else SPECIAL


def _place(path: str | Path) -> _Place:
    found = os.stat(path)
    return found.st_dev, found.st_ino


def _around(folder: Path) -> frozenset[_Place]:
    """The folder and all that it lies in."""
    real = folder.resolve()
    return frozenset(_place(path) for path in (real, *real.parents))
