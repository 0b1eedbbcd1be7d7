"""Evaluations on disk: exact, apart by evaluator, whole after torn lines; of every network one."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from dnas.nn.supernet import Supernet
from dnas.refine.population import EvaluationStore, PopulationEvaluator, Record
from dnas.runs.evaluator import Evaluation, OneShotEvaluator
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture

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


@pytest.mark.filterwarnings("ignore:.* 1 of 2 lines are damaged")
@pytest.mark.parametrize(
    "line", ["[]", '{"genome": [0, 0]}', '{"genome": "abc"}', "null", "\x00", "[" * 5000]
)
def test_what_is_no_evaluation_is_passed_over(tmp_path: Path, line: str) -> None:
    writing = store(tmp_path)
    writing.write((0, 0, 0), record(1.0))
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text() + line + "\n")
    assert set(store(tmp_path).read()) == {(0, 0, 0)}


def test_two_names_of_a_network_are_one_evaluation(tmp_path: Path, skips_space: SearchSpace) -> None:
    """In a supernet they have other weights; the canonical one's are taken, and the second name is a hit."""
    data = {"class_path": "lightning_modules.data.Digits", "init_args": {"resolution": 16, "batch_size": 90}}
    evaluate = OneShotEvaluator(Supernet(skips_space, "independent"), data, recalibration_batches=1)
    kept = EvaluationStore(tmp_path, EVALUATOR, layers=4)
    evaluated = PopulationEvaluator(skips_space, evaluate, kept)
    first, other = evaluated(np.array([[0, 1, 0, 2], [2, 1, 0, 2]]))
    (again,) = evaluated(np.array([[0, 0, 1, 2]]))
    assert again is first and again != other
    assert set(kept.read()) == {(1, 0, 0, 2), (2, 1, 0, 2)}
    names = [Architecture(skips_space, indices) for indices in ((0, 1, 0, 2), (0, 0, 1, 2))]
    assert evaluate(names[0]) == evaluate(names[1]) == first.evaluation
