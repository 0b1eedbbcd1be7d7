"""One-shot accuracy with the data that a checkpoint names; what cannot be loaded is said."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from dnas.runs.checkpoint_file import read
from dnas.runs.evaluator import evaluate
from dnas.runs.one_shot import DataUnavailable, OneShotEvaluator
from dnas.space.architecture import Architecture
from lightning_modules.data import Digits

DIGITS = {"class_path": "lightning_modules.data.Digits", "init_args": {"resolution": 16}}


def test_accuracy_is_that_of_the_extracted_network(search_checkpoint: Path) -> None:
    checkpoint = read(search_checkpoint)
    supernet = checkpoint.build_supernet()
    before = {name: value.clone() for name, value in supernet.state_dict().items()}
    arch = Architecture(checkpoint.space, (3, 0, 2))
    result = OneShotEvaluator(supernet, checkpoint.data, recalibration_batches=2)(arch)
    data = Digits()
    data.setup()
    network = supernet.extract(arch)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # a plain average over the batches
    with torch.no_grad():
        for images, _ in islice(data.recalibration_dataloader(), 2):
            network.train()(images)
    expected = evaluate(network, data.val_dataloader(), 10)
    # The evaluator arranges images in channels-last layout, whose kernels round differently.
    assert result.loss == pytest.approx(expected.loss, rel=1e-6)
    assert result._replace(loss=0.0) == expected._replace(loss=0.0)
    assert result.images == 180
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())


class Recorder:
    """Has what a data module has not; making one would be noticed."""

    made: int = 0

    def __init__(self, **arguments: Any) -> None:
        type(self).made += 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "names no data module"),
        ({}, "names no data module"),
        ({**DIGITS, "class_path": "no.such.Module"}, "no.such.Module could not be loaded: No module named"),
        ({**DIGITS, "class_path": "lightning_modules.data.Nothing"}, "Nothing could not be loaded"),
        ({**DIGITS, "class_path": "Digits"}, "Digits could not be loaded"),
        ({**DIGITS, "init_args": {"resolution": 0}}, "resolution must be an integer >= 1"),
        ({**DIGITS, "init_args": {"size": 3}}, "could not be loaded"),
        (
            {"class_path": "lightning_modules.data.ImageFolder", "init_args": {"root": "nowhere/at/all"}},
            "(?s)could not be loaded.*nowhere",
        ),
    ],
)
def test_data_that_is_not_there(search_checkpoint: Path, data: Any, message: str) -> None:
    with pytest.raises(DataUnavailable, match=message):
        OneShotEvaluator(read(search_checkpoint).build_supernet(), data)


@pytest.mark.parametrize("path", ["os.system", "subprocess.Popen", f"{__name__}.Recorder", "builtins.exec"])
def test_a_checkpoint_cannot_call_what_is_no_data_module(search_checkpoint: Path, path: str) -> None:
    with pytest.raises(DataUnavailable, match="could not be loaded"):
        OneShotEvaluator(read(search_checkpoint).build_supernet(), {"class_path": path, "init_args": {}})
    assert Recorder.made == 0
