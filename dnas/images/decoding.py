"""The one way in which image files become pixels: depth, orientation, colours, what is refused by name."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

VERSION = 3  # of what comes out of `decode`; stored pixels of another version are stale
# EPS is missing on purpose: Pillow starts Ghostscript, a program run on what a stranger wrote.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")
# Resizing the shorter side of a longer strip to 256 pixels would take gigabytes.
LONGEST = 200
INTEGERS = ("I;16", "I;16L", "I;16B", "I;16N", "I")
DEEP = (*INTEGERS, "F")

_ORIENTATION, _BITS, _COMPRESSION, _PHOTOMETRIC, _PLANES, _PALETTE, _SIGN = 274, 258, 259, 262, 284, 320, 339
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageFault(ValueError):
    """An image file that cannot be used; the message is one sentence that names it.

    Args:
        path: the file.
        reason: what is wrong with it.
    """

    verb = "decoded"

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(f"{shown(path)} cannot be {self.verb} ({reason})")
        self.path, self.reason = str(path), reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.reason)


class UnreadableImage(ImageFault):
    """The system does not give the bytes of the file: no permission, a dangling link, a failing disk."""

    verb = "read"


def shown(path: str | Path) -> str:
    """A path on one line: what a terminal would not print as it is stands quoted, with escapes."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def decode(path: str | Path, mode: str = "RGB", exif_orientation: bool = True) -> Image.Image:
    """The first frame of an image file, with 8 bits a channel.

    Grey images of more bits are scaled by a fixed rule, which does not depend on the image: 16 bits and
    32-bit integers by 255 / 65535, 12 bits by 255 / 4095, both rounded down; floats by 255, rounded. Integers
    outside that range, floats outside [0, 1] and NaN are refused. Of 16-bit colours Pillow keeps the upper
    byte. Transparency is dropped.

    Args:
        path: the file; its content decides the format, not its name.
        mode: "RGB" or "L".
        exif_orientation: turn and mirror the image as its orientation tag says. Pillow does so with TIFF
            files in either case.

    Raises:
        UnreadableImage: the system does not give its bytes.
        ImageFault: any other reason why there are no pixels, or none that could be right.
    """
    with _opened(path) as image:
        image.load()
        turn = _TURNS.get(_orientation(image)) if exif_orientation else None
        made = _with_eight_bits(image)
        if turn is not None:
            made = made.transpose(turn)
        return made.convert(mode)


def check_header(path: str | Path) -> None:
    """Refuse what the header shows to be unusable; an image of more than 8 bits is decoded, for its range.

    Raises:
        UnreadableImage, ImageFault: as `decode`.
    """
    with _opened(path) as image:
        if image.mode in DEEP:
            _with_eight_bits(image)
        else:
            Image.new(image.mode, (1, 1)).convert("RGB")


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """An image of a sane shape whose pixels are not read yet; whatever fails within names the file."""
    try:
        # Damaged EXIF, and sizes that Pillow accepts but finds large: it warns without the file's name.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open(path, "rb") as stream, Image.open(stream, formats=_formats()) as image:
                width, height = image.size
                if max(width, height) > LONGEST * min(width, height):
                    raise ValueError(f"{width} x {height} pixels, too long and thin to be resized")
                if reason := _misread(image.mode, getattr(image, "tag_v2", {})):
                    raise ValueError(reason)
                yield image
    except (ImageFault, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise ImageFault(path, _no_image(path)) from error
    except OSError as error:
        # Pillow's own have no number.
        kind = ImageFault if error.errno is None else UnreadableImage
        raise kind(path, error.strerror or _one_line(error)) from error
    except Exception as error:  # whatever a damaged file makes its decoder stumble over
        raise ImageFault(path, _one_line(error)) from error


@cache
def _formats() -> tuple[str, ...]:
    """Those that this Pillow has."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _no_image(path: str | Path) -> str:
    """Why Pillow finds no image in a file: it keeps to itself what the decoder of the format said."""
    with open(path, "rb") as stream:
        start = stream.read(24)
        for name in _formats():
            make, accepts = Image.OPEN[name]
            if accepts and accepts(start[:16]) is True:
                stream.seek(0)
                try:
                    make(stream, str(path))
                except Exception as error:
                    return f"{name} of a kind that Pillow does not read, or damaged: {_one_line(error)}"
    return (
        f"no image format that is known, it begins with {ascii(start)[1:]}" if start else "the file is empty"
    )


def _one_line(error: Exception) -> str:
    if "MAX_TEXT_" in str(error):  # Pillow names a setting of its own
        return "PNG with more text, or a larger colour profile, than Pillow takes: save it without"
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _misread(mode: str, tags: Mapping[int, Any]) -> str:
    """What Pillow would get wrong of a TIFF file without a word; "" for nothing."""
    if mode in DEEP:
        # It inverts such images of 8 bits only.
        inverted = tags.get(_PHOTOMETRIC) == 0
        return f"mode {mode} in which zero is white: invert the file" if inverted else ""
    if tags.get(_PLANES) == 2 and tags.get(_COMPRESSION, 1) == 1 and max(tags.get(_BITS, (1,))) > 8:
        return "each channel of 16 bits apart, which Pillow reads as 8: save the channels interleaved"
    if 2 in tags.get(_SIGN, ()):
        return "8 bits with a sign, which Pillow ignores: rescale the file to values from 0 to 255"
    if 0 < max(tags.get(_PALETTE, (0,))) < 256:
        return "a palette of 8 bits, which Pillow reads as 16: save the file as RGB"
    return ""


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged EXIF block says nothing about pixels that are whole
        return 1


def _with_eight_bits(image: Image.Image) -> Image.Image:
    """The same image in a mode that Pillow converts rightly; raises ValueError where none is right."""
    if image.mode == "P" and isinstance(image.info.get("transparency"), bytes):
        return image.convert("RGBA")
    if image.mode not in DEEP:
        return image
    values = np.asarray(image)
    if image.mode == "F":
        return Image.fromarray(_from_floats(values))
    bits = getattr(image, "tag_v2", {}).get(_BITS)
    return Image.fromarray(_from_integers(values, 4095 if bits == (12,) else 65535, image.mode))


def _from_floats(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    if not (low >= 0.0 and high <= 1.0):
        raise ValueError(f"mode F with values from {low:g} to {high:g}, expected 0 to 1: rescale the file")
    return (values * 255.0).round().astype(np.uint8)


def _from_integers(values: np.ndarray, top: int, mode: str) -> np.ndarray:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > top:
        raise ValueError(
            f"mode {mode} with values from {low} to {high}, expected 0 to {top}: rescale the file"
        )
    return (values.astype(np.uint32) * 255 // top).astype(np.uint8)


def status(path: str | Path) -> os.stat_result:
    """Of the file that a path leads to; raises UnreadableImage."""
    try:
        return os.stat(path)
    except OSError as error:
        raise UnreadableImage(path, error.strerror or _one_line(error)) from error


class Header(NamedTuple):
    """What a file says of its image before any pixel is decoded."""

    format: str
    mode: str
    width: int
    height: int
    orientation: int
    several_frames: bool


def read_header(path: str | Path) -> Header:
    """Format, Pillow's mode, size in pixels as stored, EXIF orientation (1 where there is none), frames.

    Raises:
        UnreadableImage, ImageFault: as `decode`.
    """
    with _opened(path) as image:
        return Header(
            str(image.format), image.mode, *image.size, _orientation(image), _has_several_frames(image)
        )


def _has_several_frames(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # a damaged second frame leaves the first whole
        return False
