"""Tables with dots: order of rows, places of dots and intervals, words for what is missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from dnas.compare.model import Budget, Comparison, Estimate
from dnas.compare.page.dots import budget_table, hypervolume_table


def rows(text: str) -> list[str]:
    return re.findall(r"<tr data-m.*?</tr>", text)


def values(text: str) -> list[str]:
    return [re.sub(r"<.*?>", "", cell) for cell in re.findall(r'<td class="value">(.*?)</td>', text)]


@pytest.fixture
def comparison(make_comparison: Callable[..., Comparison]) -> Comparison:
    return make_comparison(3, 2, 2, published=False)


def test_the_largest_hypervolume_comes_first_and_the_unknown_last(comparison: Comparison) -> None:
    estimates = [
        Estimate(None, None, None, (None, 0.4)),
        Estimate(0.5, 0.4, 0.6, (0.5, 0.5)),
        Estimate(0.7, None, None, (0.7,)),
    ]
    text = hypervolume_table(comparison.methods, estimates, "caption")
    assert [re.findall(r'data-m="(\d)"', row)[0] for row in rows(text)] == ["2", "1", "0"]
    assert values(text) == ["0.700 one run", "0.500 0.400 to 0.600", "– 1 of 2 runs"]


def test_dots_mean_and_interval_stand_at_their_values(comparison: Comparison) -> None:
    estimate = Estimate(0.5, 0.4, 0.6, (0.45, 0.55))
    text = hypervolume_table(comparison.methods[:1], [estimate], "caption")
    # From 0.4 to 0.6 with a margin of 4 % on both sides.
    dots = [float(x) for x in re.findall(r'cx="([\d.]+)%"', text)]
    assert dots == pytest.approx([100 * (0.058 / 0.216), 100 * (0.158 / 0.216)], abs=0.01)
    (mean,) = re.findall(r'href="#m0" x="([\d.]+)%"', text)
    assert float(mean) == 50
    (ends,) = re.findall(r'x1="([\d.]+)%" x2="([\d.]+)%"[^>]*class="interval"', text)
    assert [float(end) for end in ends] == pytest.approx([100 * 0.008 / 0.216, 100 * 0.208 / 0.216], abs=0.01)


def test_a_huge_interval_does_not_squeeze_the_dots(comparison: Comparison) -> None:
    estimate = Estimate(0.5, -4.0, 5.0, (0.45, 0.55))
    text = hypervolume_table(comparison.methods[:1], [estimate], "caption")
    low, high = (float(x) for x in re.findall(r'cx="([\d.]+)%"', text))
    assert high - low > 20
    assert "-4.000 to 5.000" in text


def test_budgets_are_groups_of_methods(comparison: Comparison) -> None:
    text = budget_table(comparison)
    assert text.count('class="group"') == 5
    assert len(rows(text)) == 5 * 3


def test_budgets_by_loss_tell_the_accuracy_of_the_same_network(comparison: Comparison) -> None:
    loss, top1 = Estimate(1.25, None, None, (1.25,)), Estimate(0.612, None, None, (0.612,))
    budget = Budget(9.0, comparison.methods[0].name, loss, top1)
    by_loss = replace(comparison, quality="loss", budgets=(budget,))
    assert values(budget_table(by_loss)) == ["1.250 one run, top-1 61.2 %"]
    by_accuracy = replace(comparison, budgets=(replace(budget, quality=top1),))
    assert values(budget_table(by_accuracy)) == ["61.2 one run"]


def test_no_budgets_no_table(comparison: Comparison) -> None:
    assert budget_table(replace(comparison, budgets=())) == ""
