"""Which readings are meant, where files hold several."""

from __future__ import annotations

import pytest

from latency.sources.imported.reading import Reading
from latency.sources.imported.selection import select

CPU, GPU = Reading("a", 5, "x", 1, cpu=True), Reading("a", 1, "x", 2, cpu=False)
UNKNOWN, OTHER = Reading("a", 3, "x", 3), Reading("b", 4, "x", 4, cpu=True)
PHONE, BOARD = Reading("a", 1, "x", 1, table="phone"), Reading("a", 2, "x", 2, table="board")


@pytest.mark.parametrize(("cpu", "kept"), [(False, (GPU, UNKNOWN, OTHER)), (True, (CPU, UNKNOWN, OTHER))])
def test_a_key_that_ran_on_both_processors(cpu: bool, kept: tuple[Reading, ...]) -> None:
    """One that ran on the wrong processor alone stays, so that it is reported rather than missing."""
    selection = select([CPU, GPU, UNKNOWN, OTHER], cpu)
    assert (selection.readings, selection.left_out, selection.problems) == (kept, 1, ())


def test_one_of_several_tables() -> None:
    assert select([PHONE, BOARD], False, "board").readings == (BOARD,)
    assert select([PHONE], False).readings == (PHONE,)
    (problem,) = select([PHONE, BOARD], False).problems
    assert problem == "the files hold 2 tables, give --table with one of phone, board"
    (problem,) = select([PHONE, BOARD], False, "car").problems
    assert problem == "--table car: the files hold phone, board"
    assert "a single table" in select([CPU], False, "car").problems[0]
