"""The derive command on a real search checkpoint: what it writes, prints and refuses."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dnas.costs import count
from dnas.derive.command import Candidate, main, same_networks
from dnas.runs.checkpoint import SECTION
from dnas.runs.checkpoint_file import read
from dnas.search.gradient.derivation import Derived
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import LatencyTable, load_table

Run = Callable[..., list[Candidate]]


@pytest.fixture
def table(tiny_table_file: Path, tiny_space: SearchSpace) -> LatencyTable:
    return load_table(tiny_table_file, tiny_space)


@pytest.fixture
def run(search_checkpoint: Path, tmp_path: Path) -> Run:
    """Runs the command without accuracy, which takes time and has tests of its own."""

    def call(
        *options: object, checkpoint: Path = search_checkpoint, accuracy: bool = False
    ) -> list[Candidate]:
        argv = ["--checkpoint", str(checkpoint), "--output", str(tmp_path / "out"), *map(str, options)]
        return main(argv if accuracy else [*argv, "--no-accuracy"])

    return call


def refusal(run: Run, *options: object, **arguments: Any) -> str:
    with pytest.raises(SystemExit) as caught:
        run(*options, **arguments)
    assert str(caught.value).startswith("dnas derive: ")
    return str(caught.value)


def test_argmax_and_what_is_written(
    run: Run, tmp_path: Path, search_checkpoint: Path, table: LatencyTable
) -> None:
    (only,) = run()
    checkpoint, out = read(search_checkpoint), tmp_path / "out"
    arch = Architecture.load(out / "architecture.json")
    assert arch == only.derived.architecture == Architecture.load(out / "argmax.json")
    valid = torch.from_numpy(checkpoint.space.valid)
    best = checkpoint.alpha.masked_fill(~valid, -torch.inf).argmax(1)
    assert arch.indices == tuple(best.tolist())
    data, costs = json.loads((out / "architecture.json").read_text(encoding="utf-8")), count(checkpoint.space)
    assert data["costs"] == {
        "latency_ms": table.latency_ms(arch),
        "latency_kind": "calibrated",
        "params": costs.params_of(arch),
        "madds": costs.madds_of(arch),
        "resolution": 32,
        "num_classes": 10,
    }
    assert data["derivation"]["method"] == "argmax" and 0 < data["derivation"]["probability"] < 1
    assert data["one_shot_accuracy"] is None
    assert {path.name for path in out.iterdir()} == {
        "architecture.json",
        "argmax.json",
        "candidates.csv",
        "alpha.png",
        "curves.png",
        "architecture.png",
    }


def test_provenance_is_complete(
    run: Run, tmp_path: Path, search_checkpoint: Path, table: LatencyTable
) -> None:
    run("--latency-below", 1.5, "--params-above", 100, "--seed", 4)
    checkpoint = read(search_checkpoint)
    told = json.loads((tmp_path / "out" / "architecture.json").read_text(encoding="utf-8"))["provenance"]
    assert told["table"] == table.identity() and told["table_description"] == table.describe()
    assert told["checkpoint"] == {"file": "last.ckpt", "sha256": checkpoint.sha256, "epoch": checkpoint.epoch}
    assert (told["search_seed"], told["sample_seed"]) == (0, 4)
    assert told["bounds"] == {"latency_below_ms": [1.5], "params_above": 100.0}
    assert set(told["versions"]) >= {"torch", "numpy", "pytorch-lightning"}
    assert told["accuracy_note"] == "not measured (--no-accuracy)" and told["date"].endswith("+00:00")
    assert str(tmp_path) not in json.dumps(told), "no paths of this machine"


def test_budgets_give_one_network_each(run: Run, tmp_path: Path, table: LatencyTable) -> None:
    cheapest, dearest = (table.latency_ms(a) for a in (table.cheapest(), table.dearest()))
    budgets = [cheapest, (cheapest + dearest) / 2, dearest]
    found = run("--latency-below", *budgets)
    assert all(each.latency_ms <= ms + 1e-9 for each, ms in zip(found, budgets, strict=True))
    assert found[0].derived.architecture == table.cheapest()
    probabilities = [each.derived.probability for each in found]
    assert probabilities == sorted(probabilities), "a tighter bound cannot be more probable"
    with (tmp_path / "out" / "candidates.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["latency_ms"]) for row in rows] == [each.latency_ms for each in found]
    assert [row["architecture"] for row in rows] == [str(each.derived.architecture) for each in found]
    assert [row["top1"] for row in rows] == ["", "", ""]
    for row in rows:
        assert str(Architecture.load(tmp_path / "out" / f"{row['name']}.json")) == row["architecture"]


def test_tightening_the_bound_gives_a_faster_network(run: Run, table: LatencyTable) -> None:
    (loose,) = run("--latency-below", table.latency_ms(table.dearest()))
    (tight,) = run("--latency-below", loose.latency_ms - 1e-6, "--overwrite")
    assert tight.latency_ms < loose.latency_ms and tight.derived.probability < loose.derived.probability


def test_params_bound_alone(run: Run, tiny_space: SearchSpace) -> None:
    costs = count(tiny_space)
    largest = int(costs.fixed_params + costs.params.max(axis=1).sum())
    (only,) = run("--params-above", largest)
    assert only.params == largest and only.derived.name == "bounded"


def test_samples(run: Run, capsys: pytest.CaptureFixture[str], table: LatencyTable) -> None:
    limit = (table.latency_ms(table.cheapest()) + table.latency_ms(table.dearest())) / 2
    first = run("--sample", 5, "--seed", 1, "--latency-below", limit)
    assert len(first) == 6 and len({each.derived.architecture for each in first[1:]}) == 5
    assert all(each.latency_ms <= limit for each in first)
    assert "Samples:" not in capsys.readouterr().out
    again = run("--sample", 5, "--seed", 1, "--latency-below", limit, "--overwrite")
    assert [each.derived for each in again] == [each.derived for each in first]
    other = run("--sample", 5, "--seed", 2, "--latency-below", limit, "--overwrite")
    assert [each.derived for each in other] != [each.derived for each in first]


def test_uniform_samples(run: Run, tmp_path: Path) -> None:
    likely, uniform = run("--sample", 20), run("--sample", 20, "--uniform", "--overwrite")
    assert {each.derived.architecture for each in likely} != {each.derived.architecture for each in uniform}
    assert json.loads((tmp_path / "out" / "sample_01.json").read_text())["provenance"]["sampled_uniformly"]


def test_fewer_samples_than_asked_for_are_said(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(run("--sample", 60)) == 1 + 48
    assert "Samples: 48 of 60" in capsys.readouterr().out


def test_overwriting_leaves_nothing_of_the_earlier_derivation(run: Run, tmp_path: Path) -> None:
    run("--sample", 3)
    foreign = tmp_path / "out" / "notes.json"
    foreign.write_text("{}", encoding="utf-8")
    assert (tmp_path / "out" / "sample_3.json").exists()
    assert "already holds a derivation" in refusal(run, "--sample", 1)
    assert (tmp_path / "out" / "sample_3.json").exists(), "a refusal changes nothing"
    run("--sample", 1, "--overwrite")
    names = {path.name for path in (tmp_path / "out").glob("*.json")}
    assert names == {"architecture.json", "argmax.json", "sample_1.json", "notes.json"}


def test_infeasible_bounds_name_the_attainable(run: Run, tmp_path: Path, table: LatencyTable) -> None:
    message = refusal(run, "--latency-below", 0.2)
    assert "latency at most 0.2 ms" in message and f"{table.latency_ms(table.cheapest()):.4g}" in message
    assert "parameters at least" in refusal(run, "--params-above", 1e9)
    assert not (tmp_path / "out").exists(), "nothing is written"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--latency-below", "0"), "--latency-below must be a number of milliseconds above 0, got 0.0"),
        (("--latency-below", "nan"), "got nan"),
        (("--latency-below", "2", "2.0"), "the same limit twice"),
        (("--params-above", "-1"), "--params-above must be a number of parameters, got -1.0"),
        (("--params-above", "inf"), "got inf"),
        (("--sample", "-1"), "--sample must not be negative, got -1"),
        (("--table", "nowhere.csv"), "nowhere.csv"),
        (("--table", "adreno630_mace_calibrated"), "ships for the space(s) fbnet, moga, not for tiny"),
    ],
)
def test_unusable_options(run: Run, options: tuple[str, ...], message: str, tmp_path: Path) -> None:
    assert message in refusal(run, *options)
    assert not (tmp_path / "out").exists()


def test_all_unusable_options_come_together(run: Run) -> None:
    message = refusal(run, "--latency-below", -1, "--params-above", "nan", "--sample", -2)
    assert all(option in message for option in ("--latency-below", "--params-above", "--sample"))


def test_output_must_be_a_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    assert "is a file: give a folder" in refusal(run)
    assert (tmp_path / "out").read_text(encoding="utf-8") == "mine"


def changed(checkpoint: Path, path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    content = torch.load(checkpoint, weights_only=True)
    change(content)
    torch.save(content, path)
    return path


def test_a_table_with_other_content_is_refused(run: Run, search_checkpoint: Path, tmp_path: Path) -> None:
    other = changed(
        search_checkpoint,
        tmp_path / "x.ckpt",
        lambda content: content[SECTION]["table"].update(sha256="0" * 64),
    )
    message = refusal(run, checkpoint=other)
    assert "another content now (sha256 000000000000... then" in message and "--table" in message


def test_a_table_that_is_gone_must_be_given(
    run: Run, search_checkpoint: Path, tmp_path: Path, tiny_table_file: Path
) -> None:
    moved = changed(
        search_checkpoint,
        tmp_path / "x.ckpt",
        lambda content: content["hyper_parameters"].update(table="gone/tiny.csv"),
    )
    message = refusal(run, checkpoint=moved)
    assert "from 'gone/tiny.csv', which cannot be loaded; give its file with --table" in message
    copy = shutil.copy(tiny_table_file, tmp_path / "copy.csv")
    assert run("--table", copy, checkpoint=moved)[0].derived.name == "argmax"


def test_accuracy_is_measured_where_the_data_is(run: Run, tmp_path: Path) -> None:
    found = run("--sample", 2, accuracy=True)
    for each in found:
        assert each.evaluation is not None and 0 <= each.evaluation.top1 <= each.evaluation.top5 <= 1
    data = json.loads((tmp_path / "out" / "architecture.json").read_text(encoding="utf-8"))
    assert data["one_shot_accuracy"]["images"] == 180
    assert data["provenance"]["accuracy_note"].startswith("validation split")
    assert (tmp_path / "out" / "accuracy_latency.png").is_file()


def test_missing_data_is_said(
    run: Run, search_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = {"class_path": "lightning_modules.data.ImageFolder", "init_args": {"root": "gone"}}
    other = changed(
        search_checkpoint, tmp_path / "x.ckpt", lambda content: content[SECTION].update(data=gone)
    )
    (only,) = run(checkpoint=other, accuracy=True)
    assert only.evaluation is None
    assert "One-shot accuracy: not measured: " in " ".join(capsys.readouterr().out.split())
    data = json.loads((tmp_path / "out" / "architecture.json").read_text(encoding="utf-8"))
    note = data["provenance"]["accuracy_note"]
    assert "ImageFolder could not be loaded" in note and "gone" in note


def test_a_checkpoint_that_is_none(run: Run, tmp_path: Path) -> None:
    assert "No checkpoint" in refusal(run, checkpoint=tmp_path / "none.ckpt")


def test_what_is_printed(run: Run, capsys: pytest.CaptureFixture[str], table: LatencyTable) -> None:
    (only,) = run()
    printed = " ".join(capsys.readouterr().out.split())
    for choice in only.derived.architecture.names:
        assert choice in printed
    assert "calibrated, not timed block by block" in printed and "not measured (--no-accuracy)" in printed


WITHOUT_LIGHTNING = """
import sys
import dnas, latency
from dnas.derive.command import main
main(sys.argv[1:])
loaded = [name for name in sys.modules if name.split(".")[0] in ("pytorch_lightning", "lightning_modules")]
assert not loaded, loaded
"""


@pytest.mark.slow
def test_the_command_needs_no_lightning(search_checkpoint: Path, tmp_path: Path) -> None:
    options = ["--checkpoint", str(search_checkpoint), "--output", str(tmp_path / "out"), "--no-accuracy"]
    done = subprocess.run([sys.executable, "-c", WITHOUT_LIGHTNING, *options], capture_output=True, text=True)
    assert done.returncode == 0 and "architecture.json" in done.stdout, done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "dnas.derive", *options], capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 1 and done.stdout == "", "the folder is taken"
    assert done.stderr.startswith("dnas derive: ") and "Traceback" not in done.stderr


def test_candidates_that_are_one_network_are_said(skips_space: SearchSpace) -> None:
    names = [(0, 1, 0, 2), (0, 0, 1, 2), (1, 1, 0, 2)]
    derived = [Derived("some", Architecture(skips_space, indices), 0.1) for indices in names]
    assert same_networks(derived) == ["3 architectures, 2 distinct networks."]
    assert same_networks(derived[1:]) == []
