"""Networks as ONNX files: they compute what PyTorch does, as plain convolutions, or are not written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import pytorch_lightning as pl
import torch

from dnas import Architecture, Network, SearchSpace
from dnas.export.checking import compare
from dnas.export.command import main
from dnas.export.images import real_images
from dnas.export.source import of_checkpoint
from dnas.layers.layers import with_stock_convolutions
from dnas.nn.onnx_file import run_onnx
from dnas.runs.trained import read_network
from dnas.space import zoo
from lightning_modules.classifier import Classifier
from lightning_modules.data import Digits


@pytest.fixture(scope="module")
def checkpoint(
    tiny_space: SearchSpace, make_trainer: Callable[..., pl.Trainer], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Of a small network, trained for two steps on digits of one channel."""
    folder = tmp_path_factory.mktemp("trained")
    file = Architecture(tiny_space, (3, 2, 3)).save(folder / "architecture.json")
    optimizer = partial(torch.optim.SGD, lr=0.05)
    model = Classifier(str(file), 10, in_channels=1, stem_stride=1, optimizer=optimizer)
    trainer = make_trainer(folder)
    trainer.fit(model, datamodule=Digits(resolution=20, in_channels=1))
    trainer.save_checkpoint(folder / "last.ckpt")
    return folder / "last.ckpt"


def changed(checkpoint: Path, folder: Path, change: Callable[[dict], object]) -> Path:
    """Another checkpoint."""
    content = torch.load(checkpoint, weights_only=True)
    change(content)
    torch.save(content, folder / "changed.ckpt")
    return folder / "changed.ckpt"


