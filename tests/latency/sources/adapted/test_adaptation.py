"""A shipped phone left out: its blocks, and what the error bars say of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dnas.space import SearchSpace
from latency import load_table
from latency.sources.adapted.adaptation import ASSUMED_BLOCK_ERROR, adaptation
from latency.sources.adapted.known import KnownPhones
from latency.sources.adapted.timings import Timing

MOGA = SearchSpace.load("moga")
TABLES = ("adreno640_tflite2.10", "adreno616_tflite2.10", "mali_g76_tflite2.10", "powervr_ge8320_tflite2.10")
Make = Callable[..., list[Timing]]


@pytest.mark.parametrize("new", TABLES)
def test_blocks_of_a_phone_left_out(timings: Make, new: str) -> None:
    known = KnownPhones.load([table for table in TABLES if table != new], MOGA)
    found = adaptation(known, timings(new, MOGA))
    truth = load_table(new, MOGA).ms[MOGA.valid]
    errors = found.blocks_ms()[:-2].sum(axis=1) / truth - 1
    assert np.sqrt(np.mean(errors**2)) < 0.3
    # 90 %, at 12 timings of networks that are much alike: docs/latency_adapt.md has the figures.
    assert np.mean(np.abs(errors) < 1.645 * found.relative_errors()) > 0.7
    assert found.left_out.mape < 0.04
    assert found.overhead_ms() > 0


def test_one_known_phone_has_wider_bars(timings: Make) -> None:
    networks = timings(TABLES[0], MOGA)
    several = adaptation(KnownPhones.load(TABLES[1:], MOGA), networks)
    one = adaptation(KnownPhones.load([TABLES[3]], MOGA), networks)
    assert (one.block_error == ASSUMED_BLOCK_ERROR).all()
    assert one.relative_errors().mean() > several.relative_errors().mean()
    assert one.left_out.sigma > several.left_out.sigma


def test_equal_input_gives_equal_numbers(timings: Make) -> None:
    networks, known = timings(TABLES[0], MOGA), KnownPhones.load(TABLES[1:3], MOGA)
    first, second = (adaptation(known, networks) for _ in range(2))
    assert (first.blocks_ms() == second.blocks_ms()).all()
    assert (first.relative_errors() == second.relative_errors()).all()


def test_skips_take_no_time_and_have_no_error(timings: Make) -> None:
    fbnet = SearchSpace.load("fbnet")
    found = adaptation(KnownPhones.load(TABLES[:2], fbnet), timings(TABLES[2], fbnet))
    nothing = np.array([load_table(TABLES[2], fbnet).ms[fbnet.valid] == 0])[0]
    assert nothing.any()
    assert (found.blocks_ms()[:-2][nothing] == 0).all()
    assert (found.relative_errors()[nothing] == 0).all()
    assert (found.relative_errors()[~nothing] > 0).all()
