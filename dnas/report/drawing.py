"""An architecture as a picture, after the figure of MoGA (arXiv 1908.01314): one box per layer.

Width is the expansion, colour the kernel, a black outline squeeze-excite, hatching grouped convolutions; a
skip is a thin line. Dashed lines stand where the resolution changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from dnas.report import style
from dnas.report.kernel_colours import kernel_colours
from dnas.space import Choice, Layer, SearchSpace
from dnas.space.architecture import Architecture

ROW_IN = 0.29
BOX_HEIGHT = 0.66
# Columns in units of the widest box: layer's name, box (centred at 0), choice's name, channels.
LAYER_X, NAME_X, LETTER, CHANNELS = -0.84, 0.57, 0.082, 0.84


def architecture_drawing(
    architecture: Architecture, axes: Axes | None = None, *, title: str | None = None, legend: bool = True
) -> Figure:
    """Draw ``architecture`` into a new figure, or into ``axes`` (then its figure is returned).

    Args:
        axes: several axes side by side compare architectures; each needs about 2.6 x (0.29 L + 1) inches.
        title: written above; none by default.
        legend: explain colours and outlines below the drawing.
    """
    space = architecture.space
    own = axes is None
    figure = style.new_figure(1.5 + ROW_IN * (len(space) + 2), 6.0) if axes is None else style.figure_of(axes)
    axes = figure.add_subplot() if axes is None else axes
    pens = _pens(space)
    _prepare(axes, pens, len(space), title)
    for layer, choice in zip(space.layers, architecture.choices, strict=True):
        _draw_layer(axes, layer, choice, pens)
    _draw_ends(axes, space)
    if legend:
        _legend(axes, space, pens, 4 if own else 2)
    return figure


@dataclass(frozen=True)
class _Pens:
    """What all architectures of a space share, so that their drawings can be compared."""

    colours: dict[int, str]
    widest: float
    channels_x: float

    @property
    def right_x(self) -> float:
        return self.channels_x + CHANNELS


def _pens(space: SearchSpace) -> _Pens:
    choices = [choice for layer in space.layers for choice in layer.choices]
    widest = max((choice.expansion for choice in choices if not choice.skip), default=1.0)
    letters = max(len(choice.name) + (5 if choice.skip else 1) for choice in choices)
    return _Pens(kernel_colours(space), widest, NAME_X + LETTER * letters)


def _prepare(axes: Axes, pens: _Pens, layers: int, title: str | None) -> None:
    axes.set_xlim(LAYER_X - 0.05, pens.right_x)
    axes.set_ylim(layers + 0.5, -1.5)
    axes.set_axis_off()
    if title is not None:
        axes.set_title(title, size=style.TEXT_PT + 1, color=style.INK)


def _write(axes: Axes, x: float, y: float, text: str, align: str = "left", colour: str = style.INK) -> Text:
    written = axes.text(x, y, text, ha=align, va="center", size=style.SMALL_PT, color=colour)
    # All texts stand inside the axes; they must not push the axes about.
    written.set_in_layout(False)
    return written


def _draw_layer(axes: Axes, layer: Layer, choice: Choice, pens: _Pens) -> None:
    y = layer.index
    _write(axes, LAYER_X, y, layer.name, colour=style.GREY)
    axes.plot([0, 0], [y - 0.5, y + 0.5], color=style.GREY, linewidth=1.0, zorder=1)
    if not choice.skip:
        axes.add_patch(_box(choice, pens, y))
        # The number stays readable on a hatched box.
        plain = {"facecolor": pens.colours[choice.kernel], "edgecolor": "none", "pad": 0.6}
        _write(axes, 0, y, str(choice.kernel), align="center").set_bbox(plain)
    # Where the shape changes, a skip is a 1x1 convolution.
    name = choice.name if layer.keeps_shape or not choice.skip else f"{choice.name} 1×1"
    _write(axes, NAME_X, y, name)
    _write(axes, pens.channels_x, y, f"{layer.in_channels} → {layer.out_channels}", colour=style.GREY)
    if layer.stride > 1:
        _mark_stride(axes, layer, pens)


def _mark_stride(axes: Axes, layer: Layer, pens: _Pens) -> None:
    y = layer.index - 0.5
    axes.plot([LAYER_X, pens.right_x], [y, y], color=style.GREY, linewidth=0.7, dashes=(4, 3), zorder=0)
    text = f"stride {layer.stride}, {layer.input_size} → {layer.output_size} px"
    _write(axes, pens.right_x, y, text, "right", style.GREY).set_bbox(
        {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    )


def _box(choice: Choice, pens: _Pens, y: float) -> Rectangle:
    width = choice.expansion / pens.widest
    se = choice.se > 0
    return Rectangle(
        (-width / 2, y - BOX_HEIGHT / 2),
        width,
        BOX_HEIGHT,
        facecolor=pens.colours[choice.kernel],
        edgecolor="black" if se else "white",
        linewidth=2.0 if se else 0.6,
        hatch="////" if choice.groups > 1 else None,
        zorder=2,
    )


def _draw_ends(axes: Axes, space: SearchSpace) -> None:
    ends = (
        (-1, "stem", f"{space.resolution} → {space.layers[0].input_size} px"),
        (len(space), "head", f"{space.num_classes} classes"),
    )
    for y, name, text in ends:
        box = Rectangle(
            (-0.5, y - BOX_HEIGHT / 2), 1.0, BOX_HEIGHT, facecolor=style.PALE, edgecolor="none", zorder=2
        )
        axes.add_patch(box)
        _write(axes, 0, y, name, align="center")
        _write(axes, NAME_X, y, text, colour=style.GREY)
    for start in (-0.75, len(space) - 0.5):
        axes.plot([0, 0], [start, start + 0.25], color=style.GREY, linewidth=1.0, zorder=1)


def _legend(axes: Axes, space: SearchSpace, pens: _Pens, columns: int) -> None:
    choices = [choice for layer in space.layers for choice in layer.choices]
    entries: list[tuple[Artist, str]] = [
        (Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor="white"), f"kernel {kernel}×{kernel}")
        for kernel, colour in pens.colours.items()
    ]
    if any(choice.se > 0 for choice in choices):
        entries.append(
            (Rectangle((0, 0), 1, 1, facecolor="white", edgecolor="black", linewidth=2), "squeeze-excite")
        )
    if any(choice.groups > 1 for choice in choices):
        hatched = Rectangle((0, 0), 1, 1, facecolor="white", edgecolor=style.GREY, hatch="////")
        entries.append((hatched, "grouped convolutions"))
    if any(choice.skip for choice in choices):
        entries.append((Line2D([], [], color=style.GREY, linewidth=1), "skip"))
    axes.legend(
        [artist for artist, _ in entries],
        [label for _, label in entries],
        title=f"box width: expansion (widest: {pens.widest:g})",
        title_fontsize=style.SMALL_PT,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=columns,
        frameon=False,
        fontsize=style.SMALL_PT,
        labelcolor=style.INK,
    )
