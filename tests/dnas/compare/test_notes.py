"""The notes: each appears when it should, and not otherwise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch

from dnas.compare.fronts import make_box
from dnas.compare.model import Kind, Method, Point, Quality
from dnas.compare.notes import make_notes
from dnas.compare.source import EvaluatorKey, Refinement, Source
from dnas.compare.terms import Terms
from dnas.costs import Costs
from dnas.runs.evaluator import Evaluation
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import LatencyTable

Notes = Callable[..., list[str]]
KEY = EvaluatorKey("c" * 64, 8)


@pytest.fixture
def terms(tiny_table: LatencyTable, tiny_costs: Costs) -> Terms:
    return Terms(tiny_table, tiny_costs, "top1", make_box(tiny_table, tiny_costs, None), KEY)


@pytest.fixture
def source(tiny_space: SearchSpace, terms: Terms) -> Callable[..., Source]:
    """A run of a refinement; keyword arguments replace attributes of the refinement."""

    def make(path: str = "x", seed: int | None = 0, details: str = "d", **changed: object) -> Source:
        own = Refinement(
            "top1", KEY, "x.ckpt", "one-shot", 180, terms.table.sha256, terms.box, ((4, 0.1),), (), True
        )
        own = replace(own, **changed)  # type: ignore[arg-type]
        return Source(path, "evolutionary", details, tiny_space, (), seed=seed, refinement=own)

    return make


Make = Callable[..., Source]


@pytest.fixture
def notes(terms: Terms, make_method: Callable[..., Method], make_point: Callable[..., Point]) -> Notes:
    """The notes on one method of these runs, without its name; with ``common`` those on all methods."""

    def make(*runs: Source, kind: Kind = "evolutionary", common: bool = False) -> list[str]:
        method = make_method("m", [[make_point(1, 0.5)]] * len(runs), kind=kind)
        found = make_notes({"m": runs}, (method,), {}, terms)
        return [line.removeprefix("m: ") for line in found if line.startswith("m: ") != common]

    return make


def test_three_clean_seeds_need_no_note(notes: Notes, source: Make) -> None:
    assert notes(*(source(seed=seed) for seed in range(3))) == []


def test_one_seed(notes: Notes, source: Make) -> None:
    assert notes(source()) == ["one seed only, so nothing is known of the spread between seeds."]
    assert notes(source(), kind="zoo") == [], "published networks have no seeds"


def test_a_seed_twice(notes: Notes, source: Make) -> None:
    (line,) = notes(source(seed=1), source(seed=2), source(seed=1))
    assert line.startswith("seed 1 was given more than once")
    assert notes(source(seed=None), source(seed=None)) == []


def test_different_settings(notes: Notes, source: Make) -> None:
    (line,) = notes(source(seed=1), source(seed=2, details="population 9"))
    assert "different settings (d; population 9)" in line


def test_another_table_and_no_curve(notes: Notes, source: Make) -> None:
    first, second = notes(source("a", seed=1), source("b", seed=2, table_sha256="0" * 64))
    assert first.startswith("b searched under another latency table")
    assert second.startswith("b told hypervolumes of another table, evaluator or box")


def test_another_evaluator_leaves_the_curve_out(notes: Notes, source: Make) -> None:
    (line,) = notes(source("a", seed=1), source("b", seed=2, evaluator=EvaluatorKey("d" * 64, 8)))
    assert "the curve is left out" in line
    assert notes(source(seed=1), source(seed=2, evaluator=EvaluatorKey("d" * 64, 8), curve=())) == []


def test_a_box_that_differs_by_rounding_is_the_same(notes: Notes, source: Make, terms: Terms) -> None:
    slow, fast = terms.box.latency_ms
    near = replace(terms.box, latency_ms=(slow * (1 + 1e-12), fast))
    far = replace(terms.box, latency_ms=(slow * 1.01, fast))
    assert notes(source(seed=1), source(seed=2, box=near)) == []
    assert len(notes(source(seed=1), source(seed=2, box=far))) == 1


def test_unfinished(notes: Notes, source: Make) -> None:
    assert notes(source("a", seed=1), source("b", seed=2, finished=False)) == ["b had not finished."]


def test_the_cost_of_what_it_was_seeded_from(notes: Notes, source: Make) -> None:
    seeded = source(seed=2, seeded_from=("a.json",))
    assert notes(source(seed=1), seeded) == [
        "the cost of the search that it was seeded from is not in its cost."
    ]
    within = source(seed=2, seeded_from=("a.json",), checkpoint_kind="search")
    assert notes(source(seed=1), within) == [], "the supernet is that search's, and its training is counted"


def test_evaluated_anew_and_empty_runs(
    terms: Terms, source: Make, make_method: Callable[..., Method], make_point: Callable[..., Point]
) -> None:
    method = make_method("m", [[make_point(1, 0.5), make_point(2, 0.6)], []])
    method = replace(method, runs=(replace(method.runs[0], evaluated_anew=1), method.runs[1]))
    found = make_notes({"m": (source(seed=1), source(seed=2))}, (method,), {}, terms)
    assert "m: 1 of 2 run(s) found no architecture." in found
    assert "m: 1 of 2 networks were evaluated anew here." in found


@pytest.mark.parametrize(("quality", "named"), [("top1", "top-1 accuracy"), ("loss", "cross-entropy loss")])
def test_how_to_read_the_numbers(terms: Terms, quality: Quality, named: str) -> None:
    found = make_notes({}, (), {}, replace(terms, quality=quality))
    assert len(found) == 2 and named in found[0] and "95% t-intervals" in found[0]
    assert "inherited" in found[1]


def test_the_sweep_is_explained(notes: Notes, source: Make) -> None:
    lines = notes(source(), common=True)
    swept = notes(replace(source(), alpha=torch.zeros(3, 4)), common=True)
    assert [line for line in swept if line not in lines] == [
        "The front of a search checkpoint is its argmax network and the most probable networks under a "
        "series of bounds on latency; its training is its whole cost."
    ]


def test_unequal_evaluations(terms: Terms, make_method: Callable[..., Method], source: Make) -> None:
    def told(counts: Sequence[float | None], kind: Kind = "baseline") -> bool:
        methods = [make_method(str(n), [[]], kind=kind, evaluations=count) for n, count in enumerate(counts)]
        sources = {method.name: (source(),) for method in methods}
        return any("equally many" in line for line in make_notes(sources, methods, {}, terms))

    assert told([100, 200]) and not told([100, 100]) and not told([100, None])
    assert not told([0, 100], kind="differentiable")


def test_diverged_networks_are_counted(terms: Terms, tiny_table: LatencyTable) -> None:
    evaluations = {
        tiny_table.cheapest(): Evaluation(0.1, 0.5, math.nan, 180),
        tiny_table.dearest(): Evaluation(0.5, 1.0, 1.0, 180),
        Architecture(tiny_table.space, (1, 1, 1)): Evaluation(0.5, 1.0, 1.0, 180),
    }
    assert "1 architecture(s) without a finite loss were left out." in make_notes({}, (), evaluations, terms)
