"""Searches for several devices: what they log, keep, continue, refuse, and give to deriving."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from dnas.derive.command import load_costs
from dnas.derive.command import main as derive
from dnas.refine.settings import Settings
from dnas.refine.task import make_task
from dnas.runs.checkpoint import SECTION
from dnas.runs.checkpoint_file import read
from dnas.search.gradient.devices import WeightedMean, WorstCase
from dnas.search.gradient.masks import SoftGumbel
from dnas.search.gradient.objective import AbsoluteLatency, Objective
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import load_table
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel
from lightning_modules.search import DifferentiableSearch

MakeSearch = Callable[..., DifferentiableSearch]
Fit = Callable[..., pl.Trainer]


@pytest.fixture(scope="session")
def dense_file(tmp_path_factory: pytest.TempPathFactory, tiny_space: SearchSpace) -> Path:
    """A phone that takes fifty times as long for dense convolutions."""
    model = CalibratedModel.load("adreno630_mace")
    slow = replace(model, name="dense", dense_ms_per_gmadd=50 * model.dense_ms_per_gmadd)
    return build_calibrated(slow, tiny_space, tmp_path_factory.mktemp("table") / "dense.csv")


@pytest.fixture(scope="session")
def both(tiny_table_file: Path, dense_file: Path) -> list[str]:
    return [f"phone={tiny_table_file}", f"tablet={dense_file}"]


@pytest.fixture(scope="session")
def searched(
    make_search: MakeSearch, fit: Fit, both: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The checkpoint of a search for both devices. Do not write to it."""
    folder = tmp_path_factory.mktemp("devices")
    path = folder / "last.ckpt"
    fit(make_search(table=both, across=WorstCase()), folder, max_epochs=2).save_checkpoint(path)
    return path


def test_a_list_of_one_is_that_table(
    make_search: MakeSearch, fit: Fit, tiny_table_file: Path, tmp_path: Path
) -> None:
    found = {}
    for name, table in {"text": str(tiny_table_file), "list": [f"phone={tiny_table_file}"]}.items():
        path = tmp_path / f"{name}.ckpt"
        torch.manual_seed(0)
        fit(make_search(table=table), tmp_path / name).save_checkpoint(path)
        found[name] = torch.load(path, weights_only=True)
    text, listed = found.values()
    assert all(torch.equal(text["state_dict"][key], listed["state_dict"][key]) for key in text["state_dict"])
    without_seconds = [{k: v for k, v in each[SECTION].items() if k != "training"} for each in (text, listed)]
    assert str(without_seconds[0]) == str(without_seconds[1]) and "tables" not in text[SECTION]
    assert read(tmp_path / "text.ckpt").table_source == read(tmp_path / "list.ckpt").table_source


def test_the_checkpoint_and_its_history_know_both(searched: Path, both: list[str]) -> None:
    checkpoint = read(searched)
    assert list(checkpoint.tables) == ["phone", "tablet"] and list(checkpoint.table_sources) == both
    assert checkpoint.table == checkpoint.tables["phone"]
    last = checkpoint.history[-1]
    assert last["argmax_latency_ms/tablet"] > last["argmax_latency_ms/phone"] > 0


@pytest.mark.slow
def test_the_worst_case_meets_targets_of_every_device(
    make_search: MakeSearch, fit: Fit, both: list[str], tmp_path: Path
) -> None:
    middle = {}
    for text in both:
        device, _, source = text.partition("=")
        table = load_table(source, make_search().space)
        middle[device] = (table.latency_ms(table.cheapest()) + table.latency_ms(table.dearest())) / 2
    # The tablet has the tighter target.
    targets = {"phone": 1.1 * middle["phone"], "tablet": 0.9 * middle["tablet"]}
    form = AbsoluteLatency(target_ms=targets["phone"], weight=5.0)
    search = make_search(
        table=both,
        across=WorstCase(targets),
        objective=Objective(form, cross_entropy=False),
        alpha={"masks": SoftGumbel()},
        steps={"bilevel": False},
    )
    fit(search, tmp_path, limit_train_batches=120, data={"batch_size": 4})
    metrics = search.relaxation.describe()
    shares = [metrics[f"expected_latency_ms/{device}"] / target for device, target in targets.items()]
    assert max(shares) == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda both: both[:1], "table phone=adreno630.*, tablet=.*, this search has"),
        (lambda both: both[::-1], "this search has tablet=.*, phone="),
        (lambda both: [both[0], both[1].replace("tablet", "pad")], "this search has phone=.*, pad="),
    ],
)
def test_other_devices_do_not_resume(
    make_search: MakeSearch, searched: Path, both: list[str], change: Any, named: str
) -> None:
    search = make_search(table=change(both))
    with pytest.raises(ValueError, match=f"Cannot resume .*{named}"):
        search.on_load_checkpoint(torch.load(searched, weights_only=True))


