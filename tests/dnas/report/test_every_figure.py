"""What holds for every figure: no text over another, none outside, nothing in pyplot, PNG and SVG."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imread
from matplotlib.text import Text

from dnas import Architecture, SearchSpace
from dnas.report.curves import search_curves
from dnas.report.drawing import architecture_drawing
from dnas.report.heatmap import alpha_heatmap
from dnas.report.history import History
from dnas.report.space_drawing import space_drawing
from dnas.report.style import new_figure, save_figure
from dnas.report.tradeoff import accuracy_latency
from dnas.space import zoo

NAN = float("nan")
METRICS = (
    "expected_latency_ms",
    "argmax_latency_ms",
    "val_top1",
    "train_top1",
    "train_ce",
    "alpha_ce",
    "entropy",
)


def one_layer():
    definition = SearchSpace.load("moga").to_dict()
    definition["name"] = "one"
    definition["layers"] = [{**definition["layers"][0], "choices": ["E6K7SE"]}]
    return SearchSpace.from_dict(definition)


def distinct_names():
    """Every layer has choices of its own, as many as the layer's number."""
    definition = SearchSpace.load("moga").to_dict()
    block = {"expansion": 3, "kernel": 3}
    names = [[f"layer{i}_choice{j}" for j in range(i % 5 + 1)] for i in range(14)]
    definition.update(name="distinct", choices={name: block for layer in names for name in layer})
    for layer, own in zip(definition["layers"], names, strict=True):
        layer["choices"] = own
    return SearchSpace.from_dict(definition)


def many_choices():
    definition = SearchSpace.load("moga").to_dict()
    blocks = {f"E{e}K{k}": {"expansion": e, "kernel": k} for k in (3, 5, 7, 9) for e in range(1, 9)}
    return SearchSpace.from_dict({**definition, "name": "many", "choices": blocks})


def staged():
    """Layers that may be left out, layers of one decision, a skip that is a convolution."""
    definition = {**SearchSpace.load("fbnet").to_dict(), "format": "dnas-space/2", "name": "staged"}
    del definition["layers"]
    definition["choices"] = {"block": {"expansion": 2, "kernel": 3}, "skip": {"type": "skip"}}
    one = {"stride": 2, "activation": "relu", "repeat": 3}
    definition["stages"] = [{**one, "out": 8, "shared": True}, {**one, "out": 12, "optional": 2}]
    return SearchSpace.from_dict(definition)


SPACES = {
    "moga": lambda: SearchSpace.load("moga"),
    "fbnet": lambda: SearchSpace.load("fbnet"),
    "one": one_layer,
    "distinct": distinct_names,
}


def heatmap(space, spread):
    alpha = np.where(space.valid, spread * np.random.default_rng(0).normal(size=space.valid.shape), -np.inf)
    weights = np.exp(alpha - alpha.max(axis=1, keepdims=True))
    chosen = Architecture(space, tuple(alpha.argmax(axis=1)))
    return alpha_heatmap(weights / weights.sum(axis=1, keepdims=True), space, chosen)


def curves(epochs, value=0.5):
    history = History(np.arange(epochs), {name: np.full(epochs, value) for name in METRICS})
    return search_curves(history, target_ms=0.6, latency_kind="calibrated")


def three_architectures():
    figure = new_figure(5.6)
    for axes, name in zip(figure.subplots(1, 3), ("moga_a", "moga_b", "moga_c"), strict=True):
        architecture_drawing(zoo.load(name), axes, title=name, legend=name == "moga_b")
    return figure


def drawing(space):
    return architecture_drawing(Architecture.random(space, np.random.default_rng(1)), title=space.name)


def networks(count, spread):
    rng = np.random.default_rng(0)
    rows = [
        (f"network {i}", 9 + spread * rng.normal(), 0.9 + 0.01 * spread * rng.normal(), 5e6)
        for i in range(count)
    ]
    return accuracy_latency([*rows, ("unknown", NAN, NAN, NAN)], latency_kind="calibrated")


FIGURES = {
    **{
        f"heatmap-{name}-{s}": lambda make=make, s=s: heatmap(make(), s)
        for name, make in SPACES.items()
        for s in (0.1, 3)
    },
    **{f"drawing-{name}": lambda make=make: drawing(make()) for name, make in SPACES.items()},
    **{
        f"space-{name}": lambda make=make: space_drawing(make(), "a title")
        for name, make in {**SPACES, "many": many_choices, "staged": staged}.items()
    },
    "three-architectures": three_architectures,
    "curves-1": lambda: curves(1),
    "curves-90": lambda: curves(90),
    "curves-nan": lambda: curves(5, NAN),
    "networks-1": lambda: networks(1, 0.0),
    "networks-4": lambda: networks(4, 1.0),
    "networks-40": lambda: networks(40, 0.1),
}


def undrawn(figure):
    """Ids of labels beyond the axis limits or of axes that are off: matplotlib keeps, never draws them."""
    ids = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            slack = 1e-9 * (high - low)
            ids |= {id(axis.label)} if not axes.axison else set()
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not (axes.axison and low - slack <= tick.get_loc() <= high + slack):
                    ids |= {id(tick.label1), id(tick.label2)}
    return ids


def written(figure):
    """(text, box in pixels) of all that can be read, axes and legends included."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    hidden = undrawn(figure)
    texts = [
        t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and id(t) not in hidden
    ]
    # Text's own extent: that of an annotation includes its leader line.
    return [(text.get_text(), Text.get_window_extent(text, renderer)) for text in texts]


@pytest.fixture(params=FIGURES)
def figure(request):
    return FIGURES[request.param]()


def test_no_text_overlaps_or_leaves_the_figure(figure):
    found = written(figure)
    assert found
    outside = [t for t, b in found if min(b.x0, b.y0) < 0 or b.x1 > figure.bbox.x1 or b.y1 > figure.bbox.y1]
    pairs = combinations([(text, box.padded(-0.5)) for text, box in found], 2)
    assert not outside and not [(a, b) for (a, p), (b, q) in pairs if p.overlaps(q)]


def test_text_is_large_enough_to_read(figure):
    sizes = {t.get_text(): t.get_size() for t in figure.findobj(Text) if t.get_text().strip()}
    assert min(sizes.values()) >= 7.5, sizes


def test_saved_as_png_and_svg(figure, tmp_path):
    files = save_figure(figure, tmp_path / "figure", ("png", "svg"))
    assert [file.suffix for file in files] == [".png", ".svg"]
    assert imread(files[0]).std() > 0, "the picture is not blank"
    assert b"<path" in files[1].read_bytes()


@pytest.mark.parametrize("name", ["heatmap-one-3", "drawing-one", "curves-1", "networks-1"])
def test_pyplot_holds_on_to_nothing(name):
    before = pyplot.get_fignums()
    FIGURES[name]()
    assert pyplot.get_fignums() == before
