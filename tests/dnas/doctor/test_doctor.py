"""What is here is said; what is missing is said with what to do; only what breaks everything is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dnas.doctor import checks
from dnas.doctor.command import main


def by_name(part: Callable[[], object]) -> dict[str, checks.Found]:
    return {found.what: found for found in part()}  # type: ignore[attr-defined]


def test_this_environment_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(each in said for each in ("Python", "torchvision", "processor", "extra onnx", "digits"))
    assert main(["--json"]) == 0
    found = {each["what"]: each for each in json.loads(capsys.readouterr().out)}
    assert found["torch"]["status"] == "ok" and found["torch"]["text"][0].isdigit()


def test_what_is_missing_is_named_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    known = checks._version
    monkeypatch.setattr(checks, "_version", lambda name: None if name in ("scipy", "onnx") else known(name))
    assert by_name(checks.packages)["scipy"][:3] == ("wrong", "scipy", "missing")
    extra = by_name(checks.extras)["extra onnx"]
    assert extra.status == "note" and extra.remedy == "pip install 'dnas[onnx]'"
    assert extra.text.startswith("onnx missing, for dnas export")


def test_torch_and_torchvision_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not list(checks.pair())

    def broken(name: str) -> None:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(checks, "import_module", broken)
    (found,) = checks.pair()
    assert found.status == "wrong" and "nms" in found.text and "torch torchvision" in found.remedy


def test_a_folder_that_cannot_be_written_to_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object, **options: object) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(checks.tempfile, "TemporaryFile", refused)
    assert by_name(checks.folders)["present folder"].status == "wrong"
    monkeypatch.undo()
    assert by_name(checks.folders)["present folder"].status == "ok"


def test_data_that_are_not_where_they_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DNAS_DATA", str(tmp_path))
    assert by_name(checks.data)["DNAS_DATA"].status == "note"
    (tmp_path / "cifar10" / "cifar-10-batches-py").mkdir(parents=True)
    assert by_name(checks.data)["DNAS_DATA"].status == "ok"
