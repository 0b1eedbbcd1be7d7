"""Every format: a file that its runtime runs where there is no dnas, and names that files may have."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dnas import Architecture, Network, SearchSpace
from dnas.export.command import main
from dnas.export.formats import FORMATS
from dnas.export.source import of_architecture
from dnas.support.extras import require

# What a user of the file writes; "path" and "images" are given, "logits" is wanted.
USE = {
    "onnx": "import onnxruntime; session = onnxruntime.InferenceSession(path); "
    "logits = torch.from_numpy(session.run(None, {'images': images.numpy()})[0])",
    "torch-export": "logits = torch.export.load(path).module()(images)",
    "python": "import runpy; logits = runpy.run_path(path)['load']()(images)",
    "openvino": "import openvino; model = openvino.Core().compile_model(path, 'CPU', "
    "{'INFERENCE_PRECISION_HINT': 'f32'}); logits = torch.from_numpy(model(images.numpy())[0])",
}
ALONE = """
import sys
for name in ("dnas", "latency", "lightning_modules"):
    sys.modules[name] = None
import torch
folder, path = sys.argv[1:]
images = torch.load(f"{folder}/images.pt")
%s
torch.save(logits.detach(), f"{folder}/logits.pt")
"""


@pytest.fixture(scope="module")
def architecture(get_space: Callable[[str], SearchSpace], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a space with many types of blocks."""
    arch = Architecture.random(get_space("motley"), np.random.default_rng(1))
    return arch.save(tmp_path_factory.mktemp("formats") / "architecture.json")


def installed(name: str) -> str:
    """The name, skipping the test where its packages are not installed."""
    if missing := require(FORMATS[name].packages, FORMATS[name].extra):
        pytest.skip(missing[0])
    return name


@pytest.mark.slow
@pytest.mark.parametrize("any_batch", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_a_file_runs_without_dnas(architecture: Path, tmp_path: Path, name: str, any_batch: bool) -> None:
    installed(name)
    output = tmp_path / f"model{FORMATS[name].suffix}"
    source = ["--architecture", str(architecture), "--resolution", "27"]
    more = ["--any-batch"] if any_batch else ["--batch", "3"]
    assert main([*source, "--format", name, "--output", str(output), *more]) == [output]
    network = of_architecture(str(architecture)).network
    images = torch.randn(3, network.in_channels, 27, 27)
    torch.save(images, tmp_path / "images.pt")
    command = [sys.executable, "-c", ALONE % USE[name], str(tmp_path), str(output)]
    subprocess.run(command, check=True, timeout=300, cwd=tmp_path)
    logits, expected = torch.load(tmp_path / "logits.pt"), network(images)
    assert (logits - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.slow
def test_several_formats_at_once(architecture: Path, tmp_path: Path) -> None:
    def write(names: str, output: str) -> list[str]:
        files = main(
            ["--architecture", str(architecture), "--format", names, "--output", str(tmp_path / output)]
        )
        return [each.name for each in files]

    assert write("onnx,torch-export", "a.b") == ["a.b.onnx", "a.b.pt2"]
    assert write(" torch-export, onnx", "model.onnx") == ["model.pt2", "model.onnx"]
    ready = [each.suffix for each in FORMATS.values() if not require(each.packages, each.extra)]
    assert write("all", "net") == [f"net{suffix}" for suffix in ready]


@pytest.mark.parametrize(
    ("names", "output", "message"),
    [
        ("torch-export", "model.onnx", r"must end in \.pt2"),
        ("torch-export", ".", "is a folder"),
        ("onnx,torch-export", ".", "is a folder"),
        ("onnx,torch-export", "taken", r"taken\.pt2 is there already"),
        ("onnx,torch-export", "folder", r"folder\.pt2 is a folder"),
    ],
)
def test_names_that_files_cannot_have(tmp_path: Path, names: str, output: str, message: str) -> None:
    (tmp_path / "taken.pt2").touch()
    (tmp_path / "folder.pt2").mkdir()
    arguments = ["--architecture", "moga_a", "--format", names, "--output", str(tmp_path / output)]
    with pytest.raises(SystemExit, match=message):
        main(arguments)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    arguments = ["--architecture", "moga_a", "--output", str(tmp_path / "model.xml"), "--format", "openvino"]
    with pytest.raises(SystemExit, match=r"openvino: pip install 'dnas\[openvino\]'"):
        main(arguments)


def test_writing_leaves_the_network_as_it_is(architecture: Path, tmp_path: Path) -> None:
    source = of_architecture(str(architecture), 27)
    before = [(name, type(each)) for name, each in source.network.named_modules()]
    FORMATS["torch-export"].write(
        source.module, (2, source.network.in_channels, 27, 27), tmp_path / "a.pt2", any_batch=False, facts={}
    )
    assert [(name, type(each)) for name, each in source.network.named_modules()] == before
    assert isinstance(source.network, Network)
