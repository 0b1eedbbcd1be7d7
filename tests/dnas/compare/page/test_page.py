"""The page as text: what it says, in which order, and that nothing in it is anybody's markup."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from math import nan
from pathlib import Path
from typing import Any

import pytest

from dnas.compare.looks import pooled_front
from dnas.compare.model import Comparison, Cost, Estimate
from dnas.compare.page import page, write_report
from dnas.space import SearchSpace

Make = Callable[..., Comparison]
EVIL = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\" onfocus='alert(3)"
SECTIONS = (
    *("finding", "compared", "front", "attainment", "hypervolume", "course", "budgets", "cost"),
    *("agreement", "alpha", "architectures", "points", "methods", "provenance"),
)


class Outline(HTMLParser):
    """Every start tag with its attributes, and whether every element was ended in its turn."""

    VOID = frozenset({"meta", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.errors: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.errors.append(tag)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def embedded(text: str, kind: str) -> list[Any]:
    """What the page's charts of that kind hand to its script."""
    found = re.findall(r'<script type="application/json" class="values">(.*?)</script>', text)
    return [values for values in map(json.loads, found) if values["kind"] == kind]


def section(text: str, name: str) -> str:
    return text.partition(f'<section id="{name}">')[2].partition("</section>")[0]


def test_sections_come_in_reading_order_and_the_finding_first(make_comparison: Make) -> None:
    comparison = make_comparison(3, 2, 4)
    outline = Outline(page(comparison))
    assert tuple(attributes["id"] for attributes in outline.named("section")) == SECTIONS
    assert f"<h1>{comparison.finding}</h1>" in section(page(comparison), "finding")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"quality": "loss"},
        {"methods": 1, "seeds": 1, "members": 1, "published": False},
        {"methods": 2, "seeds": 2, "members": 0},
        {"methods": 0},
        {"methods": 12, "seeds": 2, "members": 3},
    ],
    ids=str,
)
def test_every_element_is_ended(make_comparison: Make, options: dict[str, Any]) -> None:
    outline = Outline(page(make_comparison(**options)))
    assert outline.errors == []
    assert outline.open == []


@pytest.mark.parametrize("name", ["fbnet", "motley", "minimal"])
def test_other_spaces(make_comparison: Make, get_space: Callable[[str], SearchSpace], name: str) -> None:
    text = page(make_comparison(2, 2, 3, space=get_space(name)))
    assert Outline(text).errors == []
    assert ('class="skip"' in text) == (name != "minimal")
    assert ("distinct networks" in text) == (name == "fbnet"), "where there are fewer than architectures"


def test_names_are_text_everywhere(make_comparison: Make) -> None:
    plain = make_comparison(2, 1, 2)
    evil = replace(
        make_comparison(2, 1, 2, names=(EVIL, f"{EVIL} again")),
        title=EVIL,
        finding=EVIL,
        notes=(EVIL,),
        versions={EVIL: EVIL},
        table=replace(plain.table, name=EVIL, kind=EVIL, description=EVIL),
        evaluator=replace(plain.evaluator, description=EVIL, checkpoint=EVIL),
    )
    evil = replace(
        evil,
        methods=tuple(
            replace(m, details=EVIL, runs=tuple(replace(run, source=EVIL) for run in m.runs))
            for m in evil.methods
        ),
    )
    honest, attacked = Outline(page(plain)), Outline(page(evil))
    assert attacked.errors == []
    # A long name has no direct label at its line, so the number of texts may differ, but no kind of element.
    assert {tag for tag, _ in attacked.tags} == {tag for tag, _ in honest.tags}
    assert len(attacked.named("script")) == len(honest.named("script"))
    assert not [a for _, attributes in attacked.tags for a in attributes if a.startswith("on")]


def test_nothing_is_fetched_and_the_policy_forbids_it(make_comparison: Make) -> None:
    outline = Outline(page(make_comparison(2, 2, 3)))
    policies = [a["content"] for a in outline.named("meta") if a.get("http-equiv")]
    assert len(policies) == 1 and policies[0] is not None
    assert {"default-src 'none'", "style-src 'unsafe-inline'", "img-src data:"} <= set(
        policies[0].split("; ")
    )
    links = [
        value
        for _, attributes in outline.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data")
        and not (value or "").startswith(("#", "data:"))
    ]
    assert links == []
    assert not re.search(r"@import|https?:|url\((?!#)", page(make_comparison(2, 2, 3)))


def test_ids_are_unique_and_references_have_their_target(make_comparison: Make) -> None:
    outline = Outline(page(make_comparison(5, 2, 3)))
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = {(attributes["href"] or "")[1:] for attributes in outline.named("use")}
    assert used <= set(ids)


