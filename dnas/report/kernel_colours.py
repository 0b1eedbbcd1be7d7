"""The colour that stands for a kernel size wherever an architecture is drawn."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from dnas.report import style
from dnas.space import SearchSpace

USUAL = {1: style.YELLOW, 3: style.SKY, 5: style.ORANGE, 7: style.GREEN, 9: style.PURPLE}


def kernel_colours(space: SearchSpace) -> dict[int, str]:
    """Kernel size -> colour, of all kernels that the space has, the smallest first.

    Spaces of usual kernels share their colours; where one is unusual, all are shades of one map.
    """
    choices = [choice for layer in space.layers for choice in layer.choices]
    kernels = sorted({choice.kernel for choice in choices if not choice.skip})
    if set(kernels) <= set(USUAL):
        return {kernel: USUAL[kernel] for kernel in kernels}
    # Light enough for the dark numbers in the blocks.
    shades = colormaps["cividis"](np.linspace(0.5, 1.0, len(kernels)))
    return {kernel: to_hex(shade) for kernel, shade in zip(kernels, shades, strict=True)}
