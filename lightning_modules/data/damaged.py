"""Images that cannot be decoded: what takes their place where they are skipped, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from dnas.images.decoding import ImageFault, UnreadableImage, check_header, shown

Made = TypeVar("Made")
SHOWN = 5


class Undecodable(ValueError):
    """Image files are damaged; the message names them."""


class StandIns:
    """The image that takes the place of a damaged one: the next of the same class and split, by number.

    After the last comes the first. The rule knows the list of files alone, so batches depend neither on
    worker processes nor on what was seen before, and a resumed run has those of an uninterrupted one.

    Args:
        files: N paths.
        labels: (N,) classes.
        damaged: numbers of images that are known to be damaged.
    """

    def __init__(
        self, files: Sequence[str], labels: Sequence[int] | np.ndarray, damaged: Sequence[int] = ()
    ) -> None:
        self.files, self._labels = files, np.asarray(labels)
        self._splits = np.zeros(len(files), dtype=np.int64)
        # In shared memory: what a loader's process finds, the process that reports it sees.
        self._damaged = torch.zeros(len(files), dtype=torch.bool).share_memory_()
        self._damaged[list(damaged)] = True

    def keep_apart(self, splits: Sequence[np.ndarray]) -> None:
        """Let images stand in for those of their own split only; `splits` are disjoint numbers of images."""
        for number, indices in enumerate(splits):
            self._splits[indices] = number

    @property
    def damaged(self) -> list[str]:
        """Paths of the damaged images met so far."""
        return [self.files[number] for number in self._damaged.nonzero().flatten().tolist()]

    def first(self, number: int, make: Callable[[str], Made]) -> Made:
        """What `make` makes of an image's path, or of the path of the first that stands in for it.

        Raises:
            UnreadableImage: a file may be readable again later, so it is never skipped.
            ImageFault: no image of its class in its split can be decoded.
        """
        for candidate in self._candidates(number):
            try:
                return make(self.files[candidate])
            except UnreadableImage:
                raise
            except ImageFault:
                self._damaged[candidate] = True
        raise ImageFault(self.files[number], "nor can any other image of its class in its split")

    def replace(self, rows: Tensor) -> Tensor:
        """(B,) numbers with stand-ins for the damaged ones, where these are known; raises ImageFault."""
        found = rows.clone()
        for position in self._damaged[rows].nonzero().flatten().tolist():
            candidate = next(self._candidates(int(rows[position])), None)
            if candidate is None:
                path = self.files[int(rows[position])]
                raise ImageFault(path, "nor can any other image of its class in its split")
            found[position] = candidate
        return found

    def _candidates(self, number: int) -> Iterator[int]:
        if not self._damaged[number]:
            yield number
        alike = (self._labels == self._labels[number]) & (self._splits == self._splits[number])
        (numbers,) = alike.nonzero()
        for candidate in (*numbers[numbers > number].tolist(), *numbers[numbers < number].tolist()):
            if not self._damaged[candidate]:
                yield candidate


def check_some(files: Sequence[str], most: int) -> None:
    """Read the headers of at most so many files, spread evenly over all.

    Raises:
        UnreadableImage: the first file that the system does not give.
        Undecodable: naming those that are no images.
    """
    chosen = np.unique(np.linspace(0, len(files) - 1, min(most, len(files))).round().astype(np.int64))
    faults = []
    for number in chosen.tolist():
        try:
            check_header(files[number])
        except UnreadableImage:
            raise
        except ImageFault as fault:
            faults.append(fault)
    if faults:
        raise Undecodable(refusal(faults, f"{len(chosen)} image files looked at, out of {len(files)},"))


def refusal(faults: Sequence[ImageFault], of: str) -> str:
    """One message about damaged files, `of` so many."""
    named = "; ".join(f"{shown(fault.path)} ({fault.reason})" for fault in faults[:SHOWN])
    return (
        f"{len(faults)} of {of} cannot be decoded, replace or delete them: {named}"
        f"{'; ...' if len(faults) > SHOWN else ''}"
    )
