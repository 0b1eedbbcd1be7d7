"""A user's mistake ends a command with one message; a fault of ours keeps its traceback."""

from __future__ import annotations

import pytest

from dnas.runs.checkpoint import CheckpointError
from dnas.search.knapsack import Infeasible
from dnas.space.architecture import ArchitectureError
from dnas.space.space_file import SpaceError
from dnas.support.command import one_message
from latency import TableError


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad"),
        FileNotFoundError("bad"),
        FileExistsError("bad"),
        SpaceError("bad"),
        ArchitectureError("bad"),
        CheckpointError("bad"),
        TableError("bad"),
        Infeasible("bad", (None,)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_mistakes_become_one_message(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DNAS_TRACEBACK", raising=False)
    with pytest.raises(SystemExit, match=r"^dnas thing: bad\n") as caught, one_message("dnas thing"):
        raise error
    assert caught.value.__suppress_context__
    monkeypatch.setenv("DNAS_TRACEBACK", "1")
    with pytest.raises(type(error), match="bad"), one_message("dnas thing"):
        raise error


@pytest.mark.parametrize("error", [TypeError("ours"), KeyboardInterrupt(), SystemExit(3)])
def test_anything_else_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, one_message("dnas thing"):
        raise error
    assert caught.value is error
