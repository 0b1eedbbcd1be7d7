"""The compare command on real runs of the tiny space: what it writes, evaluates, prints and refuses."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dnas.compare.command import main
from dnas.compare.fronts import sweep
from dnas.compare.model import Box, Comparison, Method
from dnas.costs import count
from dnas.nn.network import Network
from dnas.refine import run as run_module
from dnas.refine.settings import Settings
from dnas.runs.checkpoint_file import read
from dnas.runs.evaluator import OneShotEvaluator
from dnas.space import SearchSpace, zoo
from dnas.space.architecture import Architecture
from dnas.support.files import only_one
from latency import LatencyTable, load_table
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel

refine = partial(run_module.refine, load_table=load_table)
ROOT = Path(__file__).resolve().parents[3]
Run = Callable[..., Comparison]
Write = Callable[..., Path]
TABLES = {"hypervolume.csv", "budgets.csv", "costs.csv", "agreement.csv", "points.csv"}
RARE = (("E2K3SE", "E3K5SE", "E1K3"), 0.6, 1.2)
SLOW, MIDDLE = (("E3K5SE", "E3K5SE", "E3K5SE"), 0.9, 0.5), (("E2K5", "E1K3", "E2K5"), 0.7, 1.0)


@pytest.fixture
def run(tmp_path: Path, tiny_table_file: Path) -> Run:
    """Runs the command with the tiny space's table; arguments are NAME=PATH, then further options."""

    def call(*runs: object, options: tuple[object, ...] = (), table: object = tiny_table_file) -> Comparison:
        output = [] if "--output" in options else ["--output", tmp_path / "out"]
        argv = ["--run", *runs, "--table", table, "--no-figures", *output, *options]
        return main([str(each) for each in argv])

    return call


@pytest.fixture
def own(search_checkpoint: Path) -> dict[str, Any]:
    """What run.json tells of the checkpoint when a refinement used the tiny search's supernet."""
    checkpoint = {"file": "last.ckpt", "sha256": read(search_checkpoint).sha256, "kind": "search"}
    return {"checkpoint": checkpoint, "quality": "top1"}


def refusal(run: Run, *runs: object, **arguments: Any) -> str:
    with pytest.raises(SystemExit) as caught:
        run(*runs, **arguments)
    assert str(caught.value).startswith("dnas compare: ")
    return str(caught.value)


def named(comparison: Comparison, name: str) -> Method:
    (method,) = [each for each in comparison.methods if each.name == name]
    return method


def test_two_methods_with_two_seeds(
    run: Run, write_refined: Write, tmp_path: Path, tiny_space: SearchSpace, tiny_table: LatencyTable
) -> None:
    runs = [
        f"NSGA-II={write_refined('a0', seed=0)}",
        f"random={write_refined('b0', algorithm='random', members=[MIDDLE])}",
        f"NSGA-II={write_refined('a1', seed=1, members=[SLOW])}",
        f"random={write_refined('b1', algorithm='random', members=[], seed=1)}",
    ]
    found = run(*runs)
    written = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert Comparison.from_dict(written) == found
    assert {path.name for path in (tmp_path / "out").iterdir()} >= TABLES
    assert (found.quality, found.space) == ("loss", tiny_space.to_dict())
    assert [(each.name, each.kind, len(each.runs)) for each in found.methods] == [
        ("NSGA-II", "evolutionary", 2),
        ("random", "baseline", 2),
    ]
    first, second = found.methods
    assert [len(each.members) for each in (*first.runs, *second.runs)] == [3, 1, 1, 0]
    assert first.runs[0].curve == ((4, 0.1), (8, 0.2), (12, 0.3)) and first.runs[0].evaluated_anew == 0
    middle = Architecture.from_names(MIDDLE[0], tiny_space)
    (point,) = second.runs[0].members
    assert (point.latency_ms, point.params) == (
        tiny_table.latency_ms(middle),
        count(tiny_space).params_of(middle),
    )
    assert (point.top1, point.loss, point.generation) == (0.7, 1.0, 2)
    assert found.evaluator.sha256 == "c" * 64 and found.evaluator.validation_images == 180
    assert found.table.sha256 == tiny_table.sha256 and found.table.kind == "calibrated"
    assert "NSGA-II reaches" in found.finding and "random" in found.finding
    assert "random: 1 of 2 run(s) found no architecture." in found.notes
    assert [each.method for each in found.budgets] == ["NSGA-II", "random"] * 5
    assert len(found.agreement) == 1


