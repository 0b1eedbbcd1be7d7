"""An architecture as a picture, after the figure of MoGA (arXiv 1908.01314): one box per layer.

A block type says of which boxes it is drawn (:class:`dnas.blocks.Glyph`): width is the expansion, colour the
kernel; a skip is a thin line. Dashed lines stand where the resolution changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from dnas.report import style
from dnas.report.glyphs import Key, glyph_box, key_entries
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
    figure = (
        style.new_figure(1.5 + ROW_IN * (len(space.layers) + 2), 6.0)
        if axes is None
        else style.figure_of(axes)
    )
    axes = figure.add_subplot() if axes is None else axes
    pens = _Pens(Key.of(space))
    _prepare(axes, pens, len(space.layers), title)
    for layer, choice in zip(space.layers, architecture.choices, strict=True):
        _draw_layer(axes, layer, choice, pens)
    _draw_ends(axes, space)
    if legend:
        _legend(axes, pens.key, 4 if own else 2)
    return figure


@dataclass(frozen=True)
class _Pens:
    key: Key

    @property
    def channels_x(self) -> float:
        return NAME_X + LETTER * (self.key.letters + 1)

    @property
    def right_x(self) -> float:
        return self.channels_x + CHANNELS


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
    glyphs = choice.type.glyphs(choice.options)
    height = BOX_HEIGHT / max(len(glyphs), 1)
    for index, glyph in enumerate(glyphs):
        top = y - BOX_HEIGHT / 2 + index * height
        axes.add_patch(glyph_box(glyph, layer.in_channels, pens.key, top, height))
        kernel = _write(axes, 0, top + height / 2, str(glyph.kernel), align="center")
        if len(glyphs) > 1:
            kernel.set_fontsize(0.7 * style.SMALL_PT)
        else:
            # The number stays readable on a hatched box.
            colour = pens.key.colours[glyph.kernel]
            kernel.set_bbox({"facecolor": colour, "edgecolor": "none", "pad": 0.6})
    _write(axes, NAME_X, y, choice.type.label(layer, choice.name))
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


def _draw_ends(axes: Axes, space: SearchSpace) -> None:
    ends = (
        (-1, "stem", f"{space.resolution} → {space.layers[0].input_size} px"),
        (len(space.layers), "head", f"{space.num_classes} classes"),
    )
    for y, name, text in ends:
        box = Rectangle(
            (-0.5, y - BOX_HEIGHT / 2), 1.0, BOX_HEIGHT, facecolor=style.PALE, edgecolor="none", zorder=2
        )
        axes.add_patch(box)
        _write(axes, 0, y, name, align="center")
        _write(axes, NAME_X, y, text, colour=style.GREY)
    for start in (-0.75, len(space.layers) - 0.5):
        axes.plot([0, 0], [start, start + 0.25], color=style.GREY, linewidth=1.0, zorder=1)


def _legend(axes: Axes, key: Key, columns: int) -> None:
    entries = key_entries(key)
    axes.legend(
        [artist for artist, _ in entries],
        [label for _, label in entries],
        title=f"box width: expansion (widest: {key.widest:g})",
        title_fontsize=style.SMALL_PT,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=columns,
        frameon=False,
        fontsize=style.SMALL_PT,
        labelcolor=style.INK,
    )