@pytest.mark.slow
def test_a_trained_network(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "new" / "model.onnx"
    assert main(["--checkpoint", str(checkpoint), "--output", str(output), "--any-batch"]) == [output]
    trained = read_network(checkpoint)
    images = torch.randn(3, 1, 20, 20)
    with torch.no_grad():
        expected = trained.network(images)
    torch.testing.assert_close(run_onnx(output, images), expected, atol=1e-4, rtol=0)
    facts = {each.key: each.value for each in onnx.load(output).metadata_props}
    assert facts["architecture"] == str(trained.network.arch) and trained.sha256 in facts["weights"]
    assert [each.name for each in output.parent.iterdir()] == ["model.onnx"]
    printed = capsys.readouterr().out
    assert "images (any, 1, 20, 20)" in printed
    assert "agreement 16 of 16 random, 64 of 64 validation images" in printed


def test_weights_are_those_of_the_checkpoint(checkpoint: Path) -> None:
    trained, content = read_network(checkpoint), torch.load(checkpoint, weights_only=True)
    assert trained.resolution == 20 and not trained.network.training
    for name, value in trained.network.state_dict().items():
        torch.testing.assert_close(value, content["state_dict"][f"network.{name}"])


@pytest.mark.slow
def test_a_file_has_convolutions_and_nothing_of_a_supernet(tmp_path: Path) -> None:
    output = tmp_path / "model.onnx"
    main(["--architecture", "moga_a", "--resolution", "64", "--output", str(output)])
    kinds = {node.op_type for node in onnx.load(output).graph.node}
    assert "Conv" in kinds and not kinds & {"MatMul", "Transpose", "BatchNormalization", "Slice"}
    params = sum(each.numel() for each in Network(zoo.load("moga_a")).parameters())
    assert 4 * params < output.stat().st_size < 4 * params + 400_000


@pytest.mark.slow
def test_grouped_and_shuffled_blocks(tmp_path: Path) -> None:
    space = SearchSpace.load("fbnet")
    file = Architecture.random(space, np.random.default_rng(0)).save(tmp_path / "architecture.json")
    output = tmp_path / "model.onnx"
    main(["--architecture", str(file), "--resolution", "32", "--batch", "2", "--output", str(output)])
    assert run_onnx(output, torch.randn(2, 3, 32, 32)).shape == (2, space.num_classes)


def test_stock_convolutions_compute_the_same(get_space: Callable[[str], SearchSpace]) -> None:
    space = get_space("motley")
    network = Network(Architecture.random(space, np.random.default_rng(1))).eval()
    images = torch.randn(2, space.in_channels, 27, 27).contiguous(memory_format=torch.channels_last)
    stock = with_stock_convolutions(network)
    torch.testing.assert_close(stock(images), network(images))
    kinds = {type(each) for each in stock.modules() if isinstance(each, torch.nn.Conv2d)}
    assert kinds == {torch.nn.Conv2d}
    assert any(
        type(each) is not torch.nn.Conv2d for each in network.modules() if hasattr(each, "kernel_size")
    )


@pytest.mark.slow
def test_pixels_are_normalised_in_the_file(checkpoint: Path, tmp_path: Path) -> None:
    def write(name: str, *more: str) -> Path:
        (path,) = main(["--checkpoint", str(checkpoint), "--output", str(tmp_path / name), *more])
        return path

    trained, pixels = read_network(checkpoint), torch.rand(1, 1, 20, 20)
    assert trained.normalisation == Digits(in_channels=1).normalisation
    mean, std = (torch.tensor(part)[:, None, None] for part in trained.normalisation)
    unit, plain = write("unit.onnx", "--input", "unit"), write("plain.onnx")
    expected = run_onnx(plain, (pixels - mean) / std)
    # Two steps of training leave small logits.
    torch.testing.assert_close(run_onnx(unit, pixels), expected, atol=1e-6, rtol=0)
    assert (run_onnx(plain, pixels) - expected).abs().max() > 1e-5
    told = [{each.key: each.value for each in onnx.load(file).metadata_props} for file in (unit, plain)]
    assert [facts["input"] for facts in told] == ["pixels in [0, 1]", "normalised: mean 0.3053, std 0.376"]


def test_an_unknown_normalisation(checkpoint: Path, tmp_path: Path) -> None:
    output = ["--output", str(tmp_path / "model.onnx")]
    refused(["--architecture", "moga_a", "--input", "unit", *output], "an architecture does not say")
    other = changed(checkpoint, tmp_path, lambda content: content.pop("normalisation"))
    refused(["--checkpoint", str(other), "--input", "unit", *output], "changed.ckpt does not say")
    assert not (tmp_path / "model.onnx").exists()
    main(["--checkpoint", str(other), *output])
    lengths = [{"mean": [0.5] * means, "std": [1.0] * stds} for means, stds in ((2, 1), (2, 2), (0, 0))]
    for wrong in (*lengths, {"mean": [0.5]}, {"mean": ["a"], "std": [1.0]}, "none"):
        other = changed(
            checkpoint, tmp_path, lambda content, wrong=wrong: content.update(normalisation=wrong)
        )
        refused(
            ["--checkpoint", str(other), *output, "--overwrite"], "a mean and a std for each channel, got"
        )


@pytest.mark.slow
def test_the_same_command_writes_the_same_file(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.onnx" for number in range(2)]
    for file in files:
        main(["--architecture", "moga_a", "--resolution", "32", "--output", str(file)])
    assert files[0].read_bytes() == files[1].read_bytes()


def refused(arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        main(arguments)


def test_what_is_no_checkpoint_of_a_network(checkpoint: Path, tmp_path: Path) -> None:
    output = ["--output", str(tmp_path / "model.onnx")]
    refused(["--checkpoint", str(tmp_path / "none.ckpt"), *output], r"No checkpoint .* digits/train.yaml")
    other = changed(checkpoint, tmp_path, lambda content: content.pop("architecture"))
    refused(["--checkpoint", str(other), *output], "not of a trained network: it names no architecture")
    other = changed(checkpoint, tmp_path, lambda content: content["architecture"]["choices"].pop())
    refused(["--checkpoint", str(other), *output], "has 3 layers, but 2 choices were given")
    other = changed(
        checkpoint, tmp_path, lambda content: content["state_dict"].pop("network.classifier.bias")
    )
    refused(["--checkpoint", str(other), *output], "weights are not those of its architecture")
    damaged = tmp_path / "damaged.ckpt"
    damaged.write_bytes(checkpoint.read_bytes()[:1000])
    refused(["--checkpoint", str(damaged), *output], "cannot be read as a checkpoint")
    refused(["--architecture", "moga_z", *output], "moga_a")
    assert not (tmp_path / "model.onnx").exists()


def test_nothing_is_written_of_weights_that_are_not_finite(checkpoint: Path, tmp_path: Path) -> None:
    def spoil(content: dict) -> None:
        content["state_dict"]["network.classifier.bias"][0] = torch.nan

    folder = tmp_path / "out"
    other = changed(checkpoint, tmp_path, spoil)
    refused(
        ["--checkpoint", str(other), "--output", str(folder / "model.onnx")], "classifier.bias is not finite"
    )
    assert not folder.exists()


@pytest.mark.slow
def test_a_faulty_exporter_is_found_out(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shift_bias(module: torch.nn.Module) -> torch.nn.Module:
        module = with_stock_convolutions(module)
        module.classifier.bias += 0.01
        return module

    monkeypatch.setattr("dnas.export.formats.onnx.deployed", shift_bias)
    output = tmp_path / "model.onnx"
    refused(["--checkpoint", str(checkpoint), "--output", str(output)], "differ from PyTorch's by")
    assert not output.exists()


def test_an_earlier_file_is_kept(checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "model.onnx"
    output.write_text("earlier")
    arguments = ["--checkpoint", str(checkpoint), "--output", str(output)]
    refused(arguments, "--overwrite")
    assert output.read_text() == "earlier"
    main([*arguments, "--overwrite"])
    assert onnx.load(output).graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1


def test_other_mistakes(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = ["--checkpoint", str(checkpoint)]
    output = ["--output", str(tmp_path / "model.onnx")]
    refused([*source, "--output", str(tmp_path)], "is a folder")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    refused(
        [*source, *output, "--batch", "0", "--resolution", "-1"],
        r"resolution must be 1 or more, got -1; .*batch .* got 0; .*onnxruntime: pip install 'dnas\[onnx\]'",
    )


@pytest.mark.parametrize("names", ["tflite", "onnx,tflite", "onnx,", ""])
def test_an_unknown_format(tmp_path: Path, names: str) -> None:
    arguments = ["--architecture", "moga_a", "--output", str(tmp_path / "model")]
    refused([*arguments, "--format", names], r"--format .*: unknown\. Give one of onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: content.pop("data"), "the checkpoint names no data module"),
        (lambda content: content["data"].update(class_path="nowhere.Data"), "nowhere.Data could not be"),
        (lambda content: content["data"]["init_args"].update(in_channels=3), "its images are of shape"),
    ],
)
def test_without_real_images_it_says_so(
    checkpoint: Path, tmp_path: Path, change: Callable, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = changed(checkpoint, tmp_path, change)
    main(["--checkpoint", str(other), "--output", str(tmp_path / "model.pt2"), "--format", "torch-export"])
    printed = capsys.readouterr().out
    assert f"Compared on random images only: {reason}" in printed and "validation" not in printed


@pytest.mark.parametrize("data", ["Digits", {"class_path": "a.B"}, {"class_path": 1, "init_args": {}}])
def test_data_that_no_checkpoint_has(checkpoint: Path, tmp_path: Path, data: object) -> None:
    other = changed(checkpoint, tmp_path, lambda content: content.update(data=data))
    arguments = ["--checkpoint", str(other), "--output", str(tmp_path / "model.onnx")]
    refused(arguments, "data must have class_path and init_args, got")


def test_real_images_are_given_as_the_file_takes_them(checkpoint: Path) -> None:
    plain, unit = (of_checkpoint(checkpoint, 24, unit=unit) for unit in (False, True))
    images = real_images(plain.data, 1, 24, count=5)
    assert images.shape == (5, 1, 24, 24)
    pixels = unit.given(images)
    assert pixels.min() >= -1e-6 and pixels.max() <= 1 + 1e-6 and plain.given(images) is images
    torch.testing.assert_close(unit.module(pixels), plain.module(images), atol=1e-5, rtol=0)


def test_a_last_batch_is_filled_up() -> None:
    def run(images: torch.Tensor) -> torch.Tensor:
        assert len(images) == 4
        return images.flatten(1)

    images = torch.randn(6, 1, 2, 2)
    assert compare(torch.nn.Flatten(), run, images, 4, "it") == (0.0, 6, 6)
    assert compare(torch.nn.Flatten(), run, images[:1], 4, "it") == (0.0, 1, 1)
