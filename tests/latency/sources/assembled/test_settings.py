"""Settings of the kernel models as a file."""

from __future__ import annotations

import pytest
import yaml

from latency.sources.assembled.dataset import Dataset
from latency.sources.assembled.features import AXES
from latency.sources.assembled.kernel_model import MODELLED
from latency.sources.assembled.kind_model import Settings
from latency.sources.assembled.settings import FOLDER, FORMAT, load_settings, render
from latency.table import shipped

DATASET = "mobile_ml_benchmark"
DEVICES = tuple(Dataset.load(DATASET).facts["devices"])


def test_what_is_written_is_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Settings(0.3, 0.1, 0.0212, {"size": 10.1, "adds": 1e-5}, {"size": 0.5, "adds": 123.0})
    second = Settings(0.5, 0.2, 0.02, {"in_channels": 2.0}, {"in_channels": 3.0})
    devices = {"one": {"pointwise": first, "pool": second}, "two": {"pool": first}}
    text = render("mine", devices, "a tool")
    assert text.startswith("# Settings of the Gaussian processes")
    monkeypatch.setattr(shipped, "names", lambda folder, suffix=".yaml": ["mine"])
    monkeypatch.setattr(shipped, "read", lambda folder, name, suffix=".yaml": text.encode())
    for device, kinds in devices.items():
        assert load_settings("mine", device) == kinds
    assert load_settings("mine", "three") is None
    assert load_settings("other", "one") is None
    assert yaml.safe_load(text)["tool"] == "a tool"


@pytest.mark.parametrize("device", DEVICES)
def test_the_shipped_settings_speak_of_every_kind_and_known_axes(device: str) -> None:
    kinds = load_settings(DATASET, device)
    assert kinds is not None and set(kinds) == set(MODELLED)
    for settings in kinds.values():
        assert 0 < settings.noise < 1 and settings.smooth > 0 and settings.rough > 0
        assert list(settings.smooth_scale) == list(settings.rough_scale)
        assert set(settings.smooth_scale) <= set(AXES)


def test_the_shipped_file_is_what_would_be_written() -> None:
    document = shipped.load(FOLDER, DATASET, FORMAT)
    devices = {device: load_settings(DATASET, device) or {} for device in document["devices"]}
    assert tuple(devices) == DEVICES
    assert render(DATASET, devices, document["tool"]).encode() == shipped.read(FOLDER, DATASET)
