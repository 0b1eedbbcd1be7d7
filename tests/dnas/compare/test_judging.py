"""Which evaluator judges, and what it has yet to see."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from dnas.compare.files import RunError
from dnas.compare.judging import (
    RECALIBRATION_BATCHES,
    Judge,
    choose_judge,
    choose_quality,
    known_evaluations,
    unknown_architectures,
    worst_loss,
)
from dnas.compare.reading import read_sources
from dnas.compare.source import EvaluatorKey, Sources
from dnas.runs.evaluator import Evaluation

Write = Callable[..., Path]
OTHER = {"file": "other.ckpt", "sha256": "d" * 64, "kind": "search"}


@pytest.fixture
def read_runs(write_refined: Write) -> Callable[..., Sources]:
    """Sources of refinements, each given by what differs in its run.json."""

    def read(*overrides: dict[str, object]) -> Sources:
        folders = [write_refined(f"run_{index}", **each) for index, each in enumerate(overrides)]
        return read_sources([f"m{index}={folder}" for index, folder in enumerate(folders)])

    return read


Read = Callable[..., Sources]


def test_quality_follows_the_runs(read_runs: Read) -> None:
    assert choose_quality(read_runs({"quality": "loss"})) == "loss"
    assert choose_quality(read_sources(["a=moga_a"])) == "top1"


def test_mixed_qualities_are_refused(read_runs: Read) -> None:
    with pytest.raises(RunError) as caught:
        choose_quality(read_runs({"quality": "loss"}, {"quality": "top1"}, {"quality": "loss"}))
    message = str(caught.value)
    assert "different qualities" in message and "--quality" in message
    assert message.index("run_0") < message.index("run_2") < message.index("top1: ") < message.index("run_1")


def test_worst_loss_is_shared(read_runs: Read) -> None:
    assert worst_loss(read_runs({}, {"seed": 1})) == math.log(10)


def test_boxes_of_different_losses_are_refused(read_runs: Read) -> None:
    box = {"quality": [1.0, 0.0], "latency_ms": [2, 1], "params": [1, 2]}
    with pytest.raises(RunError, match=r"different losses: 1, 2\.30"):
        worst_loss(read_runs({}, {"box": box}))


def test_the_shared_evaluator(read_runs: Read) -> None:
    judge = choose_judge(read_runs({}, {"seed": 1}), None)
    assert judge == Judge(EvaluatorKey("c" * 64, 8), "one_shot.ckpt", None)


def test_its_file_is_found_among_the_runs(
    write_refined: Write, search_checkpoint: Path, tmp_path: Path
) -> None:
    digest = hashlib.sha256(search_checkpoint.read_bytes()).hexdigest()
    named = {"file": "last.ckpt", "sha256": digest, "kind": "search"}
    runs = [f"a={write_refined('a', checkpoint=named)}", f"b={search_checkpoint}"]
    assert choose_judge(read_sources(runs), None).path == search_checkpoint
    assert choose_judge(read_sources(runs[:1]), None).path is None
    by_path = write_refined("c", checkpoint=named | {"file": str(search_checkpoint)})
    judge = choose_judge(read_sources([f"c={by_path}"]), None)
    assert (judge.path, judge.file) == (search_checkpoint, "last.ckpt")


def test_a_file_of_another_content_does_not_judge(write_refined: Write, tmp_path: Path) -> None:
    (tmp_path / "one_shot.ckpt").write_bytes(b"newer")
    named = {"file": str(tmp_path / "one_shot.ckpt"), "sha256": "c" * 64, "kind": "one-shot"}
    assert choose_judge(read_sources([f"a={write_refined('a', checkpoint=named)}"]), None).path is None


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({"checkpoint": OTHER}, "other.ckpt (sha256 dddddddddddd..., recalibration 8)"),
        ({"evaluator": {"recalibration_batches": 4, "validation_images": 180}}, "recalibration 4)"),
    ],
)
def test_different_evaluators_need_a_decision(read_runs: Read, second: dict[str, object], told: str) -> None:
    with pytest.raises(RunError) as caught:
        choose_judge(read_runs({}, second), None)
    message = str(caught.value)
    assert "one_shot.ckpt (sha256 cccccccccccc..., recalibration 8)" in message
    assert told in message and "--checkpoint" in message


def test_without_refinements_a_checkpoint_is_needed() -> None:
    with pytest.raises(RunError, match=r"No run names a supernet.*--checkpoint"):
        choose_judge(read_sources(["a=moga_a"]), None)


def test_a_given_checkpoint_judges(write_refined: Write, tmp_path: Path) -> None:
    path = tmp_path / "given.ckpt"
    path.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    sources = read_sources([f"a={write_refined('a')}"])
    expected = Judge(EvaluatorKey(digest, RECALIBRATION_BATCHES), "given.ckpt", path)
    assert choose_judge(sources, str(path)) == expected
    # It recalibrates as the runs over it do.
    runs = {"checkpoint": {"file": "x", "sha256": digest, "kind": "search"}}
    few = {"evaluator": {"recalibration_batches": 3, "validation_images": 180}}
    sources = read_sources([f"a={write_refined('b', **runs, **few)}"])
    assert choose_judge(sources, str(path)).key == EvaluatorKey(digest, 3)


def test_a_checkpoint_that_is_missing(read_runs: Read, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"--checkpoint .*gone\.ckpt: no such file"):
        choose_judge(read_runs({}), str(tmp_path / "gone.ckpt"))


def test_only_the_judge_s_own_evaluations_are_known(read_runs: Read, write_refined: Write) -> None:
    sources = read_runs({}, {"checkpoint": OTHER, "seed": 1})
    assert known_evaluations(sources, EvaluatorKey("c" * 64, 4)) == {}
    known = known_evaluations(sources, EvaluatorKey("c" * 64, 8))
    assert [evaluation.top1 for evaluation in known.values()] == [0.5, 0.7, 0.9]
    assert unknown_architectures(sources, known) == [], "the same architectures, so all are known"
    everything = unknown_architectures(sources, {})
    assert everything == list(known), "each once"


def test_description(read_runs: Read) -> None:
    judge = choose_judge(read_runs({}), None)
    told = judge.describe([Evaluation(0.5, 1, 1, 180), Evaluation(0.6, 1, 1, 180)])
    assert told.validation_images == 180 and told.sha256 == "c" * 64
    assert "one_shot.ckpt" in told.description and "8 training batches" in told.description
    assert judge.describe([]).validation_images is None
    with pytest.raises(RunError, match=r"one_shot\.ckpt was .* numbers of validation images \(90, 180\)"):
        judge.describe([Evaluation(0.5, 1, 1, 180), Evaluation(0.6, 1, 1, 90)])
