"""Tables of a space: choices in few words, options that are not the usual ones."""

from __future__ import annotations

import pytest

from dnas.space import Choice
from dnas.space.layers import FixedOp
from dnas.spaces.listing import _names_text, fixed_text, misfit_lines, options_text
from dnas.spaces.ranges import Misfit


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["a", "b", "c", "d"], "all"),
        (["a", "b", "c", "d", "skip"], "all and skip"),
        (["a", "b", "d"], "all but c"),
        (["a", "b"], "a b"),
        (["a", "b", "skip"], "a b skip"),
        (["ax2", "ax3"], "ax2 ax3"),
        (["c"], "c"),
    ],
)
def test_choices_in_few_words(names: list[str], text: str) -> None:
    assert _names_text(names, ["a", "b", "c", "d"]) == text


def test_two_choices_are_named() -> None:
    assert _names_text(["a", "b"], ["a", "b"]) == "a b"


def test_options_that_are_as_when_left_out_are_not_listed() -> None:
    assert options_text(Choice.of("x", expansion=2.5, kernel=3)) == "kernel 3, expansion 2.5"
    assert options_text(Choice.of("x", expansion=1, kernel=3, groups=2)) == "kernel 3, expansion 1, groups 2"
    assert options_text(Choice.of("x", "skip")) == ""


def test_operations_of_stem_and_head() -> None:
    assert fixed_text(FixedOp("separable", 3, 8, 32, kernel=5)) == "separable 5x5"
    assert fixed_text(FixedOp("conv", 3, 8, 1, norm=False)) == "conv 1x1, no batch norm"
    assert fixed_text(FixedOp("dropout", 8, 8, 1, rate=0.25)) == "dropout 0.25"


def test_tables_that_do_not_fit_for_one_reason_share_a_line() -> None:
    lines = misfit_lines([Misfit("a", "small"), Misfit("b", "large"), Misfit("c", "small")])
    assert lines == ["No latency by a, c: small.", "No latency by b: large."]
