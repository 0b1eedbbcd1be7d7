"""Image files decoded in parallel into one .npy file, and that file's images by number."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dnas.images.decoding import ImageFault, UnreadableImage

Decode = Callable[[str], Tensor]


class MappedImages:
    """Images of a .npy file, read when they are asked for; processes that use the same file share its memory.

    Args:
        path: file with an (N, C, H, W) array.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def _array(self) -> np.ndarray:
        array: np.ndarray = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return array

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        return self._array.shape

    def __getitem__(self, rows: Tensor) -> Tensor:
        """The B images of these numbers, (B, C, H, W), copied."""
        return torch.from_numpy(self._array[rows.numpy()])

    def __reduce__(self) -> tuple[Any, ...]:
        # Loader processes that are not forked open the file themselves, instead of receiving its content.
        return MappedImages, (self.path,)


def write_decoded(
    path: Path, files: Sequence[str], decode: Decode, side: int, num_workers: int
) -> dict[int, ImageFault]:
    """Decodes N files into a .npy file (N, 3, side, side) of bytes, in their order, with a progress bar.

    The file is written, not mapped: a full disk is then an exception, where it would kill a process that
    maps.

    Args:
        path: file to write.
        files: N paths.
        decode: a path to (3, side, side) uint8; picklable.
        side: height and width of the decoded images, pixels.
        num_workers: processes that decode; 0 decodes in this process.

    Returns:
        What is wrong with the files that cannot be decoded, by number; their images are black.

    Raises:
        UnreadableImage: the first file that the system does not give.
        OSError: the file cannot be written.
    """
    faults = {}
    with path.open("wb") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": (len(files), 3, side, side)}
        np.lib.format.write_array_header_1_0(stream, header)
        for number, image in enumerate(_decoded(files, decode, num_workers)):
            if isinstance(image, UnreadableImage):
                raise image
            if isinstance(image, ImageFault):
                faults[number] = image
            stream.write(bytes(3 * side**2) if isinstance(image, ImageFault) else image.numpy().tobytes())
        stream.flush()
        os.fsync(stream.fileno())
    return faults


def _decoded(files: Sequence[str], decode: Decode, num_workers: int) -> Iterator[Tensor | ImageFault]:
    """Every image in order, or what is wrong with it."""
    loader = DataLoader(
        _DecodedFiles(files, decode),
        batch_size=None,
        num_workers=num_workers,
        generator=torch.Generator(),  # torch's global one stays as it is
    )
    console = Console(stderr=True)
    return iter(track(loader, "Decoding images", total=len(files), console=console, transient=True))


class _DecodedFiles(Dataset[Any]):
    """Decoded images by number; an error is data too, so that one run finds all."""

    def __init__(self, files: Sequence[str], decode: Decode) -> None:
        self.files, self.decode = files, decode

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, item: int) -> Tensor | ImageFault:
        try:
            return self.decode(self.files[item])
        except ImageFault as fault:
            return fault