def test_hypervolume_of_a_single_network_by_hand(
    run: Run, write_refined: Write, tiny_space: SearchSpace, tiny_table: LatencyTable
) -> None:
    """One network dominates a box: the product of its shares of the ranges."""
    middle, costs = Architecture.from_names(MIDDLE[0], tiny_space), count(tiny_space)
    found = run(f"a={write_refined('a', members=[MIDDLE])}")
    slow, fast = (tiny_table.latency_ms(each) for each in (tiny_table.dearest(), tiny_table.cheapest()))
    quality = 1 - 1.0 / math.log(10)
    latency = (slow - tiny_table.latency_ms(middle)) / (slow - fast)
    least, most = found.box.params
    params = (costs.params_of(middle) - least) / (most - least)
    (method,) = found.methods
    assert method.hypervolume.values == (pytest.approx(quality * latency * params),)
    assert method.hypervolume_plane.values == (pytest.approx(quality * latency),)
    assert (method.hypervolume.low, method.hypervolume.high) == (None, None), "one seed"
    assert found.box == Box((math.log(10), 0.0), (slow, fast), (least, most))


@pytest.mark.slow
def test_a_search_checkpoint_gets_a_front_and_its_accuracies(
    run: Run,
    write_refined: Write,
    search_checkpoint: Path,
    own: dict[str, Any],
    tiny_space: SearchSpace,
    tiny_table: LatencyTable,
) -> None:
    settings = {"recalibration_batches": 2, "validation_images": 180}
    folder = write_refined("a", members=[RARE], evaluator=settings, **own)
    found = run(f"evolved={folder}", f"FBNet={search_checkpoint}", options=("--alpha-bounds", 3))
    method = named(found, "FBNet")
    checkpoint = read(search_checkpoint)
    swept = sweep(tiny_space, checkpoint.alpha, tiny_table, 3)
    points = {point.name: point for point in method.runs[0].members}
    assert points and points.keys() <= {each.name for each in swept}
    evaluator = OneShotEvaluator(checkpoint.build_supernet(), checkpoint.data, 2)
    for each in swept:
        if each.name in points:
            measured, point = evaluator(each.architecture), points[each.name]
            assert (point.top1, point.top5, point.loss) == (measured.top1, measured.top5, measured.loss)
    assert method.runs[0].evaluated_anew == len(points)
    assert named(found, "evolved").runs[0].evaluated_anew == 0
    (alpha,) = found.alpha_against_choices
    assert alpha.method == "FBNet" and [each.second for each in alpha.against] == ["evolved"]
    assert found.quality == "top1" and found.box.quality == (0.0, 1.0)
    assert method.cost.evaluations == 0


@pytest.mark.slow
def test_what_refine_writes_is_what_compare_reads(
    run: Run, one_shot_checkpoint: Path, search_checkpoint: Path, tiny_table_file: Path, tmp_path: Path
) -> None:
    """Real refinements; the supernet that evaluates the search checkpoint's networks is found by itself."""
    runs = []
    for algorithm in ("nsga2", "random"):
        output = tmp_path / algorithm
        settings = Settings(
            one_shot_checkpoint,
            output,
            str(tiny_table_file),
            algorithm,
            population=4,
            generations=3,
            recalibration_batches=1,
            cache=tmp_path / "cache",
        )
        rows = refine(settings).rows
        runs.append((f"{algorithm}={output}", rows))
    found = run(*(each for each, _ in runs), f"FBNet={search_checkpoint}", options=("--alpha-bounds", 2))
    read_back = [each for method in found.methods[:2] for each in method.runs]
    for back, (_, rows) in zip(read_back, runs, strict=True):
        assert {point.choices for point in back.members} == {row["architecture"].names for row in rows}
        by_latency = sorted(row["latency_ms"] for row in rows)
        assert [point.latency_ms for point in back.members] == pytest.approx(by_latency)
        assert back.evaluated_anew == 0 and back.cost.evaluations == 12
        assert back.cost.training_seconds is not None and back.cost.training_seconds > 0
    volumes = [value for method in found.methods[:2] for value in method.hypervolume.values]
    assert volumes == pytest.approx([back.curve[-1][1] for back in read_back]), "refine's own hypervolume"
    assert found.quality == "loss" and found.evaluator.checkpoint == one_shot_checkpoint.name
    assert named(found, "FBNet").runs[0].members and named(found, "FBNet").cost.training_seconds


