"""Files of weights that others have written: found in what they hold, and refused in one message."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dnas.runs.checkpoint import CheckpointError
from dnas.runs.weights_file import read_weights

STATE = {"a.weight": torch.arange(1000.0), "a.bias": torch.ones(2)}


def saved(path: Path, content: Any, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (STATE, ""),
        ({"state_dict": STATE, "epoch": 3, "best": 0.7}, "state_dict"),
        ({"model_state": STATE, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}}, "model_state"),
    ],
)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_the_state_dict_is_found(content: Any, key: str, zipped: bool, tmp_path: Path) -> None:
    path = saved(tmp_path / "net.pth", content, _use_new_zipfile_serialization=zipped)
    found = read_weights(path)
    assert found.origin == {
        "file": "net.pth",
        "key": key,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    assert list(found.state) == list(STATE)
    assert all(torch.equal(value, STATE[name]) for name, value in found.state.items())


def test_of_several_one_is_chosen(tmp_path: Path) -> None:
    averaged = {name: value + 1 for name, value in STATE.items()}
    path = saved(tmp_path / "net.pth", {"model": STATE, "ema": averaged})
    with pytest.raises(
        CheckpointError, match=r"net.pth holds 2 state dicts: model, ema\. Choose one \(--key\)"
    ):
        read_weights(path)
    assert torch.equal(read_weights(path, "ema").state["a.bias"], torch.full((2,), 2.0))
    with pytest.raises(CheckpointError, match="has no state dict at 'net'; it has 'model', 'ema'"):
        read_weights(path, "net")


@pytest.mark.parametrize("content", [{}, [1, 2], {"epoch": 3, "lr": 0.1}, torch.ones(2)], ids=str)
def test_no_state_dict(content: Any, tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"net.pth holds no state dict, but .*\. Expected what torch.save"
    ):
        read_weights(saved(tmp_path / "net.pth", content))


class Calls:
    """When unpickled: makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("write", [torch.save, lambda each, path: path.write_bytes(pickle.dumps(each))])
def test_a_file_that_would_run_code_is_refused(write: Callable[[Any, Path], Any], tmp_path: Path) -> None:
    write({"state_dict": STATE, "more": Calls(tmp_path / "ran")}, tmp_path / "bad.pth")
    with pytest.raises(
        CheckpointError, match=r"bad.pth holds more than tensors.*could run code, so it is refused"
    ):
        read_weights(tmp_path / "bad.pth")
    assert not (tmp_path / "ran").exists()


def test_a_whole_module_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"more than tensors \(torch.nn.modules.linear.Linear\)"):
        read_weights(saved(tmp_path / "module.pth", torch.nn.Linear(2, 2)))


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize("keep", [0, 50, 1000, -100])
def test_a_truncated_file(keep: int, zipped: bool, tmp_path: Path) -> None:
    path = saved(tmp_path / "net.pth", STATE, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"net.pth cannot be read as weights \(damaged"):
        read_weights(path)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"No file .*none\.pth of weights"):
        read_weights(tmp_path / "none.pth")
