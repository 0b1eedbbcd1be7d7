"""Whole refinements: what they write, how they continue, what they refuse."""

from __future__ import annotations

import csv
import json
import math
import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Callable
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from dnas.costs import count
from dnas.refine import run as run_module
from dnas.refine.display import print_outcome
from dnas.refine.problem import normalised_hypervolume
from dnas.refine.run import STATE
from dnas.refine.settings import ALGORITHM_NAMES, Settings
from dnas.runs.checkpoint_file import read_supernet
from dnas.runs.evaluator import OneShotEvaluator
from dnas.search.evolution.pareto import non_dominated
from dnas.search.knapsack import Infeasible
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from dnas.support.sealed_json import unseal
from latency import LatencyTable, load_table

refine = partial(run_module.refine, load_table=load_table)
MakeSettings = Callable[..., Settings]
RESULTS = ("front.json", "front.csv", "evaluated.csv", "hypervolume.csv", STATE)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RESULTS}


def evaluated_lines(folder: Path) -> list[tuple[int, ...]]:
    lines = [
        line for path in folder.glob("evaluations-*.jsonl") for line in path.read_text().splitlines() if line
    ]
    return [tuple(json.loads(line)["genome"]) for line in lines]


@pytest.fixture(scope="module")
def finished(make_settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an undisturbed refinement. Do not write to it."""
    folder = tmp_path_factory.mktemp("refined")
    refine(make_settings(folder))
    return folder


@pytest.fixture(scope="module")
def tiny_table(tiny_table_file: Path, tiny_space: SearchSpace) -> LatencyTable:
    return load_table(tiny_table_file, tiny_space)


def test_numbers_are_those_of_the_table_the_counts_and_the_evaluator(
    finished: Path, one_shot_checkpoint: Path, tiny_space: SearchSpace, tiny_table: LatencyTable
) -> None:
    checkpoint = read_supernet(one_shot_checkpoint)
    evaluate = OneShotEvaluator(checkpoint.build_supernet(), checkpoint.data, 1)
    costs = count(tiny_space)
    rows = read_csv(finished / "evaluated.csv")
    assert len(rows) == 24 == len({row["architecture"] for row in rows})
    for row in rows[::5]:
        architecture = Architecture.parse(row["architecture"], tiny_space)
        evaluation = evaluate(architecture)
        assert float(row["loss"]) == evaluation.loss and float(row["top1"]) == evaluation.top1
        assert float(row["latency_ms"]) == tiny_table.latency_ms(architecture)
        low, high = tiny_table.latency_interval(architecture)
        assert (float(row["latency_low_ms"]), float(row["latency_high_ms"])) == (low, high)
        assert int(row["params"]) == costs.params_of(architecture)
        assert int(row["madds"]) == costs.madds_of(architecture)


def test_the_front_is_that_of_everything_evaluated(finished: Path, tiny_space: SearchSpace) -> None:
    rows = read_csv(finished / "evaluated.csv")
    values = np.array([[float(row[name]) for name in ("loss", "latency_ms", "params")] for row in rows])
    best = non_dominated(values, (False, False, True))
    front = json.loads((finished / "front.json").read_text())
    wanted = {row["architecture"] for row, on_front in zip(rows, best, strict=True) if on_front}
    assert {" ".join(member["choices"]) for member in front["members"]} == wanted
    assert {row["architecture"] for row in rows if row["rank"] == "0"} == wanted
    losses = [member["loss"] for member in front["members"]]
    assert losses == sorted(losses) and front["quality"] == "loss"
    assert front["members"][0]["crowding"] is None  # an end of the front, infinitely far from the next
    for index, member in enumerate(front["members"]):
        saved = Architecture.load(finished / "front" / f"{index:03}.json")
        assert list(saved.names) == member["choices"] and saved.space == tiny_space


def test_hypervolume_is_that_of_the_evaluations_so_far(finished: Path) -> None:
    rows, course = read_csv(finished / "evaluated.csv"), read_csv(finished / "hypervolume.csv")
    box = json.loads((finished / "run.json").read_text())["box"]
    assert box["quality"] == [math.log(10), 0.0]
    assert [int(step["evaluations"]) for step in course] == [6, 12, 18, 24]
    values = np.array([[float(row[name]) for name in ("loss", "latency_ms", "params")] for row in rows])
    for step in course:
        worth = normalised_hypervolume(values[: int(step["evaluations"])], box)
        assert float(step["hypervolume"]) == pytest.approx(worth, rel=1e-12)
    worths = [float(step["hypervolume"]) for step in course]
    assert worths == sorted(worths) and worths[0] > 0 and worths[-1] < 1


def test_run_tells_what_was_done(finished: Path, one_shot_checkpoint: Path) -> None:
    run = json.loads((finished / "run.json").read_text())
    assert run["finished"] and run["algorithm"] == "nsga2" and run["weights"] == [2.0, 2.0, 1.0]
    assert run["checkpoint"]["sha256"] == read_supernet(one_shot_checkpoint).sha256
    assert run["checkpoint"]["training"]["images"] == 2 * 20 * 32
    images = sum(run["evaluator"][f"{name}_images"] for name in ("recalibration", "validation"))
    assert run["cost"]["evaluations"] == 24 and run["cost"]["images"] == 24 * images
    assert {path.name for path in (finished / "figures").iterdir()} == {"front.png", "hypervolume.png"}


def test_the_same_seed_gives_the_same_and_another_another(
    finished: Path, make_settings: MakeSettings, tmp_path: Path
) -> None:
    # The cache spares the evaluations, not the search.
    refine(make_settings(tmp_path / "same", cache=finished))
    assert contents(tmp_path / "same") == contents(finished)
    refine(make_settings(tmp_path / "other", cache=finished, seed=1))
    assert contents(tmp_path / "other")["evaluated.csv"] != contents(finished)["evaluated.csv"]


def test_a_finished_run_given_again_changes_nothing(
    finished: Path, make_settings: MakeSettings, tmp_path: Path
) -> None:
    refine(make_settings(tmp_path, cache=finished))
    before = contents(tmp_path)
    outcome = refine(make_settings(tmp_path, cache=finished))
    assert contents(tmp_path) == before and outcome.continued_from == 4


def test_a_longer_run_goes_on_from_a_shorter_one(
    finished: Path, make_settings: MakeSettings, tmp_path: Path
) -> None:
    refine(make_settings(tmp_path, generations=2, cache=finished))
    assert contents(tmp_path) != contents(finished)
    refine(make_settings(tmp_path, cache=finished))
    assert contents(tmp_path) == contents(finished)


@pytest.mark.parametrize(
    ("algorithm", "predictor"),
    [*((name, "none") for name in ALGORITHM_NAMES), ("nsga2", "auto"), ("nsga2-two-objectives", "ridge")],
)
def test_every_algorithm_resumes_bit_for_bit(
    algorithm: str,
    predictor: str,
    make_settings: MakeSettings,
    tiny_table: LatencyTable,
    finished: Path,
    tmp_path: Path,
) -> None:
    options: dict[str, Any] = {
        "algorithm": algorithm,
        "predictor": predictor,
        "cache": finished.parent / "cache",
    }
    if algorithm in ("mnasnet", "netadapt"):
        options["target_ms"] = 0.9
    if algorithm == "netadapt":
        slowest = load_table(
            make_settings(tmp_path).table or "", read_supernet(make_settings(tmp_path).checkpoint).space
        )
        options["seed_from"] = (str(slowest.dearest().save(tmp_path / "slowest.json")),)

    class Enough(Exception):
        pass

    asked = 0

    def stop_later(course: Any, task: Any, done: int, of: int) -> None:
        nonlocal asked
        asked += 1
        if course.generations == 2:
            raise Enough

    whole = refine(make_settings(tmp_path / "whole", **options))
    assert len(whole.course.found) == len(set(whole.course.found)) <= 24
    if algorithm != "netadapt":
        assert len(whole.course.found) == 24
    weighted = algorithm.startswith("nsga2") and algorithm != "nsga2-equal-weights"
    run = json.loads((tmp_path / "whole" / "run.json").read_text())
    assert run["weights"] == ([2.0, 2.0, 1.0] if weighted else None)
    with pytest.raises(Enough):
        refine(make_settings(tmp_path / "stopped", **options), stop_later)
    assert not json.loads((tmp_path / "stopped" / "run.json").read_text())["finished"]
    refine(make_settings(tmp_path / "stopped", **options))
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")
    reports = [tmp_path / name / "predictor.csv" for name in ("stopped", "whole")]
    assert [path.exists() for path in reports] == [predictor != "none"] * 2
    if predictor != "none":
        assert reports[0].read_bytes() == reports[1].read_bytes()


def test_a_predictor_is_part_of_what_a_refinement_is(
    make_settings: MakeSettings, finished: Path, tmp_path: Path
) -> None:
    settings = make_settings(tmp_path, predictor="ridge", generations=5, cache=finished)
    refine(settings)
    rows = read_csv(tmp_path / "predictor.csv")
    # The first two generations have too few evaluations to learn from.
    assert [row["generation"] for row in rows] == ["2", "3", "4"]
    assert all(row["predictor"] == "ridge" and row["children"] == "6" for row in rows)
    assert all(-1 <= float(row["correlation"]) <= 1 and int(row["chosen"]) <= 6 for row in rows)
    assert json.loads((tmp_path / "run.json").read_text())["predictor"] == "ridge"
    for changed, there in (("trees", "'ridge' there, 'trees' here"), ("none", "'ridge' there, None here")):
        with pytest.raises(FileExistsError, match=f"another refinement: predictor {there}"):
            refine(make_settings(tmp_path, predictor=changed, generations=5, cache=finished))


def _refine_until(settings: Settings, events: int, told: Path) -> None:
    """In a process of its own: kill -9 itself at an event of the interpreter; tell how many there were."""
    counted = 0

    def count_down(frame: Any, event: str, argument: Any) -> None:
        nonlocal counted
        counted += 1
        if counted == events:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count_down)
    refine(settings)
    sys.setprofile(None)
    told.write_text(str(counted))


@pytest.mark.slow
def test_killed_at_random_moments_it_loses_nothing(
    finished: Path, make_settings: MakeSettings, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dnas.refine.run", "lightning_modules.data"])
    told, settings, dice = tmp_path / "events", make_settings(tmp_path / "run"), random.Random(0)

    def run(events: int) -> int:
        process = context.Process(target=_refine_until, args=(settings, events, told))
        process.start()
        process.join(120)
        assert process.exitcode in (0, -signal.SIGKILL)
        return process.exitcode or 0

    run(0)
    whole, kills = int(told.read_text()), 0
    settings = make_settings(tmp_path / "killed")
    while run(dice.randrange(whole // 2)):
        kills += 1
        assert kills < 100
    assert kills > 3
    # evaluated.csv and the state, too, are those of a run that nobody disturbed.
    assert contents(tmp_path / "killed") == contents(tmp_path / "run") == contents(finished)
    lines = evaluated_lines(tmp_path / "killed")
    assert len(lines) == len(set(lines)) == 24


def test_bounds_are_kept(
    make_settings: MakeSettings, tiny_table: LatencyTable, finished: Path, tmp_path: Path
) -> None:
    table = load_table(
        make_settings(tmp_path).table or "", read_supernet(make_settings(tmp_path).checkpoint).space
    )
    bound = (table.latency_ms(table.cheapest()) + table.latency_ms(table.dearest())) / 2
    outcome = refine(make_settings(tmp_path, latency_below=bound, cache=finished.parent / "cache"))
    assert outcome.rows and len(outcome.course.found) <= 24
    assert all(row["latency_ms"] <= bound for row in outcome.rows)
    assert all(float(row["latency_ms"]) <= bound for row in read_csv(tmp_path / "evaluated.csv"))


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        ({"latency_below": 0.001}, r"latency at most 0.001 ms.*attainable|attainable.*ms"),
        ({"params_above": 1e12}, "parameters"),
    ],
)
def test_bounds_that_nothing_keeps(
    bounds: dict[str, float], told: str, make_settings: MakeSettings, tmp_path: Path
) -> None:
    with pytest.raises(Infeasible, match=told):
        refine(make_settings(tmp_path, **bounds))


def test_another_refinement_in_the_folder_is_refused(
    finished: Path, make_settings: MakeSettings, tmp_path: Path
) -> None:
    refine(make_settings(tmp_path, generations=1, cache=finished))
    with pytest.raises(FileExistsError, match=r"population 6 there, 5 here; seed 0 there, 7 here.*--output"):
        refine(make_settings(tmp_path, population=5, seed=7, cache=finished))
    state = (tmp_path / STATE).read_text()
    (tmp_path / STATE).write_text(state.replace('"population": 6', '"population": 7', 1))
    with pytest.raises(ValueError, match=r"state.json is damaged .*checksum.* evaluations are kept"):
        refine(make_settings(tmp_path, population=7, cache=finished))
    (tmp_path / STATE).write_text('{"format": "dnas-refine-st')
    with pytest.raises(ValueError, match=r"state.json is damaged .* evaluations are kept"):
        refine(make_settings(tmp_path, cache=finished))


@pytest.mark.parametrize("part", ["course", "algorithm"])
def test_a_state_that_lacks_something_is_called_damaged(
    finished: Path, make_settings: MakeSettings, tmp_path: Path, part: str
) -> None:
    refine(make_settings(tmp_path, generations=1, cache=finished))
    state = unseal(json.loads((tmp_path / STATE).read_text()))
    for name in ("found", "population"):
        state[part].pop(name, None)
    (tmp_path / STATE).write_text(json.dumps(state))
    with pytest.raises(
        ValueError, match=r"state.json is damaged \((KeyError|DamagedState).* evaluations are kept"
    ):
        refine(make_settings(tmp_path, cache=finished))


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("course", "generations", "x"),
        ("course", "generations", -5),
        ("course", "found", [[[9, 9, 9], 0]]),
        ("course", "found", [["a", 0]]),
        ("course", "found", [[[0, 0, 0], None]]),
        ("course", "steps", [[1]]),
        ("algorithm", "settings", None),
        ("algorithm", "population", {}),
        ("identity", None, None),
        ("identity", None, [1]),
        ("algorithm", None, None),
    ],
)
def test_a_state_that_was_changed_is_called_damaged(
    finished: Path, make_settings: MakeSettings, tmp_path: Path, part: str, name: str | None, value: Any
) -> None:
    state = unseal(json.loads((finished / STATE).read_text()))
    state[part] = value if name is None else state[part] | {name: value}
    (tmp_path / STATE).write_text(json.dumps(state))
    with pytest.raises(ValueError, match=r"state.json is damaged .* evaluations are kept"):
        refine(make_settings(tmp_path, cache=finished))


def test_a_supernet_that_computes_nothing_but_nan_is_refused(
    one_shot_checkpoint: Path, make_settings: MakeSettings, tmp_path: Path
) -> None:
    content = torch.load(one_shot_checkpoint, weights_only=True)
    for name, weight in content["state_dict"].items():
        if name.endswith("conv.weight"):
            weight.fill_(1e38)
    torch.save(content, tmp_path / "large.ckpt")
    settings = make_settings(tmp_path / "out", checkpoint=tmp_path / "large.ckpt", generations=1)
    for _ in range(2):
        with pytest.raises(
            ValueError, match=r"of all 6 evaluated architectures is NaN: .*large.ckpt overflow"
        ):
            refine(settings)


def test_a_second_process_in_the_folder_is_refused(make_settings: MakeSettings, tmp_path: Path) -> None:
    def meet(*arguments: Any) -> None:
        refine(make_settings(tmp_path))

    with pytest.raises(FileExistsError, match="Another run is at work in"):
        refine(make_settings(tmp_path), meet)


def test_an_exhausted_space_ends_the_search(
    make_settings: MakeSettings, finished: Path, tmp_path: Path
) -> None:
    outcome = refine(make_settings(tmp_path, population=40, cache=finished.parent / "cache"))
    assert len(outcome.course.found) == 48 == len(set(outcome.course.found))


def test_a_search_checkpoint_is_refined_with_its_own_table(
    search_checkpoint: Path, make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(
        tmp_path, checkpoint=search_checkpoint, table=None, seed_from=[str(search_checkpoint)], generations=1
    )
    outcome = refine(settings)
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["checkpoint"]["kind"] == "search" and run["seeded_from"] == ["last.ckpt"]
    assert len(outcome.course.found) == 6


def test_a_one_shot_supernet_needs_a_table(make_settings: MakeSettings, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--table"):
        refine(make_settings(tmp_path, table=None))


@pytest.mark.parametrize("algorithm", ["nsga2", "random"])
def test_a_space_of_fewer_networks_is_exhausted_with_them(
    algorithm: str, skips_settings: MakeSettings, skips_space: SearchSpace, tmp_path: Path
) -> None:
    """81 architectures are 45 networks: more evaluations than that are allowed, and none is left to make."""
    options = {"draw_over": "networks"} if algorithm == "random" else {}
    outcome = refine(skips_settings(tmp_path, algorithm=algorithm, **options))
    assert outcome.task.budget == 54 and len(outcome.course.found) == 45
    lines = np.array(evaluated_lines(tmp_path))
    assert len(lines) == len(np.unique(skips_space.canonical(lines), axis=0)) == 45
    members = [Architecture(skips_space, row["architecture"].indices) for row in outcome.rows]
    assert len({each.canonical() for each in members}) == len(members)
    console = Console(file=StringIO(), width=200)
    print_outcome(console, outcome)
    assert "The space skips has 81 architectures, 45 distinct networks." in console.file.getvalue()