def test_other_accuracies_are_not_mixed_in(
    run: Run, write_refined: Write, search_checkpoint: Path, own: dict[str, Any]
) -> None:
    """Of two refinements one was evaluated by another supernet: its network is evaluated anew."""
    kept = write_refined("kept", members=[MIDDLE], **own)
    other = write_refined("other", members=[SLOW], quality="top1")
    assert "evaluated differently" in refusal(run, f"a={kept}", f"b={other}")
    found = run(f"a={kept}", f"b={other}", options=("--checkpoint", search_checkpoint))
    (mine,), (theirs,) = (method.runs[0].members for method in found.methods)
    assert mine.top1 == 0.7
    checkpoint = read(search_checkpoint)
    evaluator = OneShotEvaluator(checkpoint.build_supernet(), checkpoint.data, 8)
    measured = evaluator(Architecture.from_names(SLOW[0], checkpoint.space))
    assert theirs.loss == measured.loss != SLOW[2]
    assert [method.runs[0].evaluated_anew for method in found.methods] == [0, 1]
    assert [bool(method.runs[0].curve) for method in found.methods] == [True, False]
    assert found.evaluator.checkpoint == "last.ckpt"


@pytest.fixture
def to_evaluate(write_refined: Write, search_checkpoint: Path, tiny_table_file: Path) -> list[str]:
    """Options of a comparison that evaluates three networks."""
    runs = [f"a={write_refined('a', quality='top1')}"]
    options = {"--table": tiny_table_file, "--checkpoint": search_checkpoint}
    return ["--run", *runs, *(str(each) for option in options.items() for each in option), "--no-figures"]


def without_date(folder: Path) -> dict[str, Any]:
    return {**json.loads((folder / "comparison.json").read_text(encoding="utf-8")), "date": ""}


