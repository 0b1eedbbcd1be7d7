"""Options that have moved are refused with their new places, wherever and however they were given."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from dnas.search.gradient.objective import (
    AbsoluteLatency,
    AdditiveLatency,
    FBNetLatency,
    HingeLatency,
    MnasNetLatency,
)
from lightning_modules.app.cli import main
from lightning_modules.app.moved_keys import _RENAMED, refuse_moved
from lightning_modules.app.resources import config_root, shipped_configs
from lightning_modules.search_settings import Learner, Steps

KINDS: dict[str, Any] = {"weights": Learner, "alpha": Learner, "steps": Steps}
FORMS: list[Any] = [FBNetLatency, AdditiveLatency, MnasNetLatency, AbsoluteLatency, HingeLatency]
SEARCH = ["fit", f"--config={config_root() / 'digits/search.yaml'}"]
OLD = """\
model:
  class_path: lightning_modules.search.DifferentiableSearch
  init_args:
    objective:
      class_path: dnas.search.gradient.objective.Objective
      init_args: {form: absolute, target_ms: 8.0, weight: 2.0}
"""


@pytest.mark.parametrize("name", shipped_configs())
def test_shipped_configs_have_no_key_that_moved(name: str) -> None:
    refuse_moved(["fit", "--config", str(config_root() / name)])


@pytest.mark.parametrize(
    "flags",
    [
        ["--model.objective.weight_per_ms=0.2"],
        ["--model.objective.weight_per_ms", "0.2"],
        ["--model.init_args.objective.init_args.weight_per_ms=0.2"],
        ["--model.objective={init_args: {weight_per_ms: 0.2}}"],
        ["--model.init_args={objective: {weight_per_ms: 0.2}}"],
    ],
    ids=str,
)
def test_every_way_to_say_it_on_the_command_line(flags: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        refuse_moved([*SEARCH, *flags])
    assert str(caught.value).splitlines() == [
        "Options of DifferentiableSearch have moved:",
        "  command line: model.objective.weight_per_ms is now model.objective.form.weight_per_ms",
    ]


@pytest.mark.parametrize(("old", "new"), [("compile", "CompileLayers"), ("cuda_graphs", "CudaGraphs")])
def test_what_became_a_callback(old: str, new: str) -> None:
    with pytest.raises(
        ValueError, match=f"model.{old} is now lightning_modules.callbacks.{new}, in trainer.call"
    ):
        refuse_moved([*SEARCH, f"--model.{old}", "true"])


@pytest.mark.parametrize("flag", ["compile=null", "cuda_graphs=false", "objective.target_ms=null"])
def test_what_was_not_set_is_to_be_left_out(flag: str) -> None:
    with pytest.raises(ValueError, match=f"model.{flag.split('=')[0]}, which is not set, .*: leave it out"):
        refuse_moved([*SEARCH, f"--model.{flag}"])


def test_one_message_for_all_of_a_config_and_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(OLD)
    with pytest.raises(ValueError) as caught:
        refuse_moved(["fit", "-c", str(path), "--model.objective.form", "hinge"])
    assert str(caught.value).splitlines() == [
        "Options of DifferentiableSearch have moved:",
        f"  {path}: model.objective.target_ms is now model.objective.form.target_ms",
        f"  {path}: model.objective.weight is now model.objective.form.weight",
        f"  {path}: model.objective.form absolute is now the class AbsoluteLatency",
        "  command line: model.objective.form hinge is now the class HingeLatency",
    ]


def test_every_option_of_before_is_one_of_today() -> None:
    moved = _RENAMED["DifferentiableSearch"].values()
    taken = {f"{name}.{field.name}" for name, kind in KINDS.items() for field in fields(kind)}
    assert {each for each in moved if not each.startswith("objective.")} <= taken
    forms = {f"objective.form.{field.name}" for form in FORMS for field in fields(form)}
    assert {each for each in moved if each.startswith("objective.")} == forms


def test_a_command_ends_in_that_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DNAS_TRACEBACK", raising=False)
    Path("old.yaml").write_text(OLD)
    with pytest.raises(
        SystemExit, match=r"^dnas fit: Options of DifferentiableSearch have moved:\n  old.yaml"
    ):
        main(["fit", "--config=old.yaml"])
    assert [path.name for path in tmp_path.iterdir()] == ["old.yaml"]


@pytest.mark.parametrize(
    "flags",
    [
        # Other classes have options of the same names.
        ["--config", str(config_root() / "digits/one_shot.yaml"), "--model.objective.weight=1"],
        ["--model=mine.Search", "--model.objective.weight=1"],
        ["--model.objective.form=AbsoluteLatency", "--model.objective.form.weight=1"],
        # Mistakes that the parser reports.
        ["--config=nosuch.yaml"],
        ["--config"],
        ["--model.objective"],
        ["--model.objective={weight"],
        ["--model="],
    ],
    ids=str,
)
def test_all_else_is_left_to_the_parser(flags: list[str]) -> None:
    refuse_moved([*SEARCH, *flags])


@pytest.mark.parametrize("text", ["model: 3", "model: {init_args: [1]}"])
def test_sections_that_are_none_are_left_to_the_parser(text: str, tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(text)
    refuse_moved([*SEARCH, f"--config={path}"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{broken", "while parsing"),
        (b"[" * 5000, "nested more than 64 levels"),
        (b"model: {a: 1, a: 2}", "given twice: a"),
        (b"model: &a [*a]", "alias"),
        (b"\xff", "not a text in UTF-8"),
        (b"# nothing yet\n", r"it is empty, expected sections \(model, data, trainer\)"),
        (b"- model\n", "it is a list, expected sections"),
    ],
    ids=["damaged", "deep", "twice", "alias", "binary", "empty", "list"],
)
def test_configs_that_cannot_be_read(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"my.yaml is not a config: .*{said}"):
        refuse_moved([*SEARCH, f"--config={path}"])
