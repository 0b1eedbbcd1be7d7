"""From ``fit`` to an exported network where layers share decisions, or may be left out, on CIFAR-10."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
import yaml

from dnas import Architecture, SearchSpace
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel
from lightning_modules.app.cli import main

DATA = os.environ.get("DNAS_DATA", "")
pytestmark = pytest.mark.skipif(
    not Path(DATA, "cifar10", "cifar-10-batches-py").is_dir(),
    reason="CIFAR-10 is not at $DNAS_DATA/cifar10 (set DNAS_DATA to run this)",
)
FRAME = {
    "format": "dnas-space/2",
    "resolution": 224,
    "num_classes": 1000,
    "divisor": 8,
    "stem": [{"type": "conv", "out": 8, "kernel": 3, "stride": 2, "activation": "relu"}],
    "head": [{"type": "conv", "out": 32, "kernel": 1, "activation": "relu"}, {"type": "pool"}],
}
HIERARCHICAL = {
    **FRAME,
    "name": "small_mnasnet",
    "choices": {
        "C3": {"type": "conv", "kernel": 3},
        "S3": {"type": "separable", "kernel": 3},
        "E3K3": {"expansion": 3, "kernel": 3},
        "E3K5SE": {"expansion": 3, "kernel": 5, "se": 0.25, "se_of": "input"},
    },
    "stages": [
        {"out": 8, "stride": 1, "activation": "relu", "repeat": 2, "shared": True, "optional": 1},
        {"out": 16, "stride": 2, "activation": "relu", "repeat": 3, "shared": True, "optional": 2},
        {"out": 24, "stride": 2, "activation": "relu", "repeat": 3, "shared": True, "optional": 2},
    ],
}
ELASTIC = {
    **FRAME,
    "name": "small_ofa",
    "choices": {
        f"E{expansion}K{kernel}": {"expansion": expansion, "kernel": kernel}
        for expansion in (2, 3)
        for kernel in (3, 5)
    },
    "stages": [
        {"out": 8, "stride": 1, "activation": "relu", "repeat": 3, "optional": 1},
        {"out": 16, "stride": 2, "activation": "hswish", "repeat": 4, "optional": 2},
    ],
}


@pytest.mark.filterwarnings("ignore:Blocks of type .* are no slices of a larger one")
@pytest.mark.parametrize("definition", [HIERARCHICAL, ELASTIC], ids=["hierarchical", "elastic depth"])
def test_from_fit_to_an_exported_network(
    definition: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    space = SearchSpace.from_dict(definition)
    Path("space.yaml").write_text(yaml.safe_dump(definition, sort_keys=False), encoding="utf-8")
    build_calibrated(CalibratedModel.load("adreno630_mace"), space, "table.csv")
    short = [
        f"--data.root={DATA}/cifar10",
        "--data.num_workers=0",
        "--data.resolution=16",
        "--data.batch_size=32",
        "--trainer.accelerator=cpu",
        "--trainer.limit_train_batches=4",
        "--trainer.limit_val_batches=1",
        "--trainer.enable_progress_bar=false",
        "--trainer.enable_model_summary=false",
    ]
    small = ["--population=4", "--generations=2", "--device=cpu"]
    search = ["--model.space=space.yaml", "--model.table=table.csv", "--model.recalibration_batches=1"]
    with torch.random.fork_rng(devices=[]):
        _run("fit --config cifar10/search.yaml --trainer.max_epochs 2 --run_folder search", *search, *short,
             "--model.steps.warmup_epochs=1")  # fmt: skip
        checkpoint = "search/checkpoints/last.ckpt"
        _run(f"derive --checkpoint {checkpoint} --table table.csv --output derived")
        _run(f"refine --checkpoint {checkpoint} --table table.csv --output refined", *small)
        found = Architecture.load("derived/architecture.json")
        assert found.space == space
        front = json.loads(Path("refined/front.json").read_text(encoding="utf-8"))["members"]
        members = [Architecture.from_names(member["choices"], space) for member in front]
        assert members and all(member == member.canonical() for member in members)
        _run("fit --config cifar10/train.yaml --model.architecture derived/architecture.json "
             "--trainer.max_epochs 1 --run_folder trained", *short)  # fmt: skip
        _run("export --checkpoint trained/checkpoints/last.ckpt --output network.onnx")
    # A convolution for every one that the architecture has: what was skipped is not there.
    wanted = sum(op.type in {"conv", "depthwise"} for op in found.ops)
    nodes = onnx.load("network.onnx").graph.node
    assert sum(node.op_type == "Conv" for node in nodes) == wanted


def _run(command: str, *further: str) -> None:
    code = None
    try:
        main([*command.split(), *further])
    except SystemExit as end:
        code = end.code
    assert not code, f"{command} ended with {code}"
