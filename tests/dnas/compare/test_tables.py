"""The comparison as CSV and in the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest

from dnas.compare.measures import agree, best_within
from dnas.compare.model import AlphaAgainstChoices, Box, Comparison, Evaluator, Method, Point, Quality, Table
from dnas.compare.tables import csv_files, summary_table
from dnas.derive.text import to_text
from dnas.space import SearchSpace


@pytest.fixture
def make_comparison(
    tiny_space: SearchSpace, make_point: Callable[..., Point], make_method: Callable[..., Method]
) -> Callable[..., Comparison]:
    """Two seeds of a method with a comma in its name, and a zoo without a cost."""

    def make(quality: Quality = "top1") -> Comparison:
        point = make_point(1.5, 0.5, 100, latency_low_ms=1.25, name="argmax", generation=4)
        methods = (
            make_method("[b]a, b[/b]", [[point], []], [0.5, 0.75]),
            make_method("published", [[make_point(2, 0.25)]], [0.25], kind="zoo", evaluations=None),
        )
        pair = agree("[b]a, b[/b]", [[1.0, 0.0]] * 3, "published", [[0.5, 0.5]] * 3)
        return Comparison(
            title="two",
            finding="None.",
            space=tiny_space.to_dict(),
            table=Table("t", "measured", "0" * 64, "a phone"),
            evaluator=Evaluator("one supernet", "x.ckpt", "1" * 64),
            quality=quality,
            box=Box((0, 1), (9, 1), (10, 20)),
            methods=methods,
            agreement=(pair,),
            alpha_against_choices=(AlphaAgainstChoices("[b]a, b[/b]", ((0.5, 0.5),), (pair,)),),
            budgets=best_within(methods, [2.0], quality),
            notes=(),
            versions={},
            date="2026-01-01",
        )

    return make


Make = Callable[..., Comparison]


def rows(comparison: Comparison, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_files(comparison)[name])))


def test_hypervolumes_of_runs_and_their_mean(make_comparison: Make) -> None:
    found = rows(make_comparison(), "hypervolume.csv")
    assert [(row["method"], row["seed"], row["hypervolume"]) for row in found] == [
        ("[b]a, b[/b]", "0", "0.5"),
        ("[b]a, b[/b]", "1", "0.75"),
        ("[b]a, b[/b]", "mean", "0.625"),
        ("published", "0", "0.25"),
        ("published", "mean", "0.25"),
    ]
    low, high = float(found[2]["hypervolume_low"]), float(found[2]["hypervolume_high"])
    assert low < 0.5 and high == pytest.approx(1.25 - low)
    assert found[2]["hypervolume_plane_low"] == found[2]["hypervolume_low"]
    assert found[0]["hypervolume_low"] == found[4]["hypervolume_low"] == ""
    assert found[3]["kind"] == "zoo" and found[0]["source"] == "runs/[b]a, b[/b]_0"


def test_budgets(make_comparison: Make) -> None:
    first, second = rows(make_comparison(), "budgets.csv")
    assert first == {
        "latency_ms": "2.0",
        "method": "[b]a, b[/b]",
        "runs": "1",
        "top1": "",
        "top1_low": "",
        "top1_high": "",
    }
    assert (second["runs"], second["top1"]) == ("1", "0.25")
    header = csv_files(make_comparison())["budgets.csv"].splitlines()[0]
    assert header == "latency_ms,method,runs,top1,top1_low,top1_high", "no column twice"
    by_loss = rows(make_comparison("loss"), "budgets.csv")[1]
    assert (by_loss["loss"], by_loss["top1"]) == ("0.75", "0.25")


def test_costs(make_comparison: Make) -> None:
    first, second = rows(make_comparison(), "costs.csv")
    assert (first["evaluations"], first["training_seconds"], first["images"]) == ("100", "60.0", "10.0")
    assert second["evaluations"] == "", "unknown"


def test_agreement_with_and_without_alpha(make_comparison: Make) -> None:
    first, second = rows(make_comparison(), "agreement.csv")
    assert (first["first"], first["second"]) == ("[b]a, b[/b]", "published")
    assert second["first"] == "alpha of [b]a, b[/b]"
    assert (first["same_choice"], first["distance"], first["layer_3"]) == ("1.0", "0.5", "0.5")


def test_points(make_comparison: Make) -> None:
    first, second = rows(make_comparison(), "points.csv")
    assert first["architecture"] == "E1K3 E1K3 E1K3" and first["name"] == "argmax"
    assert (first["latency_ms"], first["latency_low_ms"], first["generation"]) == ("1.5", "1.25", "4")
    assert (second["method"], second["generation"], second["params"]) == ("published", "", "100")


def test_summary(make_comparison: Make) -> None:
    lines = to_text(summary_table(make_comparison()), width=100).splitlines()
    (method,) = [line for line in lines if "[b]a, b[/b]" in line]
    assert " ".join(method.split()[2:]) == "2 1 0.625 ± 1.588 0.625 ± 1.588 100 1 60"
    (zoo,) = [line for line in lines if "published" in line]
    assert zoo.split() == ["published", "-", "1", "0.250", "0.250", "-", "1", "60"]
