"""A search of a member of a space's family, from the command line to the file that retraining takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dnas.derive.command import main as derive
from dnas.runs.checkpoint_file import read
from dnas.space import SearchSpace, SpaceError
from dnas.space.architecture import Architecture
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel
from latency.table import TableError
from lightning_modules.app.lightning_command import run_lightning
from lightning_modules.one_shot import OneShotSupernet


@pytest.fixture
def member(tiny_space: SearchSpace) -> SearchSpace:
    return tiny_space.scale(width=1.5, resolution=48)


@pytest.mark.slow
def test_a_search_of_a_member_is_derived_as_any(
    tiny_flags: list[str],
    member: SearchSpace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DNAS_RUN_FOLDER", "")
    table = build_calibrated(CalibratedModel.load("adreno630_mace"), member, tmp_path / "member.csv")
    scaled = ["--model.width=1.5", "--model.resolution=48", f"--model.table={table}"]
    with torch.random.fork_rng(devices=[]):
        run_lightning([*tiny_flags, *scaled, "--run_folder=run"])
    assert "deployed network at 48 px; training sees images of 8 px" in capsys.readouterr().out
    checkpoint = read("run/checkpoints/last.ckpt")
    assert checkpoint.space == member and checkpoint.space.name == "tiny_w1.5_48px"
    derive(["--checkpoint", "run/checkpoints/last.ckpt", "--output", "derived", "--no-accuracy"])
    architecture = Architecture.load("derived/architecture.json")
    assert architecture.space == member
    assert [layer.out_channels for layer in architecture.space.layers] == [16, 24, 24]


def test_a_table_of_the_family_does_not_fit_its_member(make_search: Callable[..., Any]) -> None:
    with pytest.raises(TableError, match=r"tiny_w2.*python -m latency build --kernels"):
        make_search(width=2.0)
    with pytest.raises(TableError, match="for 'tiny', the search uses 'tiny_48px', 11 of whose 11"):
        make_search(resolution=48)


def test_a_supernet_of_a_member(make_one_shot: Callable[..., OneShotSupernet], member: SearchSpace) -> None:
    supernet = make_one_shot(width=1.5, resolution=48)
    assert supernet.space == member
    assert supernet.supernet(torch.rand(2, 3, 8, 8), torch.tensor([0, 0, 0])).shape == (2, 10)
    with pytest.raises(SpaceError, match=r"tiny cannot be scaled: width must be a number above 0, got 0\.0"):
        make_one_shot(width=0.0)