def test_twelve_methods_of_five_seeds_with_200_points_stay_below_two_megabytes(
    make_comparison: Make, get_space: Callable[[str], SearchSpace], tmp_path: Path
) -> None:
    # The longest architectures of the shipped spaces.
    path = write_report(make_comparison(12, 5, 200, space=get_space("fbnet")), tmp_path)
    assert path.stat().st_size < 2_000_000
    assert (
        sum(len(run["points"]) for run in embedded(path.read_text(), "points")[0]["runs"]) == 12 * 5 * 200 + 1
    )


def test_report_is_written_into_a_new_folder_and_is_always_the_same(
    make_comparison: Make, tmp_path: Path
) -> None:
    comparison = make_comparison(2, 2, 3)
    path = write_report(comparison, tmp_path / "new")
    assert path == tmp_path / "new" / "report.html"
    assert path.read_text(encoding="utf-8") == page(comparison)


def test_bytes_of_a_path_that_are_no_text_do_not_cost_the_report(
    make_comparison: Make, tmp_path: Path
) -> None:
    comparison = make_comparison(1, 1, 1)
    (method, *others) = comparison.methods
    odd = replace(method, runs=(replace(method.runs[0], source="runs/\udcff"),))
    assert write_report(replace(comparison, methods=(odd, *others)), tmp_path).is_file()


def test_a_comparison_of_another_space_is_refused(
    make_comparison: Make, get_space: Callable[[str], SearchSpace]
) -> None:
    with pytest.raises(ValueError, match="motley"):
        page(replace(make_comparison(1, 1, 1), space=get_space("motley").to_dict()))


def test_values_are_readable_without_the_script(make_comparison: Make) -> None:
    comparison = make_comparison(2, 2, 5)
    text = page(comparison)
    for method in comparison.methods:
        for point in pooled_front(method, comparison):
            assert " ".join(point.choices) in section(text, "points")
        assert f"{method.hypervolume.mean:.3f} " in section(text, "hypervolume")
    for budget in comparison.budgets:
        if budget.quality.mean is not None:
            assert f"{100 * budget.quality.mean:.1f} " in section(text, "budgets")
    assert f">{100 * comparison.agreement[0].distance:.0f}<" in section(text, "agreement")


def test_the_table_says_how_many_of_how_many_points_it_shows(make_comparison: Make) -> None:
    comparison = make_comparison(2, 2, 5, published=False)
    shown = sum(len(pooled_front(method, comparison)) for method in comparison.methods)
    assert f"{shown} of 20 networks" in section(page(comparison), "points")


def test_embedded_points_are_those_of_the_comparison(make_comparison: Make) -> None:
    comparison = make_comparison(2, 2, 3)
    (values,) = embedded(page(comparison), "points")
    runs = [run for method in comparison.methods for run in method.runs]
    for told, run in zip(values["runs"], runs, strict=True):
        for (codes, ms, *others), point in zip(told["points"], run.members, strict=True):
            choices = [values["decisions"][i][ord(code) - values["first"]] for i, code in enumerate(codes)]
            assert tuple(choices) == point.choices
            assert ms == pytest.approx(point.latency_ms, abs=0.005)
            assert others[2] == pytest.approx(100 * point.top1, abs=0.005)
            assert (others[-1] == point.name) == bool(point.name)
    assert [run["run"] for run in values["runs"]] == ["seed 0", "seed 1"] * 2 + [""]


def test_markers_are_in_the_order_of_the_embedded_points(make_comparison: Make) -> None:
    text = section(page(make_comparison(3, 2, 3)), "front")
    (values,) = embedded(text, "points")
    groups = re.findall(r'<g class="run">(.*?)</g>', text)
    assert [group.count("<use") for group in groups] == [len(run["points"]) for run in values["runs"]]


def test_markers_stand_at_latency_and_quality(make_comparison: Make) -> None:
    text = section(page(make_comparison(2, 2, 6)), "front")
    (values,) = embedded(text, "points")
    points = [point for run in values["runs"] for point in run["points"]]
    markers = re.findall(r'<use href="#m\d" x="([\d.]+)%" y="([\d.]+)"/>', text.partition('class="run"')[2])
    assert len(markers) == len(points)
    for (x, _), (_, ms, *_) in zip(markers, points, strict=True):
        assert float(x) == pytest.approx(
            100 * (ms - values["low"]) / (values["high"] - values["low"]), abs=0.2
        )
    highest, lowest = max(points, key=lambda p: p[4]), min(points, key=lambda p: p[4])
    places = [float(y) for _, y in markers]
    assert places[points.index(highest)] == min(places) > 0
    assert places[points.index(lowest)] == max(places) < 400


