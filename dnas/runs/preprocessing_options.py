"""Options of a command that replace parts of how images are preprocessed."""

from __future__ import annotations

import argparse
from typing import Any


def add(parser: Any) -> None:
    """``--resize``, ``--crop``, ``--interpolation``, ``--mean``, ``--std``, into a parser or a group."""
    parser.add_argument("--resize", type=int, metavar="PX", help="shorter side that images are resized to")
    parser.add_argument("--crop", type=int, metavar="PX", help="side of the square cut from their centre")
    parser.add_argument("--interpolation", metavar="NAME", help="of resizing: bilinear, bicubic, ...")
    for name in ("mean", "std"):
        parser.add_argument(
            f"--{name}", type=float, nargs="+", metavar="X", help="of every channel, for pixels in [0, 1]"
        )


def given(options: argparse.Namespace) -> dict[str, Any]:
    """Fields of a :class:`dnas.runs.preprocessing.Preprocessing` that the options give."""
    fields = {name: getattr(options, name) for name in ("resize", "crop", "interpolation", "mean", "std")}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in fields.items()
        if value is not None
    }
