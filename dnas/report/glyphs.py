"""What stands for what wherever an architecture is drawn: colours of kernels, widths, outlines, hatching."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

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
