"""``dnas evaluate`` as a user meets it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from dnas.evaluate.command import main

Capture = pytest.CaptureFixture[str]


def evaluate(classified: Any, *more: str, checkpoint: Path | None = None) -> Any:
    given = ["--checkpoint", str(checkpoint or classified.checkpoint), "--data", str(classified.folder)]
    return main([*given, "--workers", "0", "--device", "cpu", *more])


def changed(classified: Any, output: Path, *removed: str) -> Path:
    """The checkpoint without some of what it says."""
    content = torch.load(classified.checkpoint, weights_only=True)
    torch.save({key: value for key, value in content.items() if key not in removed}, output)
    return output


def test_it_prints_accuracy_and_what_it_is_of(classified: Any, capsys: Capture) -> None:
    found = evaluate(classified)
    hits = int((classified.logits.argmax(1) == classified.labels).sum())
    assert found.top1 == pytest.approx(hits / 30) and found.images == 30
    printed = capsys.readouterr().out
    assert (
        "30 images of 7 classes in" in printed and f"Top-1 {100 * hits / 30:.2f} % (95 % interval" in printed
    )
    assert "Preprocessing: 64 px of 73, bilinear, mean 0.485" in printed


def test_options_replace_the_checkpoints_preprocessing(classified: Any, capsys: Capture) -> None:
    evaluate(classified, "--crop", "48", "--interpolation", "bicubic")
    assert "Preprocessing: 48 px of 73, bicubic, mean 0.485" in capsys.readouterr().out


def test_a_checkpoint_of_fit_says_resolution_and_normalisation(
    classified: Any, tmp_path: Path, capsys: Capture
) -> None:
    known = changed(classified, tmp_path / "known.ckpt", "preprocessing")
    evaluate(classified, checkpoint=known)
    assert "Preprocessing: 64 px of 73, bilinear, mean 0.485" in capsys.readouterr().out
    little = ("preprocessing", "normalisation", "datamodule_hyper_parameters")
    unknown = changed(classified, tmp_path / "unknown.ckpt", *little)
    with pytest.raises(SystemExit, match=r"does not say how .* preprocessed\. Give --crop, --mean, --std\."):
        evaluate(classified, checkpoint=unknown)
    numbers = ("--mean", "0", "0", "0", "--std", "1", "1", "1")
    evaluate(classified, "--crop", "32", *numbers, checkpoint=unknown)
    assert "Preprocessing: 32 px of 37, bilinear, mean 0, 0, 0, std 1, 1, 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            ["--batch", "0", "--workers", "-1"],
            "--batch must be 1 or more, got 0; --workers must be 0 or more",
        ),
        (["--device", "tpu"], "--device must be one of auto, cpu, cuda, got tpu"),
        (["--mean", "0.5", "--std", "0.5"], "need a number for each channel, 3, got 1"),
        (["--interpolation", "cubic"], "interpolation must be one of nearest"),
        (["--checkpoint", "none.ckpt"], "No checkpoint none.ckpt"),
        (["--data", "none"], r"No folder none\. Expected FOLDER/val/CLASS"),
    ],
)
def test_mistakes_are_one_message(more: list[str], message: str, classified: Any) -> None:
    with pytest.raises(SystemExit, match=rf"^dnas evaluate: .*{message}"):
        evaluate(classified, *more)


def test_a_checkpoint_with_damaged_preprocessing(classified: Any, tmp_path: Path) -> None:
    content = torch.load(classified.checkpoint, weights_only=True)
    content["preprocessing"]["std"] = [1.0, 0.0, 1.0]
    torch.save(content, tmp_path / "bad.ckpt")
    with pytest.raises(SystemExit, match=r"bad.ckpt: Preprocessing: std must be above 0"):
        evaluate(classified, checkpoint=tmp_path / "bad.ckpt")
