"""A fit that ends with a refinement: the same results as the command gives, by the same code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from dnas.refine.command import main
from dnas.space import SearchSpace
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel
from lightning_modules.callbacks import RefineAfterFit
from lightning_modules.one_shot import OneShotSupernet
from lightning_modules.search import DifferentiableSearch

Fit = Callable[..., pl.Trainer]
SMALL: dict[str, Any] = {"population": 4, "generations": 2, "recalibration_batches": 1}
FLAGS = ["--population=4", "--generations=2", "--recalibration-batches=1"]


def fit_and_refine(fit: Fit, module: pl.LightningModule, folder: Path, refine: RefineAfterFit) -> Path:
    last = pl.callbacks.ModelCheckpoint(folder / "checkpoints", filename="last")
    fit(module, folder, callbacks=[last, refine], enable_checkpointing=True)
    return folder / "checkpoints" / "last.ckpt"


def test_a_one_shot_supernet(
    make_one_shot: Callable[..., OneShotSupernet], fit: Fit, tiny_table_file: Path, tmp_path: Path
) -> None:
    refine = RefineAfterFit(table=str(tiny_table_file), **SMALL)
    checkpoint = fit_and_refine(fit, make_one_shot(), tmp_path, refine)
    assert refine.outcome is not None and len(refine.outcome.course.found) == 8
    options = [f"--checkpoint={checkpoint}", f"--table={tiny_table_file}", f"--output={tmp_path / 'again'}"]
    main([*options, *FLAGS])
    for name in ("front.json", "evaluated.csv", "hypervolume.csv", "state.json"):
        assert (tmp_path / "refined" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_several_devices_after_a_search(
    make_search: Callable[..., DifferentiableSearch],
    fit: Fit,
    tiny_space: SearchSpace,
    tiny_table_file: Path,
    tmp_path: Path,
) -> None:
    other = build_calibrated(CalibratedModel.load("adreno630_snpe"), tiny_space, tmp_path / "other.csv")
    tables = [f"first={tiny_table_file}", f"second={other}"]
    refine = RefineAfterFit(table=tables, latency_below=["second=2.0"], **SMALL)
    fit_and_refine(fit, make_search(), tmp_path, refine)
    run = json.loads((tmp_path / "refined" / "run.json").read_text())
    assert list(run["tables"]) == ["first", "second"] and run["seeded_from"] == ["last.ckpt"]
    assert run["bounds"]["latency_below_ms"] == {"second": 2.0}
    assert (tmp_path / "refined" / "devices" / "second" / "front.json").is_file()


@pytest.mark.parametrize("seeded", [True, False])
def test_a_search_seeds_its_refinement(
    make_search: Callable[..., DifferentiableSearch], fit: Fit, tmp_path: Path, seeded: bool
) -> None:
    search = make_search()
    refine = RefineAfterFit(seeded=seeded, **SMALL)
    fit_and_refine(fit, search, tmp_path, refine)
    run = json.loads((tmp_path / "refined" / "run.json").read_text())
    assert run["seeded_from"] == (["last.ckpt"] if seeded else None)
    assert refine.outcome is not None
    first = next(iter(refine.outcome.course.found))
    assert (first == search.relaxation.best().indices) or not seeded


@pytest.mark.slow
def test_on_the_command_line(tiny_flags: list[str], run_cli: Any, tmp_path: Path) -> None:
    callback = ["--trainer.callbacks+=lightning_modules.callbacks.RefineAfterFit"]
    options = ["population=4", "generations=1", "recalibration_batches=1"]
    callback += [f"--trainer.callbacks.{option}" for option in options]
    done = run_cli(*tiny_flags, *callback, "--run_folder=run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "of 4 evaluated" in done.stdout and "refined/front.json" in done.stdout
    assert json.loads((tmp_path / "run" / "refined" / "run.json").read_text())["finished"]


def test_bad_options_are_refused_before_training() -> None:
    with pytest.raises(ValueError, match="--population must be 1 or more, got 0"):
        RefineAfterFit(population=0)


def test_a_one_shot_supernet_without_a_table_is_refused_before_training(
    make_one_shot: Callable[..., OneShotSupernet], fit: Fit, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="has no latency table"):
        fit_and_refine(fit, make_one_shot(), tmp_path, RefineAfterFit(**SMALL))


def test_without_checkpoints_there_is_nothing_to_refine(
    make_search: Callable[..., DifferentiableSearch], fit: Fit, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="enable checkpointing"):
        fit(make_search(), tmp_path, callbacks=[RefineAfterFit(**SMALL)])
