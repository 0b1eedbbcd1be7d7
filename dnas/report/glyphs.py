"""What stands for what wherever an architecture is drawn: colours of kernels, widths, outlines, hatching."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from dnas.blocks import Glyph
from dnas.report import style
from dnas.space import SearchSpace

USUAL = {1: style.YELLOW, 3: style.SKY, 5: style.ORANGE, 7: style.GREEN, 9: style.PURPLE}


@dataclass(frozen=True)
class Key:
    """What all architectures of a space share, so that their drawings can be compared.

    colours: kernel size -> colour, the smallest first.
    widest: the largest width of a glyph.
    outline, hatch: what a thick outline, and hatching, mean; empty where the space has none.
    skip: whether layers can be skipped.
    letters: of the longest label.
    """

    colours: dict[int, str]
    widest: float
    outline: str
    hatch: str
    skip: bool
    letters: int

    @classmethod
    def of(cls, space: SearchSpace) -> Key:
        """The key of every drawing of ``space``."""
        every = [(layer, choice) for layer in space.layers for choice in layer.choices]
        placed = [(layer, glyph) for layer, choice in every for glyph in choice.type.glyphs(choice.options)]
        glyphs = [glyph for _, glyph in placed]
        return cls(
            kernel_colours({glyph.kernel for glyph in glyphs}),
            max((glyph.relative(layer.in_channels) for layer, glyph in placed), default=1.0),
            " or ".join(dict.fromkeys(glyph.outline for glyph in glyphs if glyph.outline)),
            " or ".join(dict.fromkeys(glyph.hatch for glyph in glyphs if glyph.hatch)),
            any(choice.skip for _, choice in every),
            max(len(choice.type.label(layer, choice.name)) for layer, choice in every),
        )


def kernel_colours(kernels: set[int]) -> dict[int, str]:
    """Kernel size -> colour, the smallest first.

    Usual kernels share their colours among all spaces; where one is unusual, all are shades of one map.
    """
    if kernels <= set(USUAL):
        return {kernel: USUAL[kernel] for kernel in sorted(kernels)}
    # Light enough for the dark numbers in the blocks.
    shades = colormaps["cividis"](np.linspace(0.5, 1.0, len(kernels)))
    return {kernel: to_hex(shade) for kernel, shade in zip(sorted(kernels), shades, strict=True)}


def glyph_box(
    glyph: Glyph,
    channels: int,
    key: Key,
    top: float,
    height: float,
    *,
    centre: float = 0.0,
    widest: float = 1.0,
) -> Rectangle:
    """A box of a block with ``channels`` inputs, ``widest`` wide if no glyph of the space is wider."""
    width = widest * glyph.relative(channels) / key.widest
    return Rectangle(
        (centre - width / 2, top),
        width,
        height,
        facecolor=key.colours[glyph.kernel],
        edgecolor="black" if glyph.outline else "white",
        linewidth=2.0 if glyph.outline else 0.6,
        hatch="////" if glyph.hatch else None,
        zorder=2,
    )


def key_entries(key: Key) -> list[tuple[Artist, str]]:
    """What a legend explains: a sample of each colour, outline and hatching, and of a skip."""
    entries: list[tuple[Artist, str]] = [
        (Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor="white"), f"kernel {kernel}×{kernel}")
        for kernel, colour in key.colours.items()
    ]
    if key.outline:
        outlined = Rectangle((0, 0), 1, 1, facecolor="white", edgecolor="black", linewidth=2)
        entries.append((outlined, key.outline))
    if key.hatch:
        hatched = Rectangle((0, 0), 1, 1, facecolor="white", edgecolor=style.GREY, hatch="////")
        entries.append((hatched, key.hatch))
    if key.skip:
        entries.append((Line2D([], [], color=style.GREY, linewidth=1), "skip"))
    return entries