def test_resumed_as_undisturbed(make_search: MakeSearch, fit: Fit, both: list[str], tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = make_search(table=both)
    fit(whole, tmp_path / "whole", max_epochs=2)
    torch.manual_seed(0)
    half, path = make_search(table=both), tmp_path / "half.ckpt"
    fit(half, tmp_path / "half").save_checkpoint(path)
    rest = make_search(table=both)
    fit(rest, tmp_path / "half", max_epochs=2, ckpt_path=str(path))
    assert torch.equal(rest.relaxation.alpha, whole.relaxation.alpha)


def test_what_cannot_be_joined_is_refused(
    make_search: MakeSearch, both: list[str], tiny_table_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"model\.across joins the latencies of several devices"):
        make_search(across=WorstCase())
    with pytest.raises(ValueError, match=r"model\.table: phone and twin have the same table"):
        make_search(table=[both[0], f"twin={tiny_table_file}"])
    with pytest.raises(
        ValueError, match="across: weights has pad, which is no device; weights has no tablet"
    ):
        make_search(table=both, across=WeightedMean(weights={"phone": 1, "pad": 1}))
    short = tmp_path / "short.csv"
    lines = tiny_table_file.read_text(encoding="utf-8").splitlines(keepends=True)
    short.write_text("".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"model\.table tablet=.*short\.csv"):
        make_search(table=[both[0], f"tablet={short}"])


def test_derived_within_limits_of_each(searched: Path, tmp_path: Path, both: list[str]) -> None:
    argv = ["--checkpoint", str(searched), "--no-accuracy", "--overwrite", "--output", str(tmp_path)]
    (free,) = derive(argv)
    assert free.derived.name == "argmax" and list(free.by_device_ms) == ["phone", "tablet"]
    space = read(searched).space
    tables = {each.partition("=")[0]: load_table(each.partition("=")[2], space) for each in both}
    lowest = {device: table.latency_ms(table.cheapest()) for device, table in tables.items()}
    limits = {device: ms * 1.15 for device, ms in lowest.items()}
    (bounded,) = derive([*argv, "--latency-below", *(f"{device}={ms!r}" for device, ms in limits.items())])
    assert all(bounded.by_device_ms[device] <= ms for device, ms in limits.items())
    written = json.loads((tmp_path / "architecture.json").read_text(encoding="utf-8"))
    assert written["costs"]["latency_ms_by_device"] == {
        device: table.latency_ms(Architecture.load(tmp_path / "bounded.json"))
        for device, table in tables.items()
    }
    assert list(written["provenance"]["tables"]) == ["phone", "tablet"]
    with (tmp_path / "candidates.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["latency_ms_tablet"]) == bounded.by_device_ms["tablet"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--latency-below", "pad=3"], "there is no device 'pad', the tables are of phone, tablet"),
        (["--latency-below", "3", "4"], "two limits of all devices"),
        (["--latency-below", "tablet=0.001"], "latency on tablet"),
        (["--latency-below", "tablet=much"], "much is no number of milliseconds"),
    ],
)
def test_limits_that_are_none(searched: Path, tmp_path: Path, options: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=f"(?s)^dnas derive: .*{message}"):
        derive(["--checkpoint", str(searched), "--no-accuracy", "--output", str(tmp_path), *options])


def test_another_table_stands_for_all(searched: Path, tmp_path: Path, dense_file: Path) -> None:
    argv = ["--checkpoint", str(searched), "--no-accuracy", "--output", str(tmp_path)]
    (only,) = derive([*argv, "--table", str(dense_file)])
    assert only.by_device_ms == {}
    with pytest.raises(ValueError, match=r"for several devices, phone, tablet, .*--table"):
        load_costs(read(searched), None)
    assert load_costs(read(searched), str(dense_file))[0].latency_ms(only.derived.architecture)


def test_a_refinement_of_it_is_for_the_same_devices(searched: Path, tmp_path: Path) -> None:
    settings = Settings(checkpoint=searched, output=tmp_path, population=2, generations=1)
    assert list(make_task(settings, load_table).problem.devices) == ["phone", "tablet"]


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([1, 2], "tables is list, expected dict"),
        ({"phone": 3}, "tables.phone is int, expected dict"),
        ({"phone": {"name": "a"}}, r"tables.phone.kind is missing"),
        ({"phone": {"name": "a", "kind": "b", "sha256": "c"}}, "names 2 latency tables for 1 devices"),
    ],
)
def test_damaged_tables_of_a_checkpoint_are_named(
    searched: Path, tmp_path: Path, tables: Any, message: str
) -> None:
    content = torch.load(searched, weights_only=True)
    content[SECTION]["tables"] = tables
    torch.save(content, tmp_path / "damaged.ckpt")
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "damaged.ckpt")


def test_from_the_command_line(
    run_cli: Callable[..., Any], tiny_flags: list[str], both: list[str], tmp_path: Path
) -> None:
    flags = [each for each in tiny_flags if not each.startswith("--model.table")]
    done = run_cli(
        *flags,
        f"--model.table=[{', '.join(both)}]",
        "--model.across=WeightedMean",
        "--model.across.weights={phone: 1, tablet: 3}",
        "--run_folder=run",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    checkpoint = read(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert list(checkpoint.tables) == ["phone", "tablet"]
