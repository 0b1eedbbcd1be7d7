"""The finding says no more than the numbers do; a note appears when it should, and not otherwise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch

from dnas.compare.fronts import make_box
from dnas.compare.judging import Terms
from dnas.compare.model import Estimate, Kind, Method, Point, Quality
from dnas.compare.sentences import make_finding, make_notes
from dnas.compare.source import EvaluatorKey, Refinement, Source
from dnas.costs import Costs
from dnas.runs.evaluator import Evaluation
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import LatencyTable

MakeMethod = Callable[..., Method]
Notes = Callable[..., list[str]]
KEY = EvaluatorKey("c" * 64, 8)


@pytest.fixture
def method(make_point: Callable[..., Point], make_method: MakeMethod) -> MakeMethod:
    """A method with members in every run."""

    def make(
        name: str,
        volumes: Sequence[float | None],
        kind: Kind = "evolutionary",
        evaluations: float | None = 300,
    ) -> Method:
        return make_method(name, [[make_point(1, 0.5)]] * len(volumes), volumes, kind, evaluations)

    return make


def test_a_difference_beyond_the_spread(method: MakeMethod) -> None:
    found = make_finding(
        [method("random", [0.60, 0.61, 0.62], "baseline"), method("NSGA-II", [0.70, 0.71, 0.72])]
    )
    assert found == (
        "NSGA-II reaches a hypervolume of 0.710 [0.685, 0.735] (3 seeds), against 0.610 [0.585, 0.635] of "
        "random (3 seeds) at equal evaluations (300): a difference beyond the seeds' spread."
    )


def test_overlapping_intervals_are_no_difference(method: MakeMethod) -> None:
    found = make_finding([method("a", [0.69, 0.71, 0.73]), method("b", [0.68, 0.70, 0.72])])
    assert found.endswith(": no difference beyond the seeds' spread.") and found.startswith("a reaches")


def test_intervals_that_touch_are_no_difference(method: MakeMethod) -> None:
    upper = replace(method("a", [0.6, 0.6]), hypervolume=Estimate(0.6, 0.5, 0.7, (0.6, 0.6)))
    lower = replace(method("b", [0.4, 0.4]), hypervolume=Estimate(0.4, 0.3, 0.5, (0.4, 0.4)))
    assert "no difference" in make_finding([upper, lower])


def test_equal_methods(method: MakeMethod) -> None:
    assert make_finding([method("a", [0.5, 0.5]), method("b", [0.5, 0.5])]).endswith(": equal.")


def test_a_single_seed_tells_nothing_of_the_spread(method: MakeMethod) -> None:
    found = make_finding([method("a", [0.9]), method("b", [0.1, 0.1])])
    assert "0.900 (one seed), against 0.100 [0.100, 0.100] of b (2 seeds)" in found
    assert found.endswith(" (300); where there is one seed, nothing is known of the seeds' spread.")


def test_single_seeds_are_excused_once(method: MakeMethod) -> None:
    found = make_finding(
        [method("a", [0.9]), method("b", [0.1], "differentiable"), method("c", [0.2], "baseline")]
    )
    assert found.count("nothing is known") == 1 and found.count("against") == 2


def test_unequal_and_unknown_evaluations_are_said(method: MakeMethod) -> None:
    one = method("a", [0.9, 0.9], evaluations=1200)
    assert "at unequal evaluations (1,200 against 0)" in make_finding(
        [one, method("b", [0.1], "differentiable", 0)]
    )
    assert "at evaluations that are not all known" in make_finding(
        [one, method("b", [0.1], evaluations=None)]
    )


def test_every_other_kind_is_mentioned_once(method: MakeMethod) -> None:
    found = make_finding(
        [
            method("FBNet", [0.4, 0.41], "differentiable", 0),
            method("ageing", [0.5, 0.51], "baseline"),
            method("random", [0.45, 0.46], "baseline"),
            method("unseeded", [0.69, 0.70]),
            method("seeded", [0.70, 0.71]),
        ]
    )
    assert found.startswith("seeded reaches") and found.count("against") == 4
    assert "of unseeded (2 seeds)" in found
    assert "of ageing, the best baseline, (2 seeds)" in found and "random" not in found
    assert (
        "of FBNet, the best differentiable method, (2 seeds) at unequal evaluations (300 against 0)" in found
    )
    assert found.count(".") - found.count("0.") == 1, "one sentence"


def test_a_baseline_may_win(method: MakeMethod) -> None:
    baselines = [method("random", [0.8, 0.8], "baseline"), method("ageing", [0.7, 0.7], "baseline")]
    found = make_finding([method("NSGA-II", [0.5, 0.5]), *baselines])
    assert found.startswith("random reaches a hypervolume of 0.800")
    assert "of NSGA-II, the best evolutionary method, (2 seeds)" in found


def test_who_takes_no_part(method: MakeMethod, make_method: MakeMethod) -> None:
    zoo, empty = method("published", [0.9], "zoo"), make_method("empty", [[]], [0.0])
    assert make_finding([zoo, empty]) == "No method found an architecture, so there is nothing to compare."
    assert make_finding([]) == make_finding([zoo])
    alone = make_finding([zoo, empty, method("a", [0.5])])
    assert alone == "a reaches a hypervolume of 0.500 (one seed); no other search was compared with it."


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


MakeSource = Callable[..., Source]


@pytest.fixture
def notes(terms: Terms, make_method: Callable[..., Method], make_point: Callable[..., Point]) -> Notes:
    """The notes on one method of these runs, without its name; with ``common`` those on all methods."""

    def make(*runs: Source, kind: Kind = "evolutionary", common: bool = False) -> list[str]:
        method = make_method("m", [[make_point(1, 0.5)]] * len(runs), kind=kind)
        found = make_notes({"m": runs}, (method,), {}, terms)
        return [line.removeprefix("m: ") for line in found if line.startswith("m: ") != common]

    return make


def test_three_clean_seeds_need_no_note(notes: Notes, source: MakeSource) -> None:
    assert notes(*(source(seed=seed) for seed in range(3))) == []


def test_one_seed(notes: Notes, source: MakeSource) -> None:
    assert notes(source()) == ["one seed only, so nothing is known of the spread between seeds."]
    assert notes(source(), kind="zoo") == [], "published networks have no seeds"


def test_a_seed_twice(notes: Notes, source: MakeSource) -> None:
    (line,) = notes(source(seed=1), source(seed=2), source(seed=1))
    assert line.startswith("seed 1 was given more than once")
    assert notes(source(seed=None), source(seed=None)) == []


def test_different_settings(notes: Notes, source: MakeSource) -> None:
    (line,) = notes(source(seed=1), source(seed=2, details="population 9"))
    assert "different settings (d; population 9)" in line


def test_another_table_and_no_curve(notes: Notes, source: MakeSource) -> None:
    first, second = notes(source("a", seed=1), source("b", seed=2, table_sha256="0" * 64))
    assert first.startswith("b searched under another latency table")
    assert second.startswith("b: hypervolumes of another table, evaluator or box")


def test_another_evaluator_leaves_the_curve_out(notes: Notes, source: MakeSource) -> None:
    (line,) = notes(source("a", seed=1), source("b", seed=2, evaluator=EvaluatorKey("d" * 64, 8)))
    assert "the curve is left out" in line
    assert notes(source(seed=1), source(seed=2, evaluator=EvaluatorKey("d" * 64, 8), curve=())) == []


def test_a_box_that_differs_by_rounding_is_the_same(notes: Notes, source: MakeSource, terms: Terms) -> None:
    slow, fast = terms.box.latency_ms
    near = replace(terms.box, latency_ms=(slow * (1 + 1e-12), fast))
    far = replace(terms.box, latency_ms=(slow * 1.01, fast))
    assert notes(source(seed=1), source(seed=2, box=near)) == []
    assert len(notes(source(seed=1), source(seed=2, box=far))) == 1


def test_unfinished(notes: Notes, source: MakeSource) -> None:
    assert notes(source("a", seed=1), source("b", seed=2, finished=False)) == ["b had not finished."]


def test_the_cost_of_what_it_was_seeded_from(notes: Notes, source: MakeSource) -> None:
    seeded = source(seed=2, seeded_from=("a.json",))
    assert notes(source(seed=1), seeded) == [
        "the cost of the search that it was seeded from is not in its cost."
    ]
    within = source(seed=2, seeded_from=("a.json",), checkpoint_kind="search")
    assert notes(source(seed=1), within) == [], "the supernet is that search's, and its training is counted"


def test_evaluated_anew_and_empty_runs(
    terms: Terms, source: MakeSource, make_method: Callable[..., Method], make_point: Callable[..., Point]
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


def test_the_sweep_is_explained(notes: Notes, source: MakeSource) -> None:
    lines = notes(source(), common=True)
    swept = notes(replace(source(), alpha=torch.zeros(3, 4)), common=True)
    assert [line for line in swept if line not in lines] == [
        "The front of a search checkpoint is its argmax network and the most probable networks under a "
        "series of bounds on latency; its training is its whole cost."
    ]


def test_unequal_evaluations(terms: Terms, make_method: Callable[..., Method], source: MakeSource) -> None:
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
