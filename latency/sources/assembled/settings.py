"""Hyper-parameters of the kernel models as data, so that a table is rebuilt byte for byte without tuning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from latency.sources.assembled.kind_model import Settings
from latency.table import shipped

FORMAT = "dnas-kernel-settings/1"
FOLDER = "kernel_models"


def load_settings(dataset: str, device: str) -> dict[str, Settings] | None:
    """Kind -> settings that ship for a device; None when it has to be tuned."""
    if dataset not in shipped.names(FOLDER):
        return None
    devices = shipped.load(FOLDER, dataset, FORMAT)["devices"]
    if device not in devices:
        return None
    return {kind: Settings(**values) for kind, values in devices[device].items()}


def render(dataset: str, devices: Mapping[str, Mapping[str, Settings]], tool: str) -> str:
    """The text of a settings file."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "name": dataset,
        "tool": tool,
        "devices": {
            device: {kind: settings.to_dict() for kind, settings in kinds.items()}
            for device, kinds in devices.items()
        },
    }
    heading = (
        "# Settings of the Gaussian processes of the kernel model "
        "(latency/sources/assembled/kind_model.py):\n"
        "# standard deviations of the logarithm of the time, "
        "lengths in octaves (size, channels, groups) or units.\n"
    )
    return heading + yaml.safe_dump(document, sort_keys=False, width=110, default_flow_style=None)
