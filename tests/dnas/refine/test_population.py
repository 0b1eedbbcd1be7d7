"""Evaluations on disk: exact, apart by evaluator, whole after torn lines."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dnas.refine.population import EvaluationStore, Record
from dnas.runs.evaluator import Evaluation

EVALUATOR = {"checkpoint": "a" * 64, "recalibration_batches": 8}


def record(loss: float) -> Record:
    return Record(Evaluation(0.1 + 0.2, 1.0, loss, 180), 0.25)


def store(folder: Path, process: int = 0, **changes: object) -> EvaluationStore:
    return EvaluationStore(folder, EVALUATOR | changes, layers=3, process=process)


def test_what_is_written_is_read_exactly(tmp_path: Path) -> None:
    wanted = {(0, 1, 2): record(1 / 3), (2, 1, 0): record(1e-300), (1, 1, 1): record(math.inf)}
    writing = store(tmp_path / "new")
    for genome, each in wanted.items():
        writing.write(genome, each)
    assert store(tmp_path / "new").read() == wanted
    assert writing.get([0, 1, 2]) == record(1 / 3) and writing.get((0, 0, 0)) is None and len(writing) == 3


def test_a_loss_that_is_no_number_is_kept(tmp_path: Path) -> None:
    store(tmp_path).write((0, 0, 0), record(math.nan))
    assert math.isnan(store(tmp_path).read()[0, 0, 0].evaluation.loss)


def test_processes_share_a_folder_and_other_evaluators_do_not_meddle(tmp_path: Path) -> None:
    store(tmp_path).write((0, 0, 0), record(1.0))
    store(tmp_path, process=1).write((1, 0, 0), record(2.0))
    store(tmp_path, checkpoint="b" * 64).write((2, 0, 0), record(3.0))
    assert set(store(tmp_path).read()) == {(0, 0, 0), (1, 0, 0)}
    assert set(store(tmp_path, checkpoint="b" * 64).read()) == {(2, 0, 0)}
    assert not store(tmp_path, recalibration_batches=1).read()


@pytest.mark.parametrize("kept", range(1, 60, 7))
def test_a_torn_line_is_not_there_and_harms_no_other(tmp_path: Path, kept: int) -> None:
    writing = store(tmp_path)
    writing.write((0, 0, 0), record(1.0))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:kept])
    assert set(store(tmp_path).read()) == {(0, 0, 0)}
    store(tmp_path).write((1, 0, 0), record(2.0))
    assert store(tmp_path).read() == {(0, 0, 0): record(1.0), (1, 0, 0): record(2.0)}


@pytest.mark.parametrize(
    "line", ["[]", '{"genome": [0, 0]}', '{"genome": "abc"}', "null", "\x00", "[" * 5000]
)
def test_what_is_no_evaluation_is_passed_over(tmp_path: Path, line: str) -> None:
    writing = store(tmp_path)
    writing.write((0, 0, 0), record(1.0))
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text() + line + "\n")
    assert set(store(tmp_path).read()) == {(0, 0, 0)}
