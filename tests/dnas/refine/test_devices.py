"""Refinements for several devices at once: what they optimise, write, keep, refuse, and continue."""

from __future__ import annotations

import csv
import itertools
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from dnas.compare.command import main as compare
from dnas.costs import count
from dnas.device_tables import DeviceError
from dnas.refine import run as run_module
from dnas.refine.command import main
from dnas.refine.course import Course
from dnas.refine.devices import DevicesProblem
from dnas.refine.display import print_outcome
from dnas.refine.problem import Problem, normalised_hypervolume
from dnas.refine.run import STATE
from dnas.refine.seeds import read_seeds
from dnas.refine.settings import Settings
from dnas.runs.evaluator import Evaluation
from dnas.search.evolution.nsga2 import NSGA2
from dnas.search.evolution.pareto import non_dominated
from dnas.search.knapsack import Infeasible
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import LatencyTable, load_table
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel

refine = partial(run_module.refine, load_table=load_table)
MakeSettings = Callable[..., Settings]
DEVICES = ("mace", "snpe", "dense")
FILES = ("front.json", "front.csv", "hypervolume.csv")
RESULTS = (*FILES, "evaluated.csv", STATE, *(f"devices/{each}/{name}" for each in DEVICES for name in FILES))


def contents(folder: Path, names: tuple[str, ...] = RESULTS) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def numbers(path: Path, *columns: str) -> np.ndarray:
    return np.array([[float(row[name]) for name in columns] for row in rows(path)])


