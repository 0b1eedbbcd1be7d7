"""The sweep over targets of finished searches: what it writes, joins, skips and refuses."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from dnas.sweep.command import main
from dnas.sweep.members import Member
from dnas.sweep.report import Sweep, points
from latency import LatencyTable, load_table
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel
from lightning_modules.data import Digits

Run = Callable[..., Sweep]


@pytest.fixture
def table(tiny_table_file: Path, tiny_space: SearchSpace) -> LatencyTable:
    return load_table(tiny_table_file, tiny_space)


@pytest.fixture
def targets(table: LatencyTable) -> list[float]:
    """One that no network reaches, the fastest network's, one between, and one that all reach."""
    low, high = table.latency_ms(table.cheapest()), table.latency_ms(table.dearest())
    return [low / 2, low * 1.0001, (low + high) / 2, 2 * high]


@pytest.fixture
def run(search_checkpoint: Path, tmp_path: Path) -> Run:
    def call(*options: object) -> Sweep:
        source = (
            [] if "--checkpoint" in options or "--config" in options else ["--checkpoint", search_checkpoint]
        )
        return main([*map(str, source), "--output", str(tmp_path / "out"), *map(str, options)])

    return call


def refusal(run: Run, *options: object) -> str:
    with pytest.raises(SystemExit) as caught:
        run(*options)
    assert str(caught.value).startswith("dnas sweep: ")
    return str(caught.value)


@pytest.fixture(scope="module")
def wide_checkpoint(
    tmp_path_factory: pytest.TempPathFactory,
    make_search: Callable[..., Any],
    make_trainer: Callable[..., pl.Trainer],
    tiny_space: SearchSpace,
) -> Path:
    """A real search of a wider member for larger images, by a table of the same phone."""
    folder = tmp_path_factory.mktemp("wide")
    member = tiny_space.scale(width=2.0, resolution=48)
    path = build_calibrated(CalibratedModel.load("adreno630_mace"), member, folder / "wide.csv")
    trainer = make_trainer(folder)
    trainer.fit(make_search(width=2.0, resolution=48, table=str(path)), datamodule=Digits(batch_size=32))
    trainer.save_checkpoint(folder / "wide.ckpt")
    return folder / "wide.ckpt"


