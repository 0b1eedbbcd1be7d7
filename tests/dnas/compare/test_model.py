"""A comparison survives JSON, and damaged data is refused with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from dnas.compare.measures import agree
from dnas.compare.model import AlphaAgainstChoices, Box, Budget, Comparison, Evaluator, Method, Point, Table
from dnas.space import SearchSpace


@pytest.fixture
def comparison(
    tiny_space: SearchSpace, make_point: Callable[..., Point], make_method: Callable[..., Method]
) -> Comparison:
    methods = (make_method("a", [[make_point(1, 0.5)], []]), make_method("b", [[make_point(2, 0.25)]]))
    pair = agree("a", [[1.0, 0.0]], "b", [[0.5, 0.5]])
    return Comparison(
        title="<b>two</b>",
        finding="None.",
        space=tiny_space.to_dict(),
        table=Table("t", "measured", "0" * 64, "a phone"),
        evaluator=Evaluator("one supernet", "x.ckpt", "1" * 64),
        quality="top1",
        box=Box((0, 1.0), (9.5, 1), (10, 20)),
        methods=methods,
        agreement=(pair,),
        alpha_against_choices=(AlphaAgainstChoices("a", ((0.5, 0.5),), (pair,)),),
        budgets=(Budget(1.0, "b", methods[1].hypervolume, methods[1].hypervolume),),
        notes=("one", "two"),
        versions={"torch": "2"},
        date="2026-01-01",
    )


def through_json(comparison: Comparison) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    return data


def test_round_trip(comparison: Comparison) -> None:
    assert Comparison.from_dict(through_json(comparison)) == comparison
    assert Comparison.from_dict(comparison.to_dict()) == comparison


def change(data: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in parents:
        data = data[key]  # type: ignore[index]
    data[last] = value  # type: ignore[index]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", "dnas-comparison/9", "'format': 'dnas-comparison/1', found 'dnas-comparison/9'"),
        ("quality", "top5", "comparison.quality: expected"),
        ("quality", [], "comparison.quality: expected"),
        ("methods.1.runs.0.members.0.top1", "0.5", "comparison.methods[1].runs[0].members[0].top1: expected"),
        ("methods.0.runs.0.seed", 1.5, "comparison.methods[0].runs[0].seed: expected"),
        ("methods.0.attainment.best.0", [1], "best[0]: expected 2 values, found 1"),
        ("methods.0.cost", {"seconds": 1}, "comparison.methods[0].cost: expected the keys seconds, images"),
        ("methods.0.cost", 3, "comparison.methods[0].cost: expected the keys"),
        ("notes", "one", "comparison.notes: expected a list, found 'one'"),
        ("space", [], "comparison.space: expected"),
        ("box.params", None, "comparison.box.params: expected a list"),
        ("more", 1, "comparison: expected the keys"),
    ],
)
def test_damage_is_refused_with_its_place(
    comparison: Comparison, path: str, value: Any, message: str
) -> None:
    data = through_json(comparison)
    change(data, path, value)
    with pytest.raises(ValueError) as caught:
        Comparison.from_dict(data)
    assert message in str(caught.value)


def test_other_things_are_no_comparison() -> None:
    with pytest.raises(ValueError, match="found 'list'"):
        Comparison.from_dict([])  # type: ignore[arg-type]