@pytest.fixture(scope="session")
def files(
    tiny_table_file: Path, tiny_space: SearchSpace, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Tables of three devices; the last one orders networks differently."""
    folder = tmp_path_factory.mktemp("devices")
    model = CalibratedModel.load("adreno630_mace")
    dense = replace(
        model,
        name="dense",
        kernel_us=0.5,
        dense_ms_per_gmadd=40 * model.dense_ms_per_gmadd,
        depthwise_ms_per_gmadd=0.01,
    )
    snpe = build_calibrated(CalibratedModel.load("adreno630_snpe"), tiny_space, folder / "snpe.csv")
    return {
        "mace": tiny_table_file,
        "snpe": snpe,
        "dense": build_calibrated(dense, tiny_space, folder / "dense.csv"),
    }


@pytest.fixture(scope="session")
def given(files: dict[str, Path]) -> list[str]:
    return [f"{device}={file}" for device, file in files.items()]


@pytest.fixture(scope="session")
def tables(files: dict[str, Path], tiny_space: SearchSpace) -> dict[str, LatencyTable]:
    return {device: load_table(file, tiny_space) for device, file in files.items()}


@pytest.fixture(scope="session")
def settings(make_settings: MakeSettings, given: list[str]) -> MakeSettings:
    return partial(make_settings, table=given)


@pytest.fixture(scope="module")
def finished(settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an undisturbed refinement. Do not write to it."""
    folder = tmp_path_factory.mktemp("refined")
    refine(settings(folder))
    return folder


@pytest.fixture
def everything(tiny_space: SearchSpace) -> np.ndarray:
    return np.array(list(itertools.product(*map(range, tiny_space.num_choices))))


def test_one_table_is_as_ever(
    make_settings: MakeSettings, files: dict[str, Path], finished: Path, tmp_path: Path
) -> None:
    table = str(files["mace"])
    names = (*FILES, "evaluated.csv", STATE)
    for name, one in (("plain", table), ("list", [table]), ("named", [f"phone={table}"])):
        limit = {"plain": 1.5, "list": [1.5], "named": ["phone=1.5"]}[name]
        refine(make_settings(tmp_path / name, table=one, latency_below=limit, cache=finished))
    assert contents(tmp_path / "list", names) == contents(tmp_path / "plain", names)
    assert contents(tmp_path / "named", names) == contents(tmp_path / "plain", names)
    runs = [
        {
            name: value
            for name, value in json.loads((tmp_path / folder / "run.json").read_text()).items()
            if name not in ("date", "cost", "checksum")
        }
        for folder in ("plain", "list", "named")
    ]
    assert runs[0] == runs[1] == runs[2]
    assert list(runs[0])[:2] == ["format", "space"] and runs[0]["table"]["name"] and "tables" not in runs[0]
    assert runs[0]["bounds"] == {"latency_below_ms": 1.5, "params_above": None}
    state = json.loads((tmp_path / "plain" / STATE).read_text())
    # The keys that states have had since before there were several devices.
    assert list(state["identity"]) == [
        *("algorithm", "population", "seed", "latency_below", "params_above", "target_ms", "weights"),
        *("checkpoint", "table", "evaluator", "quality", "seeds"),
    ]
    assert {len(step) for step in state["course"]["steps"]} == {3}
    assert not (tmp_path / "plain" / "devices").exists()
    header = (tmp_path / "plain" / "evaluated.csv").read_text().splitlines()[0]
    assert header == (
        "generation,top1,top5,loss,latency_ms,latency_low_ms,latency_high_ms,params,madds,rank,crowding,"
        "architecture"
    )
    header = (tmp_path / "plain" / "hypervolume.csv").read_text().splitlines()[0]
    assert header == "generation,evaluations,hypervolume"


def test_objectives_weights_and_views(
    tables: dict[str, LatencyTable], tiny_space: SearchSpace, everything: np.ndarray
) -> None:
    problem = DevicesProblem(tables, count(tiny_space), 10, "loss")
    assert problem.maximize == (False, False, False, False, True)
    values = problem.values(everything[:2], [Evaluation(0.5, 0.9, 1.5, 10), None])
    assert values[0, 0] == 1.5 and math.isnan(values[1, 0])
    for column, table in enumerate(tables.values(), start=1):
        assert values[:, column].tolist() == table.latency_ms(everything[:2]).tolist()
    assert values[:, 4].tolist() == problem.costs.params_of(everything[:2]).tolist()
    weights = problem.weights((2.0, 2.0, 1.0))
    assert weights == [2.0, *[2 / 3] * 3, 1.0] and problem.weights(None) is None
    assert problem.views == [[0, 1, 4], [0, 2, 4], [0, 3, 4]]
    for view, (device, one) in zip(problem.views, problem.devices.items(), strict=True):
        alone = Problem(tables[device], problem.costs, 10, "loss")
        assert one.box() == alone.box()
        evaluations = [None] * len(everything)
        np.testing.assert_array_equal(
            problem.values(everything, evaluations)[:, view], alone.values(everything, evaluations)
        )


def test_limits_of_all_devices_count_together(
    tables: dict[str, LatencyTable], tiny_space: SearchSpace, everything: np.ndarray
) -> None:
    limits = {device: float(np.median(tables[device].latency_ms(everything))) for device in ("dense", "mace")}
    costs = count(tiny_space)
    params_above = float(np.quantile(costs.params_of(everything), 0.2))
    problem = DevicesProblem(tables, costs, 10, latency_below=limits, params_above=params_above)
    wanted = np.maximum(0, 1 - costs.params_of(everything) / params_above)
    for device, limit in limits.items():
        wanted += np.maximum(0, tables[device].latency_ms(everything) / limit - 1)
    found = problem.violations(everything)
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    assert (found > 0).any() and (found == 0).any()
    feasible = problem.feasible()
    assert feasible is not None and problem.violations(feasible[None]).tolist() == [0.0]


def test_fronts_are_those_of_everything_evaluated(
    finished: Path, tables: dict[str, LatencyTable], tiny_space: SearchSpace
) -> None:
    evaluated = rows(finished / "evaluated.csv")
    latencies = [f"latency_ms_{device}" for device in DEVICES]
    values = numbers(finished / "evaluated.csv", "loss", *latencies, "params")
    assert len(evaluated) == 24
    for column, device in enumerate(DEVICES):
        architectures = [Architecture.parse(row["architecture"], tiny_space) for row in evaluated]
        assert values[:, 1 + column].tolist() == tables[device].latency_ms(architectures).tolist()
        low, high = tables[device].latency_interval(architectures)
        interval = (f"latency_low_ms_{device}", f"latency_high_ms_{device}")
        np.testing.assert_array_equal(
            numbers(finished / "evaluated.csv", *interval), np.column_stack([low, high])
        )
        best = non_dominated(values[:, [0, 1 + column, 4]], (False, False, True))
        wanted = {row["architecture"] for row, on_front in zip(evaluated, best, strict=True) if on_front}
        folder = finished / "devices" / device
        front = json.loads((folder / "front.json").read_text())
        assert {" ".join(member["choices"]) for member in front["members"]} == wanted
        assert {row["architecture"] for row in rows(folder / "front.csv")} == wanted
        assert all(isinstance(member["latency_ms"], float) for member in front["members"])
        assert {path.name for path in (folder / "figures").iterdir()} == {"front.png", "hypervolume.png"}
        names = sorted(path.name for path in (folder / "front").iterdir())
        assert names == [f"{index:03}.json" for index in range(len(wanted))]
    best = non_dominated(values, (False, False, False, False, True))
    joint = json.loads((finished / "front.json").read_text())
    assert len(joint["members"]) == best.sum() == len(rows(finished / "front.csv"))
    assert joint["members"][0]["latency_ms"].keys() == set(DEVICES)
    # Those that are best in something on the joint front have no neighbour.
    assert joint["members"][0]["crowding"] is None
    assert {path.name for path in (finished / "figures").iterdir()} == {"hypervolume.png"}


def test_hypervolume_is_the_mean_of_the_devices(finished: Path) -> None:
    course, run = rows(finished / "hypervolume.csv"), json.loads((finished / "run.json").read_text())
    assert list(course[0]) == [
        "generation",
        "evaluations",
        "hypervolume",
        *(f"hypervolume_{device}" for device in DEVICES),
    ]
    worths = []
    for device in DEVICES:
        values = numbers(finished / "evaluated.csv", "loss", f"latency_ms_{device}", "params")
        box = run["box"] | {"latency_ms": run["box"]["latency_ms"][device]}
        worths.append([normalised_hypervolume(values[: int(step["evaluations"])], box) for step in course])
        found = [float(step[f"hypervolume_{device}"]) for step in course]
        assert found == pytest.approx(worths[-1], rel=1e-12)
        own = rows(finished / "devices" / device / "hypervolume.csv")
        assert [row["hypervolume"] for row in own] == [row[f"hypervolume_{device}"] for row in course]
    mean = [float(step["hypervolume"]) for step in course]
    assert mean == pytest.approx(np.mean(worths, axis=0).tolist(), rel=1e-12)


def test_run_names_the_tables(finished: Path, tables: dict[str, LatencyTable]) -> None:
    run = json.loads((finished / "run.json").read_text())
    assert list(run["tables"]) == list(DEVICES) and "table" not in run
    assert run["weights"] == [2.0, 2.0, 1.0]
    for device, table in tables.items():
        assert run["tables"][device]["sha256"] == table.sha256
        own = json.loads((finished / "devices" / device / "run.json").read_text())
        assert own["device"] == device and own["table"] == run["tables"][device] and own["finished"]


def test_other_commands_read_the_folder_of_a_device(
    finished: Path, tiny_space: SearchSpace, given: list[str], tmp_path: Path
) -> None:
    one = finished / "devices" / "dense"
    seeds = read_seeds([str(one / "front.json")], tiny_space, 3, 0)
    assert len(seeds.genomes) == len(rows(one / "front.csv"))
    assert len(read_seeds([str(finished / "front.json")], tiny_space, 3, 0).genomes) > 0
    table = given[-1].removeprefix("dense=")
    options = ["--table", table, "--no-zoo", "--no-figures"]
    compare(["--run", f"one={one}", *options, "--output", str(tmp_path / "one")])
    with pytest.raises(SystemExit, match=r"is a refinement for several devices at once: give the folder of"):
        compare(["--run", f"all={finished}", *options, "--output", str(tmp_path / "all")])


class Enough(Exception):
    pass


@pytest.mark.parametrize(
    "options",
    [
        {"predictor": "auto"},
        {"latency_below": ["dense=0.17", "mace=1.6"]},
        *(
            pytest.param(options, marks=pytest.mark.slow)
            for options in (
                {},
                {"algorithm": "nsga2-two-objectives", "predictor": "ridge"},
                {"algorithm": "nsga2-equal-weights"},
                {"algorithm": "nsga2-random-mutation"},
                {"algorithm": "random"},
                {"algorithm": "regularised-evolution"},
                {"latency_below": [1.9]},
                {"population": 1, "generations": 5},
            )
        ),
    ],
    ids=str,
)
def test_what_was_stopped_within_a_generation_ends_bit_for_bit(
    options: dict[str, Any], settings: MakeSettings, finished: Path, tmp_path: Path
) -> None:
    def stop_later(course: Course, task: Any, done: int, of: int) -> None:
        if course.generations == 3 and done == min(1, of):
            raise Enough

    cache = {"cache": finished.parent / "devices_cache"}
    whole = refine(settings(tmp_path / "whole", **options | cache))
    with pytest.raises(Enough):
        refine(settings(tmp_path / "stopped", **options), stop_later)
    run = json.loads((tmp_path / "stopped" / "devices" / "mace" / "run.json").read_text())
    assert not run["finished"]
    refine(settings(tmp_path / "stopped", **options))
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")
    if (limits := options.get("latency_below")) is not None:
        evaluated = rows(tmp_path / "whole" / "evaluated.csv")
        wanted = {"dense": 0.17, "mace": 1.6} if len(limits) == 2 else dict.fromkeys(DEVICES, 1.9)
        assert evaluated and whole.task.problem.latency_below == wanted
        for device, limit in wanted.items():
            assert all(float(row[f"latency_ms_{device}"]) <= limit for row in evaluated)


def test_a_predictor_sees_every_device(settings: MakeSettings, finished: Path, tmp_path: Path) -> None:
    outcome = refine(settings(tmp_path, predictor="ridge", cache=finished))
    algorithm = outcome.task.plan.algorithm
    assert isinstance(algorithm, NSGA2) and len(algorithm.maximize) == 5
    state = algorithm.state_dict()["settings"]
    assert state["predictor"]["views"] == [[0, 1, 4], [0, 2, 4], [0, 3, 4]]
    assert sum(report.chosen for report in outcome.course.reports.values()) > 0


def test_a_rival_is_no_slower_on_any_device(
    settings: MakeSettings, finished: Path, everything: np.ndarray, tmp_path: Path
) -> None:
    outcome = refine(settings(tmp_path, cache=finished))
    course, problem = outcome.course, outcome.task.problem
    compared = 0
    for genome in everything.tolist():
        rivals = course.rivals_of(tuple(genome))
        free = problem.values(np.array([genome]), [None])[0, 1:]
        others = problem.values(rivals, [None] * len(rivals))[:, 1:]
        assert (others[:, :3] <= free[:3]).all() and (others[:, 3] >= free[3]).all()
        compared += len(rivals)
    assert compared > len(course.front())


def test_devices_of_the_same_latencies_have_the_same_fronts(
    make_settings: MakeSettings, files: dict[str, Path], finished: Path, tmp_path: Path
) -> None:
    def twins(name: str, space: SearchSpace) -> LatencyTable:
        table = load_table(name.removesuffix(".twin"), space)
        return replace(table, sha256="0" * 64) if name.endswith(".twin") else table

    table = [f"one={files['mace']}", f"two={files['mace']}.twin"]
    run_module.refine(make_settings(tmp_path / "two", table=table, cache=finished), load_table=twins)
    refine(make_settings(tmp_path / "one", table=str(files["mace"]), cache=finished, generations=1))
    one, two = (tmp_path / "two" / "devices" / device for device in ("one", "two"))
    assert contents(one, FILES) == contents(two, FILES)
    joint = {row["architecture"] for row in rows(tmp_path / "two" / "front.csv")}
    assert joint == {row["architecture"] for row in rows(one / "front.csv")}
    first, alone = (rows(tmp_path / name / "hypervolume.csv")[0] for name in ("two", "one"))
    assert first["hypervolume_one"] == alone["hypervolume"]


def test_the_end_has_a_line_for_every_device(settings: MakeSettings, finished: Path, tmp_path: Path) -> None:
    console = Console(file=StringIO(), width=200)
    print_outcome(console, refine(settings(tmp_path, cache=finished)))
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert "of the box in run.json, the mean of 3 devices." in told
    worth = rows(finished / "hypervolume.csv")[-1]
    for device in DEVICES:
        number = len(rows(finished / "devices" / device / "front.csv"))
        start = f"{device}: front of {number}, hypervolume {float(worth[f'hypervolume_{device}']):.4f}, in "
        assert f"{start}{tmp_path / 'devices' / device}; " in told
        assert f"{device} ms" in told


def test_other_tables_or_another_order_are_another_refinement(
    settings: MakeSettings, given: list[str], finished: Path, tmp_path: Path
) -> None:
    refine(settings(tmp_path, generations=1, cache=finished))
    same = {"generations": 1, "cache": finished}
    for changed in (given[::-1], given[:2], [*given[:2], given[2].replace("dense=", "other=")]):
        with pytest.raises(FileExistsError, match=r"another refinement: tables \['mace=.*--output"):
            refine(settings(tmp_path, table=changed, **same))
    with pytest.raises(FileExistsError, match=r"table None there, '.*'|tables \['mace=.* there, None here"):
        refine(settings(tmp_path, table=given[0], **same))
    with pytest.raises(FileExistsError, match=r"latency_below None there, \{'dense': 3.0\} here"):
        refine(settings(tmp_path, latency_below=["dense=3"], **same))


@pytest.mark.parametrize(
    ("steps", "said"), [([[0, 6, 0.5]], "not one hypervolume for each of 3"), ([[0, 6, 0.5, 1]], "each of 3")]
)
def test_a_state_without_the_devices_is_damaged(
    steps: list[Any], said: str, settings: MakeSettings, finished: Path, tmp_path: Path
) -> None:
    refine(settings(tmp_path, generations=1, cache=finished))
    state = json.loads((tmp_path / STATE).read_text())
    state.pop("checksum", None)
    state["course"]["steps"] = steps
    (tmp_path / STATE).write_text(json.dumps(state))
    with pytest.raises(ValueError, match=rf"state.json is damaged .*{said}"):
        refine(settings(tmp_path, generations=1, cache=finished))


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"table": ["a={mace}", "a={snpe}"]}, DeviceError, "two tables of the device a"),
        ({"table": ["a={mace}", "b={mace}"]}, DeviceError, "a and b have the same table"),
        ({"table": ["..={mace}", "b={snpe}"]}, DeviceError, r"expected TABLE or DEVICE=TABLE"),
        ({"table": ["a/b={mace}", "b={snpe}"]}, DeviceError, r"expected TABLE or DEVICE=TABLE"),
        ({"table": ["a={mace}", "b=nosuch"]}, DeviceError, r"--table b=nosuch: .*nosuch"),
        ({"table": ["a={mace}", "b={cut}"]}, DeviceError, r"--table b=.*cut.csv: "),
        (
            {"latency_below": ["pixel=7"]},
            DeviceError,
            "there is no device 'pixel', the tables are of mace, snpe",
        ),
        ({"latency_below": ["mace=7", "mace=8"]}, DeviceError, "two limits of mace"),
        ({"latency_below": [7.0, 8.0]}, DeviceError, "two limits of all devices"),
        ({"latency_below": ["mace=x"]}, DeviceError, "mace=x is no number of milliseconds above 0"),
        ({"latency_below": [-1.0]}, ValueError, "--latency-below must be a number above 0, got -1.0"),
        ({"latency_below": ["dense=0.001", 9.0]}, Infeasible, "latency on dense at most 0.001 ms"),
        (
            {"algorithm": "mnasnet", "target_ms": 1.0},
            ValueError,
            "--algorithm mnasnet aims at one latency: give it one --table, not 3",
        ),
        (
            {"algorithm": "netadapt", "seed_from": ["x.json"]},
            ValueError,
            "--algorithm netadapt aims at one latency: give it one --table, not 3",
        ),
    ],
    ids=str,
)
def test_mistakes_are_named(
    changes: dict[str, Any],
    error: type[Exception],
    said: str,
    settings: MakeSettings,
    files: dict[str, Path],
    tmp_path: Path,
) -> None:
    lines = files["snpe"].read_text().splitlines(keepends=True)
    (tmp_path / "cut.csv").write_text("".join(lines[:-1]))
    if "table" in changes:
        known = files | {"cut": tmp_path / "cut.csv"}
        changes = changes | {"table": [text.format(**known) for text in changes["table"]]}
    with pytest.raises(error, match=said):
        refine(settings(tmp_path / "out", **changes))
    assert not list(tmp_path.glob("out/*.json"))


