"""What is told must be what was asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from dnas.search.evolution.algorithm import check_told

ASKED = np.array([[0, 1], [2, 0], [1, 1]])
VALUES = np.ones((3, 2))


def test_copies_of_what_is_told() -> None:
    genomes, values, violations = check_told(ASKED, ASKED.tolist(), VALUES.astype(int), None, 2)
    assert genomes is ASKED
    assert values.dtype == np.float64 and values.tolist() == VALUES.tolist()
    assert violations.tolist() == [0.0, 0.0, 0.0]
    given = np.array([0.0, 2.0, np.inf])
    _, values, violations = check_told(ASKED, ASKED, VALUES, given)
    values[0, 0] = given[0] = 5
    assert VALUES[0, 0] == 1 and violations.tolist() == [0.0, 2.0, np.inf]


@pytest.mark.parametrize(
    ("genomes", "values", "violations", "message"),
    [
        (ASKED[::-1], VALUES, None, "exactly those that ask returned, in the same order"),
        (ASKED[:2], VALUES[:2], None, "exactly those"),
        (
            ASKED,
            np.ones((3, 3)),
            None,
            r"values must have shape \(genomes, objectives\), \(3, 2\), got \(3, 3\)",
        ),
        (ASKED, np.ones(3), None, r"got \(3,\)"),
        (ASKED, 1.0, None, r"got \(\)"),
        (ASKED, VALUES[:2], None, r"got \(2, 2\)"),
        (ASKED, VALUES, [0.0, 1.0], r"violations must have shape \(3,\), got \(2,\)"),
        (ASKED, VALUES, [0.0, -1.0, np.nan], r"negative or NaN in rows \[1, 2\]"),
        (ASKED[::-1], VALUES[:2], [-1.0, 0, 0], "same order; values .*; violations"),
    ],
)
def test_all_that_is_wrong_in_one_message(genomes, values, violations, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_told(ASKED, genomes, values, violations, 2)


@pytest.mark.parametrize(
    "values",
    [
        [[1.0, 1.0], [1.0], [1.0, 1.0]],
        [["1", "2"]] * 3,
        VALUES + 1j,
        np.ma.masked_array(VALUES, mask=VALUES == 1),
        {"top1": 1},
        (row for row in VALUES),
        [[10**400, 1]] * 3,
        torch.eye(3, 2).to_sparse(),
    ],
)
def test_what_are_no_real_numbers_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match="values must be an array of real numbers"):
        check_told(ASKED, ASKED, values, None, 2)


def test_genomes_of_different_lengths_are_not_those_asked() -> None:
    with pytest.raises(ValueError, match="exactly those that ask returned"):
        check_told(ASKED, [[0], [1, 2], [3]], VALUES, None, 2)  # type: ignore[arg-type]


def test_lists_of_tensors_and_every_precision_are_numbers() -> None:
    row = torch.tensor([0.5, 0.25], requires_grad=True)
    lists: list[Any] = [[row] * 3, [(row[0], 0.25)] * 3, [list(row)] * 3, torch.stack([row] * 3).bfloat16()]
    for values in lists:
        assert check_told(ASKED, list(torch.tensor(ASKED)), values, None)[1].tolist() == [[0.5, 0.25]] * 3  # type: ignore[arg-type]
    assert np.isnan(check_told(ASKED, ASKED, [[None, 1.0]] * 3, None)[1][:, 0]).all()  # type: ignore[arg-type]


def test_any_number_of_objectives_where_none_is_expected() -> None:
    assert check_told(ASKED, ASKED, np.ones((3, 5)), None)[1].shape == (3, 5)
    for values in (np.ones(3), 1.0, np.ones((2, 2))):
        with pytest.raises(ValueError, match="values must have shape"):
            check_told(ASKED, ASKED, values, None)


def test_tell_before_ask_is_refused() -> None:
    with pytest.raises(ValueError, match="tell came without ask"):
        check_told(None, ASKED, VALUES, None)