def test_targets_of_one_search(
    run: Run, targets: list[float], table: LatencyTable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = run("--targets", *targets)
    out = tmp_path / "out"
    assert [member.target_ms for member in sweep.members] == targets[1:]
    for member in sweep.members:
        architecture = Architecture.load(out / member.file)
        assert table.latency_ms(architecture) == pytest.approx(member.latency_ms) and str(architecture) == (
            member.architecture
        )
        assert member.latency_ms <= member.target_ms
        assert member.top1 is not None and 0 <= member.top1 <= 1
    content = json.loads((out / "sweep.json").read_text())
    assert content["format"] == "dnas-sweep/1" and len(content["members"]) == 3
    assert content["searches"]["tiny"]["unattainable_ms"] == [targets[0]]
    assert (out / "front.png").stat().st_size > 1000
    page = (out / "report.html").read_text()
    assert "data:image/png;base64," in page and page.count("<tr>") == 4
    assert all(f'href="{member.file}"' in page for member in sweep.members)
    assert "no network is as fast as" in capsys.readouterr().out


def test_the_front_has_what_nothing_beats(run: Run, targets: list[float]) -> None:
    sweep = run("--targets", *targets)
    front = sweep.front
    assert front and front == sorted(front, key=lambda each: each.latency_ms)
    for member in sweep.members:
        assert any(
            best.latency_ms <= member.latency_ms and (best.top1 or 0) >= (member.top1 or 0) for best in front
        )


def test_two_members_of_a_family_make_one_front(
    run: Run, search_checkpoint: Path, wide_checkpoint: Path, tmp_path: Path
) -> None:
    sweep = run("--checkpoint", search_checkpoint, wide_checkpoint, "--targets", "1000", "--no-accuracy")
    assert [(member.space, member.resolution) for member in sweep.members] == [
        ("tiny", 32),
        ("tiny_w2_48px", 48),
    ]
    wide = Architecture.load(tmp_path / "out" / sweep.members[1].file)
    assert wide.space == SearchSpace.from_dict(wide.space.to_dict()) and wide.space.resolution == 48
    assert sweep.members[1].params > sweep.members[0].params
    assert sweep.front == [] and not (tmp_path / "out" / "front.png").exists()
    assert "<img" not in (tmp_path / "out" / "report.html").read_text()


def test_the_same_search_twice_has_two_names(run: Run, search_checkpoint: Path, tmp_path: Path) -> None:
    copy = shutil.copy(search_checkpoint, tmp_path / "copy.ckpt")
    sweep = run("--checkpoint", search_checkpoint, copy, "--targets", "1000", "--no-accuracy")
    assert list(sweep.searches) == ["tiny", "tiny-2"]


def test_a_second_run_measures_nothing_again(run: Run, targets: list[float], tmp_path: Path) -> None:
    first = run("--targets", *targets[1:3])
    candidates = tmp_path / "out/derived/tiny/candidates.csv"
    candidates.unlink()
    assert run("--targets", *targets[1:3]).members == first.members
    assert not candidates.exists(), "what was measured is read"
    assert len(run("--targets", *targets[2:]).members) == 2
    assert candidates.exists(), "other targets are derived"


@pytest.mark.parametrize(
    ("name", "value"),
    [("unattainable", "x"), ("latency_kind", None), ("device", []), ("fastest_ms", "x"), ("table", 5)],
)
def test_a_record_changed_by_hand_is_derived_again(
    name: str, value: Any, run: Run, targets: list[float], tmp_path: Path
) -> None:
    first = run("--targets", targets[1], "--no-accuracy")
    path = tmp_path / "out/derived/tiny/members.json"
    record = json.loads(path.read_text())
    del record["checksum"]
    path.write_text(json.dumps(record | {name: value}))
    with pytest.warns(UserWarning, match=f"members.json is damaged .*{name} is .*: its networks are derived"):
        assert run("--targets", targets[1], "--no-accuracy").members == first.members
    record["members"][0]["top1"] = "high"
    path.write_text(json.dumps(record))
    with pytest.warns(UserWarning, match="top1 is 'high'"):
        run("--targets", targets[1], "--no-accuracy")


def test_what_cannot_be_swept_is_one_message(run: Run, search_checkpoint: Path, tmp_path: Path) -> None:
    said = refusal(run, "--targets", "0", "--widths", "0.5", "0.5", "--set", "a=1")
    for part in ("--targets must be numbers above 0", "--widths: the same value twice", "--widths, --set: a"):
        assert part in said
    assert "run by 'dnas sweep'" in refusal(run, "--config", "c.yaml", "--targets", "8")
    (tmp_path / "none.ckpt").write_text("no checkpoint")
    assert "none.ckpt" in refusal(run, "--checkpoint", tmp_path / "none.ckpt", "--targets", "8")
    with pytest.raises(SystemExit, match="2"):
        run("--checkpoint", search_checkpoint, "--config", "c.yaml", "--targets", "8")


def test_latencies_of_two_devices_make_no_front(
    run: Run,
    search_checkpoint: Path,
    make_search: Callable[..., Any],
    make_trainer: Any,
    tmp_path: Path,
    tiny_space: SearchSpace,
) -> None:
    other = build_calibrated(CalibratedModel.load("adreno630_snpe"), tiny_space, tmp_path / "other.csv")
    trainer = make_trainer(tmp_path)
    trainer.fit(make_search(table=str(other)), datamodule=Digits(batch_size=32))
    trainer.save_checkpoint(tmp_path / "other.ckpt")
    runs = ["--checkpoint", search_checkpoint, tmp_path / "other.ckpt", "--targets", "1000", "--no-accuracy"]
    said = refusal(run, *runs)
    assert "one front needs one device" in said and "SNPE" in said and "MACE" in said


def test_a_network_that_several_targets_find_is_one_point() -> None:
    one = Member("w1", "tiny", 32, 4.0, 3.5, 10, 20, 0.5, 1.0, "a b", "one.json")
    same = replace(one, target_ms=6.0, file="two.json")
    other = replace(one, target_ms=8.0, latency_ms=7.0, architecture="a c", top1=None)
    found = points([one, same, other])
    assert [point.label for point in found] == ["w1, at most 4, 6 ms", "w1, at most 8 ms"]
    assert found[0].top1 == 0.5 and math.isnan(found[1].top1)