def test_limits_that_exclude_each_other_across_devices(
    tables: dict[str, LatencyTable], tiny_space: SearchSpace, everything: np.ndarray
) -> None:
    mace = tables["mace"]
    ms = np.where(tiny_space.valid, mace.ms.max() + mace.ms.min() - mace.ms, 0.0)
    both = {"mace": mace, "back": replace(mace, ms=ms, sha256="0" * 64)}
    limits = {device: float(table.latency_ms(everything).min()) for device, table in both.items()}
    for device, limit in limits.items():
        assert DevicesProblem(both, count(tiny_space), 10, latency_below={device: limit}).bounds
    with pytest.raises(Infeasible, match=r"(?s)latency on mace.*latency on back.*attainable"):
        DevicesProblem(both, count(tiny_space), 10, latency_below=limits)


def test_the_command(
    one_shot_checkpoint: Path,
    given: list[str],
    finished: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["--checkpoint", str(one_shot_checkpoint), "--population=6", "--generations=4"]
    options += ["--recalibration-batches=1", "--table", *given, "--output", str(tmp_path / "out")]
    main([*options, "--cache", str(finished)])
    assert contents(tmp_path / "out") == contents(finished)
    assert "mace: front of " in capsys.readouterr().out
    main([*options[:-1], str(tmp_path / "limited"), "--latency-below", "1.6", "dense=0.17"])
    run = json.loads((tmp_path / "limited" / "run.json").read_text())
    assert run["bounds"]["latency_below_ms"] == {"mace": 1.6, "snpe": 1.6, "dense": 0.17}
    with pytest.raises(SystemExit):
        main([*options, "--latency-below", "fast"])
    assert "expected MS or DEVICE=MS, such as 9.5 or pixel4=9.5, got fast" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_find_the_same_as_one(
    one_shot_checkpoint: Path, given: list[str], finished: Path, tmp_path: Path
) -> None:
    options = ["--checkpoint", str(one_shot_checkpoint), "--population=6", "--generations=4"]
    options += ["--recalibration-batches=1", "--table", *given, "--output", str(tmp_path)]
    leaks = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    environment = {name: value for name, value in os.environ.items() if name not in leaks}
    environment |= {"PYTHONPATH": str(Path(__file__).resolve().parents[3]), "OMP_NUM_THREADS": "1"}
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    done = subprocess.run(
        [sys.executable, *torchrun, "-m", "dnas.refine", *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path) == contents(finished)
