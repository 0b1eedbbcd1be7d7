"""A search space as a picture: a row per layer with its shapes, a box per choice, in columns of one name.

Boxes are those of :mod:`dnas.report.drawing`. Layers that may be left out stand in dashed frames, layers that
follow one decision in a bracket.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from dnas.report import style
from dnas.report.glyphs import Key, glyph_box, key_entries
from dnas.space import Choice, Decision, FixedOp, Layer, SearchSpace

MOST_LAYERS = 200
ROW_IN, BOX_HEIGHT = 0.27, 0.66
# Where columns begin and end, in inches: names of layers, brackets, boxes, channels, pixels, activation.
BRACKET_X, LEFT_X, RIGHT_X, CHANNELS_X, PIXELS_X, ACTIVATION_X, END_X = 0.62, 0.8, 5.0, 5.1, 6.05, 6.95, 7.6
LETTER_IN = 0.075
WIDEST_CELL_IN, NARROWEST_CELL_IN, WIDEST_BOX_IN = 1.05, 0.16, 0.55


def space_drawing(space: SearchSpace, title: str | None = None) -> Figure:
    """Draw stem, searchable layers with all their choices, and head.

    A choice has a box in the column of its name; where the names of the layers have little in common, or
    are too many for the page, a row says how many choices it has and which kernels.

    Raises:
        ValueError: more layers than a figure has room for.
    """
    if len(space.layers) > MOST_LAYERS:
        raise ValueError(
            f"The space {space.name} has {len(space.layers):,} layers: a figure has room for {MOST_LAYERS}."
        )
    page = _Page.of(space)
    figure = style.new_figure(ROW_IN * page.rows + 0.75 + 0.3 * (title is not None))
    axes = figure.add_subplot()
    axes.set_xlim(0, END_X)
    axes.set_ylim(page.rows - page.heading - 0.5, -page.heading - 0.5)
    axes.set_axis_off()
    if title is not None:
        axes.set_title(title, size=style.TEXT_PT + 1, color=style.INK)
    _draw_headings(axes, page)
    for place, op in enumerate(space.stem):
        _draw_fixed(axes, op, place)
    for layer in space.layers:
        _draw_layer(axes, layer, page)
    for decision in space.decisions:
        _draw_bracket(axes, decision, page)
    first = len(space.stem) + len(space.layers)
    for place, op in enumerate(space.head):
        _draw_fixed(axes, op, first + place)
    _draw_classifier(axes, space, first + len(space.head))
    _legend(axes, page)
    return figure


@dataclass(frozen=True)
class _Page:
    """Where everything stands.

    Attributes:
        names: headings of the columns; none where rows count their choices.
        first: the row of the first searchable layer; the stem's first operation has row 0.
        heading: rows above it.
    """

    space: SearchSpace
    key: Key
    names: tuple[str, ...]
    first: int

    @classmethod
    def of(cls, space: SearchSpace) -> _Page:
        offered = dict.fromkeys(choice.name for layer in space.layers for choice in layer.choices)
        in_file = [name for name in space.definition["choices"] if name in offered]
        every = dict.fromkeys([*in_file, *offered])
        fit = len(every) * NARROWEST_CELL_IN <= RIGHT_X - LEFT_X
        in_common = len(every) <= 1.5 * max(len(layer.choices) for layer in space.layers)
        names = tuple(every) if fit and in_common else ()
        return cls(space, Key.of(space), names, len(space.stem))

    @property
    def cell(self) -> float:
        """Width of a column in inches."""
        return min(WIDEST_CELL_IN, (RIGHT_X - LEFT_X) / max(1, len(self.names)))

    @property
    def widest_box(self) -> float:
        """Width of the widest glyph in inches."""
        return min(WIDEST_BOX_IN, 0.88 * self.cell)

    @property
    def upright(self) -> bool:
        """Whether headings are too long to be written across."""
        return max(map(len, self.names), default=0) * LETTER_IN > self.cell

    @property
    def heading(self) -> float:
        longest = max(map(len, self.names), default=0)
        return max(1.0, longest * LETTER_IN / ROW_IN) if self.upright else 1.0

    @property
    def rows(self) -> float:
        return self.heading + self.first + len(self.space.layers) + len(self.space.head) + 1

    def centre(self, name: str) -> float:
        """Of the column of a choice."""
        return LEFT_X + (self.names.index(name) + 0.5) * self.cell


def _write(axes: Axes, x: float, y: float, text: str, align: str = "left", colour: str = style.INK) -> Text:
    written = axes.text(x, y, text, ha=align, va="center", size=style.SMALL_PT, color=colour)
    # All texts stand inside the axes; they must not push the axes about.
    written.set_in_layout(False)
    return written


def _draw_headings(axes: Axes, page: _Page) -> None:
    for name in page.names:
        written = _write(axes, page.centre(name), -0.6, name, align="center", colour=style.GREY)
        written.set_verticalalignment("bottom")
        if page.upright:
            written.set_rotation(90)
    for x, text in ((CHANNELS_X, "channels"), (PIXELS_X, "pixels"), (ACTIVATION_X, "activation")):
        _write(axes, x, -0.6, text, colour=style.GREY).set_verticalalignment("bottom")


def _draw_fixed(axes: Axes, op: FixedOp, y: int) -> None:
    strided = f"{op.type} {op.kernel}×{op.kernel}" + (f", stride {op.stride}" if op.stride > 1 else "")
    texts = {"pool": "global average", "dropout": f"dropout {op.rate:g}"}
    _draw_bar(axes, texts.get(op.type, strided), y)
    if op.type != "dropout":
        _write_shape(axes, op, y)


def _draw_classifier(axes: Axes, space: SearchSpace, y: int) -> None:
    _draw_bar(axes, "linear", y)
    _write(axes, CHANNELS_X, y, f"{space.head[-1].out_channels} → {space.num_classes}", colour=style.GREY)


def _draw_bar(axes: Axes, text: str, y: int) -> None:
    axes.add_patch(
        Rectangle(
            (LEFT_X, y - BOX_HEIGHT / 2),
            RIGHT_X - LEFT_X,
            BOX_HEIGHT,
            facecolor=style.PALE,
            edgecolor="none",
            zorder=2,
        )
    )
    _write(axes, (LEFT_X + RIGHT_X) / 2, y, text, align="center")


def _write_shape(axes: Axes, at: Layer | FixedOp, y: int) -> None:
    same = at.input_size == at.output_size
    pixels = f"{at.input_size}" if same else f"{at.input_size} → {at.output_size}"
    texts = (
        f"{at.in_channels} → {at.out_channels}",
        pixels,
        "" if at.activation == "none" else at.activation,
    )
    for x, text in zip((CHANNELS_X, PIXELS_X, ACTIVATION_X), texts, strict=True):
        if text:
            _write(axes, x, y, text, colour=style.GREY)


def _draw_layer(axes: Axes, layer: Layer, page: _Page) -> None:
    y = page.first + layer.index
    _write(axes, 0, y, layer.name)
    _write_shape(axes, layer, y)
    if layer.stride > 1:
        axes.plot([0, END_X], [y - 0.5] * 2, color=style.GREY, linewidth=0.7, dashes=(4, 3), zorder=0)
    if _may_be_left_out(layer):
        axes.add_patch(_frame(LEFT_X, y - 0.44, RIGHT_X - LEFT_X, 0.88))
    if not page.names:
        _write(axes, LEFT_X + 0.08, y, _counted(layer))
        return
    for choice in layer.choices:
        _draw_choice(axes, layer, choice, y, page)


def _draw_choice(axes: Axes, layer: Layer, choice: Choice, y: int, page: _Page) -> None:
    centre = page.centre(choice.name)
    glyphs = choice.type.glyphs(choice.options)
    if not glyphs and choice.ops(layer) and page.cell > 0.35:
        # What stands for a skip where something must change the shape.
        _write(axes, centre, y, "1×1", align="center", colour=style.GREY)
    elif not glyphs:
        axes.plot([centre] * 2, [y - BOX_HEIGHT / 2, y + BOX_HEIGHT / 2], color=style.GREY, linewidth=1.0)
    height, place = BOX_HEIGHT / max(len(glyphs), 1), {"centre": centre, "widest": page.widest_box}
    for index, glyph in enumerate(glyphs):
        top = y - BOX_HEIGHT / 2 + index * height
        axes.add_patch(glyph_box(glyph, layer.in_channels, page.key, top, height, **place))


def _counted(layer: Layer) -> str:
    """The choices of a layer where there is no column for each: their number, kernels, and the skip."""
    blocks = [choice for choice in layer.choices if not choice.skip]
    kernels = sorted({glyph.kernel for each in blocks for glyph in each.type.glyphs(each.options)})
    text = f"{len(blocks)} choices" if len(blocks) != 1 else blocks[0].name
    text += f", kernels {', '.join(map(str, kernels))}" if len(blocks) > 1 and kernels else ""
    return text + (" and skip" if len(blocks) < len(layer.choices) else "")


def _may_be_left_out(layer: Layer) -> bool:
    return any(not choice.ops(layer) for choice in layer.choices)


def _frame(x: float, y: float, width: float, height: float) -> Rectangle:
    return Rectangle(
        (x, y),
        width,
        height,
        fill=False,
        edgecolor=style.BLUE,
        linewidth=0.9,
        linestyle=(0, (3, 2)),
        zorder=1,
    )


def _draw_bracket(axes: Axes, decision: Decision, page: _Page) -> None:
    if len(decision.layers) == 1:
        return
    start, end = (page.first + layer.index for layer in (decision.layers[0], decision.layers[-1]))
    line = _bracket()
    line.set_data(
        [BRACKET_X + 0.08, BRACKET_X, BRACKET_X, BRACKET_X + 0.08],
        [start - 0.36, start - 0.36, end + 0.36, end + 0.36],
    )
    axes.add_line(line)


def _bracket() -> Line2D:
    return Line2D([], [], color=style.VERMILION, linewidth=1.4)


def _legend(axes: Axes, page: _Page) -> None:
    entries = list(_entries(page))
    if not entries:
        return
    axes.legend(
        [artist for artist, _ in entries],
        [label for _, label in entries],
        title=f"box width: expansion (widest: {page.key.widest:g})" if page.names else None,
        title_fontsize=style.SMALL_PT,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=4,
        frameon=False,
        fontsize=style.SMALL_PT,
        labelcolor=style.INK,
    )


def _entries(page: _Page) -> Iterator[tuple[Artist, str]]:
    if page.names:
        yield from key_entries(page.key)
    if any(map(_may_be_left_out, page.space.layers)):
        yield _frame(0, 0, 1, 1), "may be left out"
    if page.space.shared:
        yield _bracket(), "one decision"