def test_agreement_has_every_pair_and_every_layer(make_comparison: Make) -> None:
    comparison = make_comparison(3, 1, 2)
    text = section(page(comparison), "agreement")
    pairs = re.findall(r'<th scope="row" class="pair">(.*?)</th>(.*?)</tr>', text)
    for (name, cells), pair in zip(pairs, comparison.agreement, strict=True):
        assert name == f"{pair.first} – {pair.second}"
        shown = re.findall(r">(\d+)</td>", cells)
        assert shown == [f"{100 * value:.0f}" for value in (pair.distance, *pair.distances)]


def test_latency_is_called_what_the_table_calls_it(make_comparison: Make) -> None:
    comparison = make_comparison(1, 1, 2)
    assert "calibrated latency (ms)" in page(comparison)
    assert "no measurement" in section(page(comparison), "methods")
    measured = page(replace(comparison, table=replace(comparison.table, kind="measured", description="d")))
    assert "measured latency (ms)" in measured
    assert "calibrated" not in measured and "no measurement" not in measured


def test_fronts_compared_by_loss_say_so(make_comparison: Make) -> None:
    text = page(make_comparison(2, 2, 3, quality="loss"))
    assert "one-shot cross-entropy (nats, lower is better)" in section(text, "front")
    assert "better is down and to the left" in section(text, "front")
    assert "top-1 " in section(text, "budgets")


def test_what_the_table_and_the_evaluator_say_is_said_once(make_comparison: Make) -> None:
    comparison = make_comparison(1, 1, 1)
    table = replace(comparison.table, description="adreno630_mace: a phone; calibrated")
    text = section(page(replace(comparison, table=table)), "compared")
    assert text.count("adreno630_mace") == 1 and "a phone; calibrated" in text
    assert "(5,000 validation images)" in text
    unknown = replace(comparison.evaluator, validation_images=None)
    assert "validation images" not in section(page(replace(comparison, evaluator=unknown)), "compared")


def test_named_points_say_their_method_too(make_comparison: Make) -> None:
    comparison = make_comparison(1, 1, 1)
    (method, zoo) = comparison.methods
    (run,) = method.runs
    named = replace(method, runs=(replace(run, members=(replace(run.members[0], name="argmax"),)),))
    text = section(page(replace(comparison, methods=(named, zoo))), "points")
    assert "FBNet-style search: argmax<" in text
    assert ">moga_a<" in text


def test_one_run_has_no_interval_and_missing_values_are_said_to_be(make_comparison: Make) -> None:
    comparison = make_comparison(2, 1, 2, published=False)
    assert section(page(comparison), "hypervolume").count("one run") == 4
    first, second = comparison.methods
    unknown = replace(first, hypervolume=Estimate(None, None, None, (0.5, None, 0.6)))
    told = section(page(replace(comparison, methods=(unknown, second))), "hypervolume")
    assert "2 of 3 runs" in told
    assert told.count('<circle cx="') == 5


def test_methods_without_points_and_values_that_are_not_finite(make_comparison: Make) -> None:
    comparison = make_comparison(2, 1, 2)
    first, second, zoo = comparison.methods
    (run,) = first.runs
    odd = replace(run, members=(replace(run.members[0], top1=nan, top5=nan, loss=nan), run.members[1]))
    empty = replace(second, runs=(replace(second.runs[0], members=()),), cost=Cost())
    text = page(replace(comparison, methods=(replace(first, runs=(odd,)), empty, zoo)))
    (values,) = embedded(text, "points")
    assert [len(each["points"]) for each in values["runs"]] == [1, 0, 4]
    assert "NaN" not in text.partition("<script>")[0]


@pytest.mark.parametrize("name", ["front", "attainment", "course", "budgets", "cost", "agreement", "alpha"])
def test_a_section_without_data_says_why(make_comparison: Make, name: str) -> None:
    text = section(page(make_comparison(0, published=False, budgets=())), name)
    assert 'class="empty"' in text
    assert "<svg" not in text


def test_budget_rows_follow_the_budgets(make_comparison: Make) -> None:
    comparison = make_comparison(2, 2, 3)
    text = section(page(comparison), "budgets")
    headings = re.findall(r"within ([\d.]+) ms", text)
    assert headings == [f"{ms:.2f}" for ms in sorted({budget.latency_ms for budget in comparison.budgets})]


def test_provenance_has_every_file_with_its_sha256(make_comparison: Make) -> None:
    comparison = make_comparison(2, 2, 1)
    text = section(page(comparison), "provenance")
    shas = [run.sha256 for method in comparison.methods for run in method.runs if run.sha256]
    for sha in (comparison.table.sha256, comparison.evaluator.sha256, *shas):
        assert sha in text
    assert "torch 2.9.0" in text and comparison.date in text
