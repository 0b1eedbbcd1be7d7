"""What is read of a refinement's output folder."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dnas.compare.files import RunError
from dnas.compare.model import Cost
from dnas.compare.refined import read_refined
from dnas.compare.source import EvaluatorKey
from dnas.runs.evaluator import Evaluation
from dnas.space import SearchSpace
from latency import LatencyTable

Write = Callable[..., Path]


def test_everything_is_read(write_refined: Write, tiny_space: SearchSpace, tiny_table: LatencyTable) -> None:
    folder = write_refined("run", seed=3)
    source = read_refined(folder)
    assert source.path == str(folder) and source.space == tiny_space and source.seed == 3
    assert source.sha256 == hashlib.sha256((folder / "front.json").read_bytes()).hexdigest()
    assert [found.architecture.names[0] for found in source.found] == ["E1K3", "E2K5", "E3K5SE"]
    assert source.found[1].evaluation == Evaluation(0.7, 1.0, 1.0, 180) and source.found[1].generation == 2
    assert source.cost == Cost(6.0, 5232, 12, 60.0, 6000)
    assert source.alpha is None and source.kind == "evolutionary"
    assert source.refinement is not None
    assert source.refinement.evaluator == EvaluatorKey("c" * 64, 8)
    assert source.refinement.curve == ((4, 0.1), (8, 0.2), (12, 0.3))
    assert source.refinement.table_sha256 == tiny_table.sha256
    assert source.refinement.box.latency_ms[0] == tiny_table.latency_ms(tiny_table.dearest())
    assert (source.refinement.seeded_from, source.refinement.finished) == ((), True)


@pytest.mark.parametrize(
    ("overrides", "kind", "details"),
    [
        ({}, "evolutionary", "nsga2, weights 2 2 1, population 4, 3 generations"),
        (
            {"seeded_from": ["a.json"], "bounds": {"latency_below_ms": 1.5, "params_above": 2000}},
            "evolutionary",
            "nsga2, weights 2 2 1, population 4, 3 generations, seeded, latency at most 1.5 ms, "
            "at least 2,000 parameters",
        ),
        ({"algorithm": "random", "weights": None}, "baseline", "random, population 4, 3 generations"),
        (
            {"algorithm": "mnasnet", "weights": None, "target_ms": 1.25},
            "baseline",
            "mnasnet, population 4, 3 generations, target 1.25 ms",
        ),
        (
            {"algorithm": "nsga2-equal-weights"},
            "baseline",
            "nsga2-equal-weights, population 4, 3 generations",
        ),
    ],
)
def test_kind_and_details(write_refined: Write, overrides: dict[str, Any], kind: str, details: str) -> None:
    source = read_refined(write_refined("run", **overrides))
    assert (source.kind, source.details) == (kind, details)


def test_an_empty_front(write_refined: Write) -> None:
    assert read_refined(write_refined("run", members=())).found == ()


def test_a_network_that_diverged(write_refined: Write) -> None:
    """It may be on a front for its latency; a loss that JSON cannot hold is null."""
    source = read_refined(write_refined("run", members=[(("E1K3", "E1K3", "E1K3"), 0.1, None)]))
    assert source.found[0].evaluation == Evaluation(0.1, 1.0, math.inf, 180)


def test_a_checkpoint_that_tells_no_training(write_refined: Write) -> None:
    checkpoint = {"file": "x", "sha256": "c" * 64, "kind": "search", "training": {}}
    cost = read_refined(write_refined("run", checkpoint=checkpoint)).cost
    assert (cost.training_seconds, cost.training_images) == (None, None) and cost.seconds == 6.0


def refusal(folder: Path) -> str:
    with pytest.raises(RunError) as caught:
        read_refined(folder)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_unknown_choices_are_all_named(write_refined: Write) -> None:
    wrong = ((("E1K3", "E9K9", "E1K3"), 0.5, 1.0), (("E1K3", "E1K3"), 0.5, 1.0))
    message = refusal(write_refined("run", members=wrong))
    assert "member 1" in message and "'E9K9'" in message and "member 2" in message


def test_a_front_of_another_space(write_refined: Write) -> None:
    message = refusal(write_refined("run", front={"space_sha256": "0" * 64}))
    assert "front.json is of another space (sha256 000000000000...) than run.json (tiny" in message


def test_a_broken_space(write_refined: Write) -> None:
    assert "run.json: " in refusal(write_refined("run", space={"format": "dnas-space/1"}))


@pytest.mark.parametrize("name", ["run.json", "front.json", "hypervolume.csv"])
def test_missing_and_cut_files(write_refined: Write, name: str) -> None:
    folder = write_refined("run")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 4])
    assert name in refusal(folder)
    (folder / name).unlink()
    assert f"{name} is missing" in refusal(folder)


def test_wrong_keys_of_the_run_come_together(write_refined: Write) -> None:
    message = refusal(write_refined("run", format="dnas-refine/9", seed="one", quality="top5"))
    assert all(part in message for part in ("$.format", "$.seed", "$.quality"))
