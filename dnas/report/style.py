"""The look that all figures share, and saving them.

Colours are those of Okabe and Ito ("Color Universal Design", 2008), told apart with every colour vision
deficiency. Figures are 8 inches wide with text of at least 8 points: readable when shown 800 pixels wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnas.support.files import replacing

BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
ORANGE = "#E69F00"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
YELLOW = "#F0E442"
INK = "#222222"
GREY = "#666666"
PALE = "#DDDDDD"

WIDTH_IN = 8.0
DPI = 150
TEXT_PT = 9.0
SMALL_PT = 8.0
# Kind of file -> metadata that it does without.
FORMATS: dict[str, dict[str, None]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def new_figure(height_in: float, width_in: float = WIDTH_IN) -> Figure:
    """An empty white figure of that size in inches; it belongs to no window and no global list."""
    figure = Figure(figsize=(width_in, height_in), dpi=DPI, facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.08)
    return figure


def figure_of(axes: Axes) -> Figure:
    """The whole figure that ``axes`` belong to, also when they stand in a part of it."""
    return axes.figure.figure


def tidy(axes: Axes, grid: Literal["x", "y", "both"] | None = None) -> None:
    """Leave the left and lower spine, small ticks, and faint grid lines of the axis "x", "y" or "both"."""
    axes.set_facecolor("white")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(labelsize=TEXT_PT, colors=INK, color=GREY, length=3)
    axes.xaxis.label.set(size=TEXT_PT, color=INK)
    axes.yaxis.label.set(size=TEXT_PT, color=INK)
    if grid is not None:
        axes.grid(True, axis=grid, color=PALE, linewidth=0.6)
        axes.set_axisbelow(True)


def save_figure(figure: Figure, path: str | Path, formats: Sequence[str] = ("png",)) -> tuple[Path, ...]:
    """Write ``figure`` as ``path`` with the suffix of every format ("png" at 150 dpi, "svg", "pdf").

    The folder is created; a file appears only when it is complete. Returns the files.

    Raises:
        ValueError: no format, or another one.
    """
    unknown = sorted(set(formats) - {*FORMATS})
    if unknown or not formats:
        raise ValueError(f"Figures are saved as 'png', 'svg' or 'pdf', got formats {list(formats)}.")
    stem = Path(path)
    stem = stem.with_suffix("") if stem.suffix in {f".{kind}" for kind in FORMATS} else stem
    return tuple(_save(figure, stem.with_name(f"{stem.name}.{kind}"), kind) for kind in formats)


def _save(figure: Figure, path: Path, kind: str) -> Path:
    # Without a fixed salt and with a date, every SVG and PDF would differ from the last one.
    with replacing(path) as stream, matplotlib.rc_context({"svg.hashsalt": "dnas"}):
        figure.savefig(stream, format=kind, dpi=DPI, metadata=FORMATS[kind])
    return path
