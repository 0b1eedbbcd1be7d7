"""A page of images, a row for every class, as a network gets to see them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from matplotlib.figure import Figure
from PIL import Image, ImageOps

from dnas.data.survey import Survey
from dnas.images.decoding import decode, shown
from dnas.report.style import FORMATS, INK, SMALL_PT, TEXT_PT, new_figure, save_figure

MOST_CLASSES, SAMPLES, SIDE, GAP = 24, 8, 96, 8
_LONGEST_NAME = 24

T = TypeVar("T")


def check_path(path: Path) -> None:
    """Refuse a page that could not be written; raises ValueError, IsADirectoryError."""
    if path.suffix.removeprefix(".") not in FORMATS:
        raise ValueError(f"--page {path}: expected a name that ends with .{', .'.join(FORMATS)}.")
    if path.is_dir():
        raise IsADirectoryError(f"--page {path} is a folder: give a file to write.")


def write_page(survey: Survey, path: Path) -> Path:
    """Draw the page into a .png, .svg or .pdf file; its folder is created."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a name in a script that the font has not
        return save_figure(draw(survey), path, [path.suffix.removeprefix(".")])[0]


def draw(survey: Survey) -> Figure:
    """Of the first part: up to 8 images of up to 24 classes, both spread evenly over all."""
    part = next(iter(survey.classes))
    whole: dict[str, list[str]] = {}
    for image in survey.images:
        if image.part == part and not image.fault:
            whole.setdefault(image.label, []).append(image.path)
    names = _spread(sorted(whole), MOST_CLASSES)
    figure = new_figure(0.6 + 0.85 * max(1, len(names)))
    title = f"{len(names)} of {len(whole)} classes" if len(names) < len(whole) else f"{len(whole)} classes"
    figure.suptitle(f"{shown(survey.folder / part)}: {title}", fontsize=TEXT_PT, color=INK, parse_math=False)
    axes = figure.subplots(max(1, len(names)), squeeze=False)[:, 0]
    for each in axes:
        each.set_axis_off()
    for each, name in zip(axes, names, strict=False):
        each.imshow(_strip([survey.folder / file for file in _spread(whole[name], SAMPLES)]))
        label = shown(name) if len(shown(name)) <= _LONGEST_NAME else f"{shown(name)[: _LONGEST_NAME - 1]}…"
        each.set_title(
            f"{label} ({len(whole[name]):,})", loc="left", fontsize=SMALL_PT, color=INK, parse_math=False
        )
    return figure


def _strip(files: Sequence[Path]) -> Image.Image:
    """The centre squares of images side by side, on white."""
    strip = Image.new("RGB", (SAMPLES * (SIDE + GAP) - GAP, SIDE), "white")
    for number, file in enumerate(files):
        strip.paste(ImageOps.fit(decode(file), (SIDE, SIDE)), (number * (SIDE + GAP), 0))
    return strip


def _spread(values: Sequence[T], most: int) -> list[T]:
    """At most so many, from the first to the last at equal distances."""
    if len(values) <= most:
        return list(values)
    return [values[round(number * (len(values) - 1) / (most - 1))] for number in range(most)]
