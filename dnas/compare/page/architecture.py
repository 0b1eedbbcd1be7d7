"""Architectures drawn as in the figure of MoGA (arXiv 1908.01314): one block per layer, from the top down.

Width is the expansion, colour (and the number) the kernel, a thick outline squeeze-excite, hatching grouped
convolutions, a dashed line a skip.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dnas.compare.looks import Example, architecture_of, count_text, examples, quality_axis, quality_of
from dnas.compare.model import Comparison
from dnas.compare.page.series import swatch
from dnas.report.html.markup import Markup, element, join
from dnas.report.kernel_colours import kernel_colours
from dnas.space import Choice, Layer, SearchSpace

WIDTH, MIDDLE, WIDEST = 176, 84, 104
ROW, BLOCK = 17, 12


def architecture_cards(comparison: Comparison, space: SearchSpace) -> Markup:
    """One card per example with its values and its text; nothing without members."""
    cards = [_card(example, comparison, space) for example in examples(comparison)]
    return join(_legend(space), element("div", *cards, class_="cards")) if cards else Markup()


def drawing(choices: Iterable[Choice], space: SearchSpace) -> Markup:
    """The picture of one architecture."""
    widest = max((c.expansion for layer in space.layers for c in layer.choices), default=1.0)
    colours = kernel_colours(space)
    pairs = list(zip(space.layers, choices, strict=True))
    rows = [_layer(layer, choice, widest, colours) for layer, choice in pairs]
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


def _layer(layer: Layer, choice: Choice, widest: float, colours: Mapping[int, str]) -> Markup:
    y = ROW * layer.index + 2 + ROW / 2
    name = element("text", layer.name, x=0, y=y, dy="0.32em", class_="tick")
    parts = [name, *(_skip(y) if choice.skip else _block(choice, y, widest, colours[choice.kernel]))]
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


def _block(choice: Choice, y: float, widest: float, colour: str) -> list[Markup]:
    width = WIDEST * choice.expansion / widest
    box = {"x": MIDDLE - width / 2, "y": y - BLOCK / 2, "width": width, "height": BLOCK}
    classes = "block se" if choice.se > 0 else "block"
    parts = [element("rect", **box, fill=colour, class_=classes)]
    if choice.groups > 1:
        parts.append(element("rect", **box, fill="url(#hatch)"))
    return [*parts, element("text", str(choice.kernel), x=MIDDLE, y=y, dy="0.34em", class_="kernel")]


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
    every = [choice for layer in space.layers for choice in layer.choices]
    colours = kernel_colours(space)
    entries = [_sample(colour, "block", f"kernel {k}×{k}") for k, colour in colours.items()]
    if any(choice.se > 0 for choice in every):
        entries.append(_sample("none", "block se", "squeeze-excite"))
    if any(choice.groups > 1 for choice in every):
        entries.append(_sample("url(#hatch)", "block outlined", "grouped convolutions"))
    if any(choice.skip for choice in every):
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
