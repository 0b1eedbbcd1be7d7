"""A network of torchvision's weights says of images in folders what torchvision's network says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from dnas.evaluate.accuracy import accuracy, wilson_interval
from dnas.evaluate.images import Images
from dnas.runs.trained import read_network


def test_predictions_are_torchvisions(classified: Any) -> None:
    checkpoint, folder, expected, labels = classified
    trained = read_network(checkpoint)
    images = Images(folder, trained.preprocessing, 7)
    assert len(expected.argmax(1).unique()) > 3, "a network that says the same of every image proves nothing"
    with torch.no_grad():
        logits = torch.cat([trained.network.double()(each.double()) for each, _, _ in DataLoader(images, 8)])
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5 * expected.abs().max().item())
    assert torch.equal(logits.argmax(1), expected.argmax(1))
    assert [label for _, label in images.files] == labels.tolist()


@pytest.mark.parametrize("workers", [0, 2])
def test_accuracy_is_that_of_the_predictions(classified: Any, workers: int) -> None:
    checkpoint, folder, logits, labels = classified
    trained, seen = read_network(checkpoint), []
    images = Images(folder, trained.preprocessing, 7)
    found = accuracy(trained.network, images, 7, batch=8, workers=workers, advance=seen.append)
    assert seen == [8, 8, 8, 6] and found.images == 30
    assert found.top1 == pytest.approx((logits.argmax(1) == labels).float().mean().item())
    in_five = (logits.topk(5).indices == labels[:, None]).any(1)
    assert found.top5 == pytest.approx(in_five.float().mean().item())
    assert found.loss == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-4)


@pytest.mark.parametrize("workers", [0, 1])
def test_damaged_images_are_named(classified: Any, workers: int, tmp_path: Path) -> None:
    checkpoint, folder, *_ = classified
    for index in range(7):
        (tmp_path / f"n{index:02d}").mkdir()
    whole = next((folder / "val").rglob("*.png"))
    (tmp_path / "n00" / "a.png").write_bytes(whole.read_bytes())
    (tmp_path / "n01" / "b.png").write_bytes(whole.read_bytes()[:200])
    (tmp_path / "n02" / "c.jpg").write_bytes(b"no image")
    trained = read_network(checkpoint)
    images = Images(tmp_path, trained.preprocessing, 7)
    with pytest.raises(ValueError, match=r"n01/b.png cannot be decoded \(.*n02/c.jpg cannot .*\. Replace"):
        accuracy(trained.network, images, 7, workers=workers)


@pytest.mark.parametrize(
    ("share", "n", "expected"),
    [
        # Computed by scipy.stats.binomtest(k, n).proportion_ci(method="wilson").
        (0.759, 50_000, (0.755231, 0.762729)),
        (0.5, 10, (0.236593, 0.763407)),
        (0.0, 20, (0.0, 0.161125)),
        (1.0, 20, (0.838875, 1.0)),
    ],
)
def test_the_interval_is_wilsons(share: float, n: int, expected: tuple[float, float]) -> None:
    assert wilson_interval(share, n) == pytest.approx(expected, abs=1e-6)
