"""Heat maps as tables, so that every value can be read: agreement of methods, choices by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dnas.compare.model import Agreement, AlphaAgainstChoices, Comparison
from dnas.compare.page.series import swatch
from dnas.compare.page.tables import scrolling_table
from dnas.report.choice_grid import choice_columns, choice_grid
from dnas.report.html.markup import Markup, element, join, number
from dnas.space import SearchSpace

# From this share on, the cell is dark enough for white text.
DARK = 0.85
MOST_OPEN_PAIRS = 15


def agreement_tables(comparison: Comparison, space: SearchSpace) -> Markup:
    """Methods x methods: shares of equal favourite choices; pairs x layers: distances of frequencies."""
    if not comparison.agreement:
        return Markup()
    layers = _distances(comparison.agreement, space)
    if len(comparison.agreement) > MOST_OPEN_PAIRS:
        layers = element("details", element("summary", "Distance per layer, every pair"), layers)
    return join(_matrix(comparison), layers)


def choice_tables(comparison: Comparison, space: SearchSpace) -> Markup:
    """softmax(alpha) of every differentiable method, then the choice frequencies that it is held against."""
    alphas = comparison.alpha_against_choices
    names = [method.name for method in comparison.methods]
    cards = [
        _card(names.index(alpha.method), alpha.method, ["softmax(alpha)"], alpha.probabilities, space)
        for alpha in alphas
    ]
    others = dict.fromkeys(agreement.second for alpha in alphas for agreement in alpha.against)
    for name in others:
        series = names.index(name)
        frequencies = comparison.methods[series].choice_frequencies
        cards.append(_card(series, name, _held_against(name, alphas), frequencies, space))
    return element("div", *cards, class_="cards wide") if cards else Markup()


def _held_against(name: str, alphas: Sequence[AlphaAgainstChoices]) -> list[str]:
    return [
        f"{agreement.same_choice:.0%} of layers as {alpha.method}, distance {100 * agreement.distance:.0f}"
        for alpha in alphas
        for agreement in alpha.against
        if agreement.second == name
    ]


def cell(share: float, *, least: float = 0.0) -> Markup:
    """A table cell as blue as its share in [0, 1] is large, with the share in per cent from ``least`` on."""
    classes = "dark" if share >= DARK else None
    text = f"{100 * share:.0f}" if share >= least else ""
    return element("td", text, style=f"--v:{number(share, 2)}", class_=classes)


def _matrix(comparison: Comparison) -> Markup:
    shares = {(a.first, a.second): a.same_choice for a in comparison.agreement}
    shares |= {(second, first): share for (first, second), share in shares.items()}
    present = [
        (i, m.name) for i, m in enumerate(comparison.methods) if any(m.name in pair for pair in shares)
    ]
    rows = [
        element("tr", _row_head(i, first), *(_pair(shares.get((first, second))) for _, second in present))
        for i, first in present
    ]
    head = element("tr", element("th"), *(_upright(name) for _, name in present))
    caption = "Layers with the same most frequent choice (% of layers)"
    return scrolling_table(caption, head, rows, "heat")


def _pair(share: float | None) -> Markup:
    return element("td", "·", class_="none") if share is None else cell(share)


def _distances(agreement: Sequence[Agreement], space: SearchSpace) -> Markup:
    rows = [
        element(
            "tr",
            element("th", f"{a.first} – {a.second}", scope="row", class_="pair"),
            cell(a.distance),
            *map(cell, a.distances),
        )
        for a in agreement
    ]
    heads = [
        element("th", text, scope="col") for text in ("", "mean", *(each.name for each in space.decisions))
    ]
    caption = "Distance of choice frequencies (total variation, 0 equal to 100 disjoint)"
    return scrolling_table(caption, element("tr", *heads), rows, "heat")


def _card(
    series: int, name: str, texts: Sequence[str], rows: Sequence[Sequence[float]], space: SearchSpace
) -> Markup:
    headings, _ = choice_columns(space)
    grid = choice_grid(rows, space)
    lines = [
        element("tr", element("th", each.name, scope="row"), *map(_frequency, grid[each.index].tolist()))
        for each in space.decisions
    ]
    caption = join(swatch(series), element("b", name), *(element("small", text) for text in texts))
    head = element("tr", element("th"), *map(_upright, headings))
    return element("div", scrolling_table(caption, head, lines, "heat choices"), data_m=series)


def _frequency(share: float) -> Markup:
    return element("td", class_="none") if math.isnan(share) else cell(share, least=0.005)


def _row_head(series: int, name: str) -> Markup:
    return element("th", swatch(series), name, scope="row")


def _upright(name: str) -> Markup:
    return element("th", element("span", name), scope="col", class_="upright")
