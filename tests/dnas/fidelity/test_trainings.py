"""Results of trainings on disk: exact, apart by recipe and space, whole after torn lines."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dnas.fidelity.source import StandAlone
from dnas.fidelity.trainings import TrainingStore
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture

RECIPE = {"config": "abc", "overrides": ["a=1"]}
GOOD = StandAlone(1 / 3, "", 270, 1.5, {"class_path": "x"})


@pytest.fixture
def a(tiny_space: SearchSpace) -> Architecture:
    return Architecture(tiny_space, (0, 1, 2))


@pytest.fixture
def b(tiny_space: SearchSpace) -> Architecture:
    return Architecture(tiny_space, (3, 2, 1))


def test_what_is_written_is_read_exactly(tmp_path: Path, a: Architecture, b: Architecture) -> None:
    writing = TrainingStore(tmp_path / "new", RECIPE, a.space)
    writing.write(a, GOOD)
    writing.write(b, StandAlone(math.nan, 'The loss became nan.\n"Lower" it'))
    reading = TrainingStore(tmp_path / "new", RECIPE, a.space)
    assert reading.get(a) == GOOD == writing.get(a)
    failed = reading.get(b)
    assert failed is not None and math.isnan(failed.top1)
    assert failed.reason == 'The loss became nan.\n"Lower" it'
    assert reading.get(Architecture(a.space, (0, 0, 0))) is None


def test_recipes_and_spaces_are_kept_apart(tmp_path: Path, a: Architecture, tiny_space: SearchSpace) -> None:
    TrainingStore(tmp_path, RECIPE, tiny_space).write(a, GOOD)
    assert TrainingStore(tmp_path, RECIPE | {"config": "abd"}, tiny_space).get(a) is None
    wider = tiny_space.adapt(stem_stride=1)
    assert TrainingStore(tmp_path, RECIPE, wider).get(Architecture(wider, a.indices)) is None


@pytest.mark.parametrize("kept", range(1, 60, 7))
def test_a_torn_line_is_not_there_and_harms_no_other(
    tmp_path: Path, a: Architecture, b: Architecture, kept: int
) -> None:
    TrainingStore(tmp_path, RECIPE, a.space).write(a, GOOD)
    (path,) = tmp_path.iterdir()
    line = path.read_bytes()
    path.write_bytes(line.replace(str(a).encode(), str(b).encode())[:kept])
    assert TrainingStore(tmp_path, RECIPE, a.space).get(b) is None
    TrainingStore(tmp_path, RECIPE, a.space).write(a, GOOD)
    assert TrainingStore(tmp_path, RECIPE, a.space).get(a) == GOOD


@pytest.mark.parametrize("line", ["[]", "null", '{"architecture": 3}', "\x00", "[" * 5000, '{"top1": 1}'])
def test_what_is_no_result_is_passed_over(tmp_path: Path, a: Architecture, line: str) -> None:
    TrainingStore(tmp_path, RECIPE, a.space).write(a, GOOD)
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text() + line + "\n")
    assert TrainingStore(tmp_path, RECIPE, a.space).get(a) == GOOD
