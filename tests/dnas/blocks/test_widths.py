"""Channels inside a block: by hand, and the rule that the references share."""

from __future__ import annotations

import pytest
from torchvision.models._utils import _make_divisible

from dnas.blocks import BlockError
from dnas.blocks.widths import check_width, hidden_channels, rounded


@pytest.mark.parametrize(
    ("channels", "expected"), [(1, 8), (8.8, 8), (11, 16), (18, 24), (27, 32), (30.6, 32), (96, 96)]
)
def test_a_multiple_of_8_is_at_least_8_and_not_below_90_per_cent(channels: float, expected: int) -> None:
    assert rounded(channels, 8) == expected


@pytest.mark.parametrize("divisor", [4, 8, 16])
def test_rounding_is_that_of_torchvision(divisor: int) -> None:
    widths = [quarters / 4 for quarters in range(1, 2000)]
    assert [rounded(width, divisor) for width in widths] == [
        _make_divisible(width, divisor) for width in widths
    ]


def test_a_number_of_channels_is_not_rounded_and_a_product_is() -> None:
    assert hidden_channels(10, None, 8, hidden=13) == 13
    assert hidden_channels(10, 2.5, 8) == 24
    assert hidden_channels(10, 2.54) == 25
    assert hidden_channels(1, 0.1) == 1


@pytest.mark.parametrize("both", [(None, None), (3.0, 24)])
def test_a_block_has_one_width(both: tuple[float | None, int | None]) -> None:
    with pytest.raises(BlockError, match=r"exactly one of 'expansion' .* and 'hidden'"):
        check_width(*both)
