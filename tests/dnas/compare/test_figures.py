"""The figures of a comparison as matplotlib draws them: the numbers in them and the files they become."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from dnas.compare.figures import (
    agreement_figure,
    attainment_figure,
    budgets_figure,
    choices_figure,
    comparison_figures,
    cost_figure,
    course_figure,
    front_figure,
    hypervolume_figure,
    write_comparison_figures,
)
from dnas.compare.looks import drawn_points, looks, pooled_front
from dnas.compare.model import Comparison
from dnas.space import SearchSpace

Make = Callable[..., Comparison]
NAMES = [
    "front",
    "attainment",
    "hypervolume",
    "course",
    "budgets",
    "cost",
    "agreement",
    "choices",
    "architectures",
]


@pytest.fixture
def comparison(make_comparison: Make, get_space: Callable[[str], SearchSpace]) -> Comparison:
    return make_comparison(3, 3, 4, space=get_space("motley"))


def space_of(comparison: Comparison) -> SearchSpace:
    return SearchSpace.from_dict(comparison.space)


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_every_figure_is_written_as_png_and_svg(
    make_comparison: Make, get_space: Callable[[str], SearchSpace], tmp_path: Path
) -> None:
    comparison = make_comparison(2, 1, 1, space=get_space("motley"), published=False)
    comparison = replace(comparison, budgets=comparison.budgets[-2:])
    written = write_comparison_figures(comparison, tmp_path / "new")
    assert [path.name for path in written] == [f"{name}.{kind}" for name in NAMES for kind in ("png", "svg")]
    assert {path.parent for path in written} == {tmp_path / "new" / "figures"}
    for path in written:
        start = path.read_bytes()[:200]
        assert start.startswith(b"\x89PNG") if path.suffix == ".png" else b"<?xml" in start


def test_figures_without_data_are_left_out(make_comparison: Make) -> None:
    nothing = make_comparison(0, published=False)
    assert [name for name, _ in comparison_figures(nothing, space_of(nothing))] == []
    single = make_comparison(1, 1, 1, published=False)
    assert [name for name, _ in comparison_figures(single, space_of(single))] == [
        *("front", "attainment", "hypervolume", "budgets", "cost", "architectures")
    ]


def test_front_has_every_point_in_its_methods_colour(comparison: Comparison) -> None:
    figure = front_figure(comparison)
    (axes,) = figure.axes
    assert axes.get_xlabel() == "calibrated latency (ms)"
    assert legend_of(figure) == [method.name for method in comparison.methods]
    for points, method, look in zip(
        axes.collections, comparison.methods, looks(comparison.methods), strict=True
    ):
        members = [point for run in drawn_points(method, comparison) for point in run]
        expected = [(point.latency_ms, 100 * point.top1) for point in members]
        assert np.asarray(points.get_offsets()) == pytest.approx(np.array(expected))
        assert tuple(points.get_facecolor()[0]) == to_rgba(look.colour)


def test_front_has_the_interval_of_a_few_latencies(comparison: Comparison) -> None:
    (axes,) = front_figure(comparison).axes
    spans = {tuple(line.get_xdata()) for line in axes.lines}
    for method in comparison.methods:
        fastest = pooled_front(method, comparison)[0]
        assert (fastest.latency_low_ms, fastest.latency_high_ms) in spans


def test_attainment_steps_and_shade(comparison: Comparison) -> None:
    (axes,) = attainment_figure(comparison).axes
    for line, method in zip(axes.lines, comparison.methods, strict=True):
        corners = [(ms, 100 * value) for ms, value in method.attainment.median]
        assert line.get_xydata()[:-1] == pytest.approx(np.array(corners))
        assert line.get_drawstyle() == "steps-post"
    for shade, method in zip(axes.collections, comparison.methods, strict=True):
        heights = shade.get_paths()[0].vertices[:, 1]
        assert heights.max() == pytest.approx(100 * method.attainment.best[-1][1])
        assert heights.min() == pytest.approx(100 * method.attainment.worst[0][1])


def test_course_has_every_run_and_the_mean(comparison: Comparison) -> None:
    (axes,) = course_figure(comparison).axes
    searched = [method for method in comparison.methods if method.runs[0].curve]
    assert len(axes.lines) == len(searched) * (3 + 1)
    last = np.mean([run.curve[-1][1] for run in searched[0].runs])
    assert axes.lines[3].get_ydata()[-1] == pytest.approx(last)


def test_hypervolume_has_dots_interval_and_mean(comparison: Comparison) -> None:
    left, right = hypervolume_figure(comparison).axes
    first = comparison.methods[0]
    for axes, estimate in ((left, first.hypervolume), (right, first.hypervolume_plane)):
        assert np.asarray(axes.collections[0].get_offsets())[:, 0].tolist() == list(estimate.values)
        assert list(axes.lines[0].get_xdata()) == [estimate.low, estimate.high]
        assert list(axes.lines[1].get_xdata()) == [estimate.mean]
    assert [text.get_text() for text in left.get_yticklabels()] == [m.name for m in comparison.methods]


def test_budgets_have_a_panel_each(comparison: Comparison) -> None:
    figure = budgets_figure(comparison)
    budgets = sorted({budget.latency_ms for budget in comparison.budgets})
    assert [axes.get_title(loc="left") for axes in figure.axes] == [f"within {ms:.2f} ms" for ms in budgets]
    last = [b.quality for b in comparison.budgets if b.latency_ms == budgets[-1]]
    means = [line.get_xdata()[0] for line in figure.axes[-1].lines if len(line.get_xdata()) == 1]
    assert means == pytest.approx([100 * (estimate.mean or 0) for estimate in last])


def test_cost_stacks_the_search_on_the_training(comparison: Comparison) -> None:
    (axes,) = cost_figure(comparison).axes
    training, search = axes.containers
    costs = [method.cost for method in comparison.methods if method.kind != "zoo"]
    assert [bar.get_width() for bar in training] == pytest.approx(
        [(c.training_seconds or 0) / 60 for c in costs]
    )
    assert [bar.get_x() for bar in search] == pytest.approx([bar.get_width() for bar in training])
    assert [bar.get_width() for bar in search] == pytest.approx([(c.seconds or 0) / 60 for c in costs])


def test_agreement_has_a_row_per_pair(comparison: Comparison) -> None:
    (axes,) = agreement_figure(comparison, space_of(comparison)).axes
    grid = np.asarray(axes.images[0].get_array())
    assert grid == pytest.approx(np.array([pair.distances for pair in comparison.agreement]))
    assert axes.get_yticklabels()[0].get_text().startswith("FBNet-style search – NSGA-II, seeded")


def test_choices_show_alpha_first_and_then_the_other_methods(comparison: Comparison) -> None:
    figure = choices_figure(comparison, space_of(comparison))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["FBNet-style search: softmax(alpha)", *(m.name for m in comparison.methods[1:3])]
    drawn = np.ma.filled(figure.axes[1].images[0].get_array(), np.nan)
    # The last layer of this space has one choice, the first of the columns.
    assert drawn[3, 0] == pytest.approx(comparison.methods[1].choice_frequencies[3][0])
    assert np.isnan(drawn[3, 1:]).all()


def test_fronts_compared_by_loss(make_comparison: Make) -> None:
    by_loss = make_comparison(2, 2, 3, quality="loss")
    (axes,) = front_figure(by_loss).axes
    assert axes.get_ylabel() == "one-shot cross-entropy (nats, lower is better)"
    losses = [point.loss for run in by_loss.methods[0].runs for point in run.members]
    assert np.asarray(axes.collections[0].get_offsets())[:, 1] == pytest.approx(np.array(losses))


def test_methods_without_members_are_drawn_as_such(comparison: Comparison) -> None:
    first, *others = comparison.methods
    empty = replace(first, runs=tuple(replace(run, members=()) for run in first.runs))
    (axes,) = front_figure(replace(comparison, methods=(empty, *others))).axes
    assert len(axes.collections[0].get_offsets()) == 0
