"""A real search checkpoint is read without Lightning; anything else gets one message."""

from __future__ import annotations

import copy
import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from dnas.runs.checkpoint import SECTION, CheckpointError, SearchCheckpoint
from dnas.runs.checkpoint_file import read
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture


@pytest.fixture(scope="module")
def content(search_checkpoint: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(search_checkpoint, weights_only=True)
    return loaded


@pytest.fixture
def damaged(content: dict[str, Any], tmp_path: Path) -> Callable[[Callable[[dict[str, Any]], Any]], Path]:
    """The checkpoint after a change."""

    def save(change: Callable[[dict[str, Any]], Any]) -> Path:
        changed = copy.deepcopy(content)
        change(changed)
        torch.save(changed, tmp_path / "damaged.ckpt")
        return tmp_path / "damaged.ckpt"

    return save


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_everything_is_there(
    search_checkpoint: Path, content: dict[str, Any], tiny_space: SearchSpace, tiny_table_file: Path
) -> None:
    checkpoint = read(search_checkpoint)
    assert checkpoint.space == tiny_space and checkpoint.alpha.shape == (3, 4)
    assert torch.equal(checkpoint.alpha, content["state_dict"]["relaxation.alpha"])
    assert checkpoint.alpha.dtype == torch.float32 and checkpoint.alpha.abs().sum() > 0
    assert set(checkpoint.table) == {"name", "kind", "sha256"}
    assert checkpoint.table_source == str(tiny_table_file)
    assert checkpoint.data is not None and checkpoint.data["class_path"].endswith("Digits")
    assert [record["epoch"] for record in checkpoint.history] == [0, 1]
    assert {"expected_latency_ms", "argmax_latency_ms", "entropy", "val_top1"} <= set(checkpoint.history[0])
    assert checkpoint.versions["torch"] == torch.__version__.split("+")[0]
    assert checkpoint.sha256 == hashlib.sha256(search_checkpoint.read_bytes()).hexdigest()
    assert (checkpoint.seed, checkpoint.epoch) == (0, content["epoch"])


def test_the_supernet_comes_back_with_its_weights(search_checkpoint: Path, content: dict[str, Any]) -> None:
    checkpoint = read(search_checkpoint)
    supernet = checkpoint.build_supernet()
    assert not supernet.training and supernet.sharing == "entangled"
    for name, value in supernet.state_dict().items():
        assert torch.equal(value, content["state_dict"][f"supernet.{name}"])
    arch = Architecture(checkpoint.space, (3, 2, 1))
    x = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(supernet(x, torch.tensor(arch.indices)), supernet.extract(arch)(x))


def test_missing_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.ckpt", tmp_path):
        assert "No checkpoint" in refusal(path)


@pytest.mark.parametrize("kept", [0, 1, 100, 5000, -1])
def test_truncated(search_checkpoint: Path, tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.ckpt"
    path.write_bytes(search_checkpoint.read_bytes()[:kept])
    assert "cannot be read as a checkpoint" in refusal(path)


@pytest.mark.parametrize("data", [b"text, no checkpoint", b"\x80\x02garbage", b"PK\x03\x04", b"\x00" * 64])
def test_not_a_checkpoint(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "other.ckpt"
    path.write_bytes(data)
    assert "cannot be read as a checkpoint" in refusal(path)


def test_flipped_bytes_are_refused_or_harmless(search_checkpoint: Path, tmp_path: Path) -> None:
    """Damage that the archive's own checks let through must not surface as an error of the reader."""
    whole, path, dice = search_checkpoint.read_bytes(), tmp_path / "flipped.ckpt", random.Random(0)
    refused = 0
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(dice.choice([1, 20])):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        path.write_bytes(data)
        try:
            assert isinstance(read(path), SearchCheckpoint)
        except CheckpointError:
            refused += 1
    assert refused


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('executed')",))


def test_pickled_objects_are_refused_and_never_run(
    damaged: Callable[[Callable[[dict[str, Any]], Any]], Path],
) -> None:
    path = damaged(lambda content: content.update(extra=Payload()))
    with pytest.raises(SystemExit, match="executed"):
        torch.load(path, weights_only=False)
    assert "cannot be read as a checkpoint" in refusal(path)


class Other(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)


def test_a_checkpoint_of_something_else(tmp_path: Path, make_trainer: Callable[..., pl.Trainer]) -> None:
    trainer = make_trainer(tmp_path)
    trainer.strategy.connect(Other())
    trainer.save_checkpoint(tmp_path / "other.ckpt", weights_only=True)
    told = refusal(tmp_path / "other.ckpt")
    assert "not of a search or a one-shot supernet: it has no section 'dnas'" in told
    torch.save([1, 2], tmp_path / "list.ckpt")
    assert "not of a search" in refusal(tmp_path / "list.ckpt")


def in_section(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda content: content[SECTION].update(changes)


def without(*keys: str) -> Callable[[dict[str, Any]], Any]:
    return lambda content: [content[SECTION].pop(key) for key in keys]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (in_section(format="dnas-search/9"), "of format 'dnas-search/1'"),
        (lambda content: content.update({SECTION: 5}), "no section 'dnas'"),
        (without("alpha", "table"), "alpha is missing; table is missing"),
        (without("space"), "space is missing"),
        (in_section(alpha=[[0.0]], supernet=None), "alpha is list, expected Tensor; supernet is NoneType"),
        (in_section(format=["x"]), "of format 'dnas-search/1'"),
        (in_section(versions={"torch": "\x1b[2J"}), "the character \\\\x1b in the text"),
        (
            lambda content: content.update(epoch={}, hyper_parameters=[]),
            "epoch is {}.*hyper_parameters is list",
        ),
        (in_section(table={"name": "x"}), "table.kind is missing; table.sha256 is missing"),
        (in_section(alpha=torch.zeros(3, 3)), r"alpha has shape \(3, 3\), its space tiny needs \(3, 4\)"),
        (in_section(alpha=torch.zeros(3)), r"alpha has shape \(3,\)"),
        (
            in_section(alpha=torch.tensor([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, float("nan")]])),
            "finite in L3",
        ),
        (
            in_section(alpha=torch.full((3, 4), float("inf"))),
            "not finite in L1, L2, L3: the search had diverged",
        ),
        (in_section(space={"name": "tiny"}), "problem.*in the search space tiny"),
        (lambda content: content.pop("state_dict"), "no weights"),
        (lambda content: content.update(state_dict=None), "no weights"),
    ],
)
def test_damaged_sections(
    damaged: Callable[[Callable[[dict[str, Any]], Any]], Path],
    change: Callable[[dict[str, Any]], Any],
    message: str,
) -> None:
    path = damaged(change)
    with pytest.raises(CheckpointError, match=message):
        read(path)
    refusal(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (in_section(supernet={"sharing": "entangled", "depth": 3}), "depth"),
        (in_section(supernet={"sharing": "telepathy"}), "Unknown sharing"),
        (in_section(supernet={"sharing": "independent"}), "Missing key"),
        (in_section(supernet={"sharing": "entangled", "num_classes": 3}), "size mismatch"),
    ],
)
def test_a_supernet_that_does_not_fit(
    damaged: Callable[[Callable[[dict[str, Any]], Any]], Path],
    change: Callable[[dict[str, Any]], Any],
    message: str,
) -> None:
    checkpoint = read(damaged(change))
    with pytest.raises(CheckpointError, match=f"(?s)cannot be rebuilt from the checkpoint.*{message}"):
        checkpoint.build_supernet()
