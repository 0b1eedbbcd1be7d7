"""What a --run path may be, and what it may not."""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dnas.compare.files import RunError
from dnas.compare.model import Cost
from dnas.compare.reading import published, read_refined, read_source, read_sources
from dnas.compare.source import EvaluatorKey
from dnas.derive.command import main as derive
from dnas.runs.checkpoint_file import read
from dnas.runs.evaluator import Evaluation
from dnas.space import SearchSpace, zoo
from dnas.space.architecture import Architecture
from latency import LatencyTable

Write = Callable[..., Path]


def refusal(*runs: str) -> str:
    with pytest.raises(RunError) as caught:
        read_sources(runs)
    return str(caught.value)


def test_a_search_checkpoint(search_checkpoint: Path, tiny_space: SearchSpace) -> None:
    source = read_source(str(search_checkpoint))
    checkpoint = read(search_checkpoint)
    assert source.kind == "differentiable" and source.space == tiny_space and source.found == ()
    assert source.alpha is not None and torch.equal(source.alpha, checkpoint.alpha)
    assert (source.seed, source.sha256) == (checkpoint.seed, checkpoint.sha256)
    training = checkpoint.training
    assert source.cost == Cost(0, 0, 0, training.get("seconds"), training.get("images"))


@pytest.fixture(scope="module")
def derivation(search_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a real derivation: argmax and two samples. Do not write to it."""
    out = tmp_path_factory.mktemp("derived") / "out"
    options = ["--checkpoint", str(search_checkpoint), "--output", str(out), "--sample", "2"]
    derive([*options, "--no-accuracy"])
    return out


def test_a_derivation_with_all_its_candidates(derivation: Path, tmp_path: Path) -> None:
    source = read_source(str(derivation))
    assert source.kind == "differentiable" and source.seed == 0 and source.path == str(derivation)
    assert [(found.name, found.architecture) for found in source.found] == [
        (name, Architecture.load(derivation / f"{name}.json")) for name in ("argmax", "sample_1", "sample_2")
    ]
    shutil.copy(derivation / "architecture.json", tmp_path)
    assert [found.name for found in read_source(str(tmp_path)).found] == ["argmax"], (
        "the first without a list"
    )


def test_an_incomplete_derivation(derivation: Path, tmp_path: Path) -> None:
    out = shutil.copytree(derivation, tmp_path / "out")
    (out / "sample_1.json").unlink()
    assert "sample_1.json" in refusal(f"a={out}")
    Architecture(SearchSpace.load("moga"), (0,) * 14).save(out / "sample_1.json")
    assert "moga beside tiny: two spaces" in refusal(f"a={out}")


def test_an_architecture_file(tmp_path: Path, tiny_space: SearchSpace) -> None:
    path = Architecture(tiny_space, (1, 2, 3)).save(tmp_path / "mine.json")
    source = read_source(str(path))
    (found,) = source.found
    assert (source.kind, found.name, found.architecture.indices) == ("baseline", "mine", (1, 2, 3))
    assert source.cost == Cost() and source.seed is None
    path.write_text("{", encoding="utf-8")
    assert str(path) in refusal(f"a={path}")


def test_a_zoo_network_and_the_zoo() -> None:
    source = read_source("moga_a")
    (found,) = source.found
    assert (source.kind, found.name, found.architecture) == ("zoo", "moga_a", zoo.load("moga_a"))
    (everything,) = published(SearchSpace.load("moga"))
    assert [found.name for found in everything.found] == [
        name for name in zoo.names() if zoo.load(name).space.name == "moga"
    ]
    assert {"moga_a", "moga_b", "moga_c"} <= {found.name for found in everything.found}


def test_a_space_without_published_networks(tiny_space: SearchSpace) -> None:
    assert published(tiny_space) == ()


def test_one_name_is_one_method(write_refined: Write) -> None:
    first, second, other = write_refined("a0", seed=0), write_refined("a1", seed=1), write_refined("b")
    sources = read_sources([f"a={first}", f"b={other}", f"a={second}"])
    assert list(sources) == ["a", "b"]
    assert [run.seed for run in sources["a"]] == [0, 1]


def test_names_may_hold_anything_but_equals(write_refined: Write) -> None:
    folder = write_refined("with=equals")
    assert read_sources([f"<b>x y={folder}"])["<b>x y"][0].path == str(folder)


def test_all_that_is_wrong_in_one_message(write_refined: Write, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.ckpt").write_bytes(b"x")
    good = write_refined("good")
    message = refusal(f"a={tmp_path / 'empty'}", f"b={tmp_path / 'x.ckpt'}", "c=nowhere", f"d={good}")
    assert "empty holds neither run.json and front.json" in message
    assert "x.ckpt cannot be read as a checkpoint" in message
    assert "nowhere: no such file, folder or zoo network (shipped: efficientnet_b0" in message
    assert "good" not in message


@pytest.mark.parametrize("run", ["a", "=a", "a=", "="])
def test_a_run_without_name_or_path(run: str) -> None:
    assert refusal(run) == f"--run {run}: expected NAME=PATH, or the name of a zoo network"


def test_the_same_run_twice(write_refined: Write) -> None:
    folder = write_refined("a")
    again = folder.parent / "." / ".." / folder.parent.name / "a"
    assert refusal(f"a={folder}", f"a={again}") == f"{again} is given twice"


def test_different_spaces(write_refined: Write) -> None:
    folder = write_refined("a")
    message = refusal(f"a={folder}", "b=moga_a", "c=moga_b")
    assert "Only runs on one search space can be compared, these are on 2: tiny (" in message
    assert f"): {folder}; moga (" in message and message.endswith("): moga_a, moga_b.")


def test_different_kinds_under_one_name(write_refined: Write) -> None:
    first, second = write_refined("a"), write_refined("b", algorithm="random")
    message = refusal(f"x={first}", f"x={second}")
    assert "x: a NAME is one method" in message
    assert f"{first} (evolutionary), {second} (baseline)" in message


def test_everything_of_a_refinement(
    write_refined: Write, tiny_space: SearchSpace, tiny_table: LatencyTable
) -> None:
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
def test_kind_and_details_of_a_refinement(
    write_refined: Write, overrides: dict[str, Any], kind: str, details: str
) -> None:
    source = read_refined(write_refined("run", **overrides))
    assert (source.kind, source.details) == (kind, details)


def test_a_refinement_with_an_empty_front(write_refined: Write) -> None:
    assert read_refined(write_refined("run", members=())).found == ()


def test_a_network_that_diverged(write_refined: Write) -> None:
    """It may be on a front for its latency; a loss that JSON cannot hold is null."""
    source = read_refined(write_refined("run", members=[(("E1K3", "E1K3", "E1K3"), 0.1, None)]))
    assert source.found[0].evaluation == Evaluation(0.1, 1.0, math.inf, 180)


def test_a_checkpoint_that_tells_no_training(write_refined: Write) -> None:
    checkpoint = {"file": "x", "sha256": "c" * 64, "kind": "search", "training": {}}
    cost = read_refined(write_refined("run", checkpoint=checkpoint)).cost
    assert (cost.training_seconds, cost.training_images) == (None, None) and cost.seconds == 6.0


def refined_refusal(folder: Path) -> str:
    with pytest.raises(RunError) as caught:
        read_refined(folder)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_unknown_choices_are_all_named(write_refined: Write) -> None:
    wrong = ((("E1K3", "E9K9", "E1K3"), 0.5, 1.0), (("E1K3", "E1K3"), 0.5, 1.0))
    message = refined_refusal(write_refined("run", members=wrong))
    assert "member 1" in message and "'E9K9'" in message and "member 2" in message


def test_a_front_of_another_space(write_refined: Write) -> None:
    message = refined_refusal(write_refined("run", front={"space_sha256": "0" * 64}))
    assert "front.json is of another space (sha256 000000000000...) than run.json (tiny" in message


def test_a_broken_space(write_refined: Write) -> None:
    assert "run.json: " in refined_refusal(write_refined("run", space={"format": "dnas-space/1"}))


@pytest.mark.parametrize("name", ["run.json", "front.json", "hypervolume.csv"])
def test_missing_and_cut_files_of_a_refinement(write_refined: Write, name: str) -> None:
    folder = write_refined("run")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 4])
    assert name in refined_refusal(folder)
    (folder / name).unlink()
    assert f"{name} is missing" in refined_refusal(folder)


def test_wrong_keys_of_the_run_come_together(write_refined: Write) -> None:
    message = refined_refusal(write_refined("run", format="dnas-refine/9", seed="one", quality="top5"))
    assert all(part in message for part in ("$.format", "$.seed", "$.quality"))
