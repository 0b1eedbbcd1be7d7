"""``dnas zoo load``: a file of torchvision's weights as a checkpoint that other commands take."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision

from dnas.export.command import main as export
from dnas.runs.preprocessing import Preprocessing
from dnas.runs.trained import read_network
from dnas.runs.weights_file import WeightsFile
from dnas.space import zoo
from dnas.zoo.command import main
from dnas.zoo.weights import ASSUMED, _known_preprocessing

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of MobileNetV3-Small of 5 classes, as a training with DataParallel leaves it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = torchvision.models.mobilenet_v3_small(num_classes=5)
    path = tmp_path_factory.mktemp("weights") / "small.pth"
    torch.save({"epoch": 3, "state_dict": torch.nn.DataParallel(network).state_dict()}, path)
    return path


def arguments(weights: Path, output: Path, *more: str) -> list[str]:
    given = ["load", "mobilenet_v3_small", "--weights", str(weights), "--output", str(output)]
    return [*given, "--classes", "5", *more]


def test_a_checkpoint_with_all_that_is_known(weights: Path, tmp_path: Path, capsys: Capture) -> None:
    output = tmp_path / "new" / "small.ckpt"
    assert main(arguments(weights, output)) == output
    printed = capsys.readouterr().out
    assert "244 tensors from" in printed and f"({ASSUMED})" in printed and "224 px of 256" in printed
    trained = read_network(output)
    assert trained.network.arch == zoo.load("mobilenet_v3_small") and not trained.network.training
    assert trained.preprocessing == Preprocessing.usual(224) and trained.resolution == 224
    assert trained.normalisation == Preprocessing.usual(224).normalisation
    theirs = torchvision.models.mobilenet_v3_small(num_classes=5).eval()
    content = torch.load(weights, weights_only=True)
    theirs.load_state_dict({name.removeprefix("module."): x for name, x in content["state_dict"].items()})
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(trained.network(images), theirs(images), rtol=1e-4, atol=1e-6)
    origin = torch.load(output, weights_only=True)["weights_from"]
    assert origin["file"] == "small.pth" and origin["key"] == "state_dict" and len(origin["sha256"]) == 64


def test_preprocessing_of_ones_own(weights: Path, tmp_path: Path, capsys: Capture) -> None:
    sizes = ("--crop", "64", "--resize", "70", "--interpolation", "bicubic")
    main(
        arguments(weights, tmp_path / "a.ckpt", *sizes, "--mean", "0.5", "0.4", "0.3", "--std", "1", "1", "2")
    )
    found = read_network(tmp_path / "a.ckpt")
    assert found.preprocessing == Preprocessing(70, 64, "bicubic", (0.5, 0.4, 0.3), (1.0, 1.0, 2.0))
    assert found.resolution == 64
    assert "resize, crop, interpolation, mean, std as given" in capsys.readouterr().out


@pytest.mark.slow
def test_export_takes_it(weights: Path, tmp_path: Path, capsys: Capture) -> None:
    main(arguments(weights, tmp_path / "a.ckpt", "--crop", "64"))
    export(
        ["--checkpoint", str(tmp_path / "a.ckpt"), "--output", str(tmp_path / "a.onnx"), "--input", "unit"]
    )
    assert "images (1, 3, 64, 64) float32, pixels in [0, 1]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "digest", "expected", "source"),
    [
        ("mobilenet_v2", "7ebf99e0" + 56 * "0", (232, "bilinear"), "MobileNet_V2_Weights.IMAGENET1K_V2"),
        ("mobilenet_v2", "b0353104" + 56 * "0", (256, "bilinear"), "MobileNet_V2_Weights.IMAGENET1K_V1"),
        ("efficientnet_b0", "7f5810bc" + 56 * "0", (256, "bicubic"), "EfficientNet_B0_Weights.IMAGENET1K_V1"),
        ("mobilenet_v2", 64 * "0", (256, "bilinear"), ASSUMED),
        ("moga_a", 64 * "0", (256, "bilinear"), ASSUMED),
    ],
)
def test_torchvisions_files_are_known_by_their_digest(
    name: str, digest: str, expected: tuple[int, str], source: str
) -> None:
    found, said = _known_preprocessing(zoo.published(name), WeightsFile({}, "any.pth", "", digest))
    assert (found.resize, found.interpolation) == expected and found.crop == 224
    assert said.endswith(source)


def test_nothing_is_overwritten(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_text("mine")
    with pytest.raises(SystemExit, match=r"a.ckpt is there already\. Choose another"):
        main(arguments(weights, tmp_path / "a.ckpt"))
    assert (tmp_path / "a.ckpt").read_text() == "mine"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            ["--classes", "1000"],
            r"does not fit mobilenet_v3_small\. .*; 2 do not fit:\n  209: module.classifier.3.w",
        ),
        (["--classes", "0"], "--classes must be 1 or more, got 0"),
        (["--mean", "0.5", "--std", "1"], "need a number for each channel, 3, got 1"),
        (["--crop", "500"], "resize must be at least crop"),
        (["--key", "model"], "no state dict at 'model'; it has 'state_dict'"),
        (["--weights", "none.pth"], "No file none.pth of weights"),
    ],
)
def test_mistakes_are_one_message(more: list[str], message: str, weights: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=message):
        main(arguments(weights, tmp_path / "a.ckpt", *more))
    assert not (tmp_path / "a.ckpt").exists()