def test_a_comparison_that_was_stopped_evaluates_nothing_twice(
    to_evaluate: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    main([*to_evaluate, "--output", str(tmp_path / "whole")])
    evaluated: list[Architecture] = []
    extract = OneShotEvaluator.extract

    def counted(self: OneShotEvaluator, architecture: Architecture) -> Network:
        evaluated.append(architecture)
        if len(evaluated) == 2:
            signal.raise_signal(signal.SIGTERM)
        return extract(self, architecture)

    monkeypatch.setattr(OneShotEvaluator, "extract", counted)
    with pytest.raises(SystemExit) as caught:
        main([*to_evaluate, "--output", str(tmp_path / "out")])
    assert caught.value.code == 143 and "Go on with: dnas compare --run" in capsys.readouterr().err
    main(["--resume", str(tmp_path / "out")])
    assert len(evaluated) == 4 and len(set(evaluated)) == 3
    assert without_date(tmp_path / "out") == without_date(tmp_path / "whole")


def test_of_two_in_one_folder_the_second_is_refused(to_evaluate: list[str], tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(SystemExit, match="at work in"):
        main([*to_evaluate, "--output", str(tmp_path)])


@pytest.mark.slow
def test_processes_share_the_evaluations(to_evaluate: list[str], tmp_path: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    several = subprocess.run(
        [*torchrun, "-m", "--", "dnas.compare", *to_evaluate, "--output", str(tmp_path / "two")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert several.returncode == 0, several.stderr
    assert several.stdout.count("Wrote") == 1
    shares = [len(path.read_text().split("\n\n")) for path in tmp_path.glob("two/evaluations-*.jsonl")]
    assert sorted(shares) == [1, 2]
    main([*to_evaluate, "--output", str(tmp_path / "one")])
    assert without_date(tmp_path / "two") == without_date(tmp_path / "one")
    assert {name: (tmp_path / "two" / name).read_bytes() for name in TABLES} == {
        name: (tmp_path / "one" / name).read_bytes() for name in TABLES
    }


def test_a_supernet_that_is_not_at_hand(
    run: Run, write_refined: Write, tmp_path: Path, tiny_space: SearchSpace
) -> None:
    network = Architecture(tiny_space, (2, 1, 2))
    path = network.save(tmp_path / "one.json")
    message = refusal(run, f"a={write_refined('a')}", f"b={path}")
    assert f"1 architecture(s), {network} the first" in message
    assert "one_shot.ckpt (sha256 cccccccccccc...)" in message and "--checkpoint" in message
    assert not (tmp_path / "out").exists()


def test_another_table_costs_anew(run: Run, write_refined: Write, tiny_table: LatencyTable) -> None:
    table = tiny_table.identity() | {"sha256": "0" * 64}
    found = run(f"a={write_refined('a', table=table)}")
    assert any("costed anew" in note for note in found.notes)
    assert found.methods[0].runs[0].curve == ()
    assert all(point.latency_ms < 900 for point in found.methods[0].runs[0].members), "not the file's"


def test_published_networks_of_the_space(run: Run, write_refined: Write) -> None:
    """Those that a run evaluated need no supernet; they are shown even where they are dominated."""
    space = SearchSpace.load("moga")
    networks = [
        (zoo.load(name).names, 0.5 + 0.1 * index, 1.0) for index, name in enumerate(zoo.in_space("moga"))
    ]
    box = {"quality": [0, 1], "latency_ms": [9, 1], "params": [1, 2]}
    front = {"space": "moga", "space_sha256": space.digest}
    folder = write_refined("a", members=networks, front=front, space=space.to_dict(), quality="top1", box=box)
    found = run(f"a={folder}", table="adreno630_mace_calibrated")
    published = named(found, "published")
    assert published.kind == "zoo" and found.methods[-1] == published
    assert {point.name for point in published.runs[0].members} == set(zoo.in_space("moga"))
    without = run(
        f"a={folder}",
        table="adreno630_mace_calibrated",
        options=("--no-zoo", "--overwrite", "--title", "Mine"),
    )
    assert [each.name for each in without.methods] == ["a"] and without.title == "Mine"


def test_published_networks_by_name_alone(run: Run, write_refined: Write, tmp_path: Path) -> None:
    """In the space one is a method; outside, it stands beside with its own kernels and published accuracy."""
    space, arch = SearchSpace.load("moga"), zoo.load("moga_c")
    box = {"quality": [0, 1], "latency_ms": [9, 1], "params": [1, 2]}
    front = {"space": "moga", "space_sha256": space.digest}
    write = partial(write_refined, front=front, space=space.to_dict(), quality="top1", box=box)
    folder = write("a", members=[(arch.names, 0.5, 1.0)])
    table, options = "adreno630_mace_calibrated", ("--no-zoo",)
    found = run(f"a={folder}", "moga_c", "fbnet_c", table=table, options=options)
    assert [(each.name, each.kind) for each in found.methods] == [("a", "evolutionary"), ("moga_c", "zoo")]
    (outside,) = found.outside
    fbnet = load_table(table, SearchSpace.load("fbnet"))
    assert (outside.name, outside.space, outside.params) == ("fbnet_c", "fbnet", 5_572_200)
    assert (outside.published_top1, outside.source) == (0.749, "arXiv 1812.03443")
    assert outside.latency_ms == fbnet.latency_ms(zoo.load("fbnet_c")) and outside.table_kind == "calibrated"
    assert any("fbnet_c: outside the space" in note for note in found.notes)
    written = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert Comparison.from_dict(written) == found
    (row,) = (tmp_path / "out" / "outside.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert row.startswith("fbnet_c,fbnet,0.749,arXiv 1812.03443,")
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert 'id="outside"' in report and ">74.90<" in report
    alone = run(f"a={folder}", table=table, options=(*options, "--overwrite"))
    assert (alone.outside, alone.methods, "outside" in alone.to_dict()) == ((), found.methods[:1], False)


def test_names_alone_that_cannot_be_compared(run: Run, write_refined: Write) -> None:
    one = f"a={write_refined('a')}"
    assert "mobilenet_v2: published networks are compared with a search" in refusal(run, "mobilenet_v2")
    assert "mobilenet_v2 is given twice" in refusal(run, one, "mobilenet_v2", "mobilenet_v2")
    message = refusal(run, one, "mobilenet_v2")
    assert "--run mobilenet_v2 is outside the searched space and needs a table of its own" in message


def test_given_budgets(run: Run, write_refined: Write, tiny_table: LatencyTable) -> None:
    slowest = tiny_table.latency_ms(tiny_table.dearest())
    found = run(f"a={write_refined('a')}", options=("--budgets", slowest, slowest / 100))
    assert [(each.latency_ms, each.top1.values) for each in found.budgets] == [
        (pytest.approx(slowest / 100), (None,)),
        (slowest, (0.9,)),
    ]


def test_nothing_found_at_all(run: Run, write_refined: Write) -> None:
    found = run(f"a={write_refined('a', members=[])}")
    assert found.finding == "No method found an architecture, so there is nothing to compare."
    assert found.budgets == found.agreement == () and found.methods[0].hypervolume.mean == 0.0


def test_what_is_printed(run: Run, write_refined: Write, capsys: pytest.CaptureFixture[str]) -> None:
    found = run(f"[red]x={write_refined('a')}")
    printed = " ".join(capsys.readouterr().out.split())
    assert "[red]x" in printed and found.finding in printed and "report.html" in printed
    assert all(note in printed for note in found.notes)


def test_figures_unless_refused(write_refined: Write, tiny_table_file: Path, tmp_path: Path) -> None:
    options = ["--run", f"a={write_refined('a', members=[MIDDLE])}", "--table", str(tiny_table_file)]
    main([*options, "--output", str(tmp_path / "without"), "--no-figures"])
    assert {path.name for path in (tmp_path / "without").iterdir()} == {
        *TABLES,
        "comparison.json",
        "report.html",
        "command.json",
        ".lock",
    }
    main([*options, "--output", str(tmp_path / "with")])
    drawn = {path.name for path in (tmp_path / "with" / "figures").iterdir()}
    assert {"front.png", "front.svg", "budgets.png"} <= drawn


def test_an_earlier_comparison_stays(run: Run, write_refined: Write, tmp_path: Path) -> None:
    first = write_refined("a")
    run(f"a={first}")
    earlier = (tmp_path / "out" / "comparison.json").read_bytes()
    assert "already holds a comparison" in refusal(run, f"b={first}")
    assert (tmp_path / "out" / "comparison.json").read_bytes() == earlier
    run(f"b={first}", options=("--overwrite",))
    assert (tmp_path / "out" / "comparison.json").read_bytes() != earlier


def test_output_must_be_a_folder(run: Run, write_refined: Write, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    assert "is a file: give a folder" in refusal(run, f"a={write_refined('a')}")


def test_all_unusable_options_come_together(run: Run, write_refined: Write, tmp_path: Path) -> None:
    options = ("--budgets", "2", "-1", "2.0", "--alpha-bounds", "0")
    message = refusal(run, f"published={write_refined('a')}", options=options)
    for part in ("--budgets must be", "same budget twice", "--alpha-bounds", "that name is the zoo's"):
        assert part in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("table", "message"), [("nowhere.csv", "nowhere.csv"), ("adreno630_mace_calibrated", "not for tiny")]
)
def test_unusable_tables(run: Run, write_refined: Write, table: str, message: str) -> None:
    assert message in refusal(run, f"a={write_refined('a')}", table=table)


def test_a_supernet_of_another_space(
    run: Run, write_refined: Write, search_checkpoint: Path, tmp_path: Path
) -> None:
    space = SearchSpace.load("moga")
    path = zoo.load("moga_a").save(tmp_path / "a.json")
    message = refusal(
        run, f"a={path}", table="adreno630_mace_calibrated", options=("--checkpoint", search_checkpoint)
    )
    assert f"is a supernet of the space tiny, not {space.name}" in message


WITHOUT_LIGHTNING = """
import runpy
import sys
runpy.run_module("dnas.compare", run_name="__main__")
loaded = [name for name in sys.modules if name.split(".")[0] in ("pytorch_lightning", "lightning_modules")]
assert not loaded, loaded
"""


@pytest.mark.slow
def test_the_command_needs_no_lightning(write_refined: Write, tiny_table_file: Path, tmp_path: Path) -> None:
    folder = write_refined("a")
    options = ["--run", f"a={folder}", "--table", tiny_table_file, "--output", tmp_path / "out"]
    options.append("--no-figures")
    done = subprocess.run([sys.executable, "-c", WITHOUT_LIGHTNING, *options], capture_output=True, text=True)
    assert done.returncode == 0 and "report.html" in done.stdout, done.stderr


@pytest.fixture
def second_table(tiny_space: SearchSpace, tmp_path: Path) -> Path:
    return build_calibrated(CalibratedModel.load("adreno630_snpe"), tiny_space, tmp_path / "snpe.csv")


def test_tables_of_two_devices(
    run: Run,
    write_refined: Write,
    tmp_path: Path,
    tiny_table_file: Path,
    second_table: Path,
    tiny_space: SearchSpace,
) -> None:
    """Three methods of several seeds: all that they evaluated takes part, not their fronts alone."""
    runs = [
        f"{name}={write_refined(f'{name}{seed}', seed=seed, algorithm=algorithm, members=[member])}"
        for name, algorithm, member in (("a", "nsga2", SLOW), ("b", "random", MIDDLE), ("c", "nsga2", RARE))
        for seed in range(2)
    ]
    header, row = "top1,top5,loss,latency_ms_x,architecture\n", "0.4,0.8,1.9,9,E1K3 E1K3 E1K3\n"
    (tmp_path / "a0" / "evaluated.csv").write_text(header + row, encoding="utf-8")
    call = [str(each) for each in ("--run", *runs, "--output", tmp_path / "out")]
    found = main([*call, "--table", f"mace={tiny_table_file}", f"snpe={second_table}"])
    written = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert Comparison.from_dict(written) == found
    devices = found.devices
    assert devices is not None and devices.evaluated == 4 and len(devices.transfers) == 4
    assert [device.name for device in devices.devices] == ["mace", "snpe"]
    assert devices.devices[0].table == found.table
    fast = Architecture.from_names(("E1K3", "E1K3", "E1K3"), tiny_space)
    for device, path in zip(devices.devices, (tiny_table_file, second_table), strict=True):
        assert device.front[0].choices == fast.names
        assert device.front[0].latency_ms == load_table(path, tiny_space).latency_ms(fast)
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} >= TABLES | {"devices.csv", "device_picks.csv"}
    assert (out / "figures" / "devices.png").is_file()
    header, *lines = (out / "devices.csv").read_text(encoding="utf-8").splitlines()
    assert header.startswith("chosen_for,runs_on,extra_percent") and len(lines) == 4
    picks = (out / "device_picks.csv").read_text(encoding="utf-8").splitlines()
    assert "latency_ms_mace,latency_ms_snpe" in picks[0] and len(picks) == 1 + 2 * len(devices.levels)
    assert devices.finding in (out / "report.html").read_text(encoding="utf-8")
    assert any("snpe: no run searched under its table" in note for note in found.notes)
    assert sum("without evaluated.csv" in note for note in found.notes) == 5


def test_with_one_table_there_are_no_devices(
    run: Run, write_refined: Write, tmp_path: Path, tiny_table_file: Path
) -> None:
    """evaluated.csv is not even read."""
    folder = write_refined("a")
    (folder / "evaluated.csv").write_text("damaged", encoding="utf-8")
    found = run(f"a={folder}", table=f"phone={tiny_table_file}")
    assert found.devices is None and "devices" not in found.to_dict()
    assert {path.name for path in (tmp_path / "out").glob("*.csv")} == TABLES
    assert 'id="devices"' not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_table_that_cannot_be_used_is_refused_by_its_device(
    run: Run, write_refined: Write, tmp_path: Path, tiny_table_file: Path, second_table: Path
) -> None:
    lines = second_table.read_text(encoding="utf-8").splitlines(keepends=True)
    short = tmp_path / "short.csv"
    short.write_text("".join(lines[:-1]), encoding="utf-8")
    argv = ["--run", f"a={write_refined('a')}", "--output", str(tmp_path / "out")]
    with pytest.raises(SystemExit, match=r"--table s10=.*short.csv: "):
        main([*argv, "--table", f"pixel4={tiny_table_file}", f"s10={short}"])
    with pytest.raises(SystemExit, match="the same table"):
        main([*argv, "--table", f"pixel4={tiny_table_file}", f"s10={tiny_table_file}"])
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_real_refinement_for_two_devices(
    one_shot_checkpoint: Path, tiny_table_file: Path, second_table: Path, tmp_path: Path
) -> None:
    """Its evaluated.csv has latencies by device, and stands above the folder that is compared."""
    tables = f"mace={tiny_table_file}", f"snpe={second_table}"
    settings = Settings(
        one_shot_checkpoint,
        tmp_path / "joint",
        tables,
        population=6,
        generations=3,
        recalibration_batches=1,
    )
    refine(settings)
    runs = [f"{device}={tmp_path}/joint/devices/{device}" for device in ("mace", "snpe")]
    options = ["--table", *tables, "--no-zoo", "--no-figures", "--output", str(tmp_path / "out")]
    found = main(["--run", *runs, *options])
    devices = found.devices
    assert devices is not None and devices.evaluated == 18
    assert not any("evaluated.csv" in note or "no run searched" in note for note in found.notes)
    # The front of quality and latency is that of the whole run, which is in the device's own front of three.
    for method, device in zip(found.methods, devices.devices, strict=True):
        own = {point.choices for run in method.runs for point in run.members}
        assert device.front and {point.choices for point in device.front} <= own
