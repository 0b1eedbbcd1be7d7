"""Architectures drawn as in the figure of MoGA (arXiv 1908.01314): one block per layer, from the top down.

A block type says of which boxes it is drawn (:class:`dnas.blocks.Glyph`): width is the expansion, colour (and
the number) the kernel; a dashed line is a skip.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dnas.blocks import Glyph
from dnas.compare.looks import Example, architecture_of, count_text, examples, quality_axis, quality_of
from dnas.compare.model import Comparison
from dnas.compare.page.series import swatch
from dnas.report.glyphs import Key
from dnas.report.html.markup import Markup, element, join
from dnas.space import Choice, Layer, SearchSpace

WIDTH, MIDDLE, WIDEST = 176, 84, 104
ROW, BLOCK = 17, 12


def architecture_cards(comparison: Comparison, space: SearchSpace) -> Markup:
    """One card per example with its values and its text; nothing without members."""
    cards = [_card(example, comparison, space) for example in examples(comparison)]
    return join(_legend(space), element("div", *cards, class_="cards")) if cards else Markup()


def drawing(choices: Iterable[Choice], space: SearchSpace) -> Markup:
    """The picture of one architecture."""
    key = Key.of(space)
    pairs = list(zip(space.layers, choices, strict=True))
    rows = [_layer(layer, choice, key) for layer, choice in pairs]
    height = ROW * len(rows) + 4
    trunk = element("line", x1=MIDDLE, x2=MIDDLE, y1=0, y2=height, class_="trunk")
    label = " ".join(choice.name for _, choice in pairs)
    return element(
        "svg",
        *(trunk, *rows),
        class_="architecture",
        width=WIDTH,
        height=height,
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        aria_label=label,
    )


def _layer(layer: Layer, choice: Choice, key: Key) -> Markup:
    y = ROW * layer.index + 2 + ROW / 2
    name = element("text", layer.name, x=0, y=y, dy="0.32em", class_="tick")
    glyphs = choice.type.glyphs(choice.options)
    parts = [name, *(_block(glyphs, layer.in_channels, y, key) if glyphs else _skip(y))]
    if layer.stride > 1:
        edge = y - ROW / 2
        parts.append(element("line", x1=0, x2=WIDTH, y1=edge, y2=edge, class_="stride"))
        size = f"{layer.output_size} px"
        parts.append(element("text", size, x=WIDTH, y=y, dy="0.32em", class_="tick end"))
    return join(*parts)


def _skip(y: float) -> list[Markup]:
    # The trunk is covered, so that the layer is seen to be left out.
    span = {"x1": MIDDLE, "x2": MIDDLE, "y1": y - ROW / 2, "y2": y + ROW / 2}
    return [element("line", **span, class_="gap"), element("line", **span, class_="skip")]


def _block(glyphs: Sequence[Glyph], in_channels: int, y: float, key: Key) -> list[Markup]:
    parts, height = [], BLOCK / len(glyphs)
    for index, glyph in enumerate(glyphs):
        width = WIDEST * glyph.relative(in_channels) / key.widest
        top = y - BLOCK / 2 + index * height
        box = {"x": MIDDLE - width / 2, "y": top, "width": width, "height": height}
        classes = "block se" if glyph.outline else "block"
        parts.append(element("rect", **box, fill=key.colours[glyph.kernel], class_=classes))
        if glyph.hatch:
            parts.append(element("rect", **box, fill="url(#hatch)"))
        small = {} if len(glyphs) == 1 else {"style": f"font-size:{height}px"}
        place = {"x": MIDDLE, "y": top + height / 2, "dy": "0.34em", "class_": "kernel"}
        parts.append(element("text", str(glyph.kernel), **place, **small))
    return parts


def _card(example: Example, comparison: Comparison, space: SearchSpace) -> Markup:
    point = example.point
    series = comparison.methods.index(example.method)
    quality = f"{quality_of(point, comparison):.{quality_axis(comparison).decimals}f}"
    facts = (
        f"{quality_axis(comparison).short} {quality}{quality_axis(comparison).unit}, "
        f"{point.latency_ms:.2f} ms, {count_text(point.params)} parameters"
    )
    caption = element(
        "figcaption",
        element("b", swatch(series), example.title),
        element("small", example.reason),
        element("small", facts),
    )
    choices = architecture_of(point, space).choices
    text = element("code", " ".join(point.choices))
    return element("figure", caption, drawing(choices, space), text, data_m=series)


def _legend(space: SearchSpace) -> Markup:
    key = Key.of(space)
    entries = [_sample(colour, "block", f"kernel {k}×{k}") for k, colour in key.colours.items()]
    if key.outline:
        entries.append(_sample("none", "block se", key.outline))
    if key.hatch:
        entries.append(_sample("url(#hatch)", "block outlined", key.hatch))
    if key.skip:
        line = element("line", x1=2, x2=20, y1=7, y2=7, class_="skip")
        entries.append(_entry(line, "skip"))
    entries.append(element("li", "width: expansion"))
    return join(_hatch(), element("ul", *entries, class_="legend"))


def _sample(fill: str, classes: str, text: str) -> Markup:
    return _entry(element("rect", x=2, y=1, width=18, height=12, fill=fill, class_=classes), text)


def _entry(sample: Markup, text: str) -> Markup:
    icon = element("svg", sample, width=22, height=14, aria_hidden="true")
    return element("li", element("span", icon, text))


def _hatch() -> Markup:
    stripes = element("path", d="M0 6L6 0M-1 1L1 -1M5 7L7 5", class_="stripe")
    pattern = element("pattern", stripes, id="hatch", width=6, height=6, patternUnits="userSpaceOnUse")
    return element("svg", element("defs", pattern), width=0, height=0, class_="symbols", aria_hidden="true")
