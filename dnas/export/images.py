"""Real images to compare an exported file with PyTorch on: from a checkpoint's validation split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dnas.runs.datamodules import DataUnavailable, load_datamodule

REAL_IMAGES = 64


def real_images(
    data: Mapping[str, Any] | None, channels: int, resolution: int, count: int = REAL_IMAGES
) -> Tensor:
    """The first images of the validation split, at most ``count``, normalised as in training.

    Args:
        data: class path and arguments of a data module; its resolution is replaced by the file's.

    Returns:
        (n, channels, resolution, resolution), 1 <= n <= count.

    Raises:
        DataUnavailable: no data module is named, its data is missing or damaged, or of another shape.
    """
    if data and "resolution" in data["init_args"]:
        data = {**data, "init_args": {**data["init_args"], "resolution": resolution}}
    parts: list[Tensor] = []
    try:
        for images, _ in load_datamodule(data).val_dataloader():
            parts.append(images)
            if sum(map(len, parts)) >= count:
                break
        found = torch.cat(parts)[:count]
    except (OSError, RuntimeError) as error:
        raise DataUnavailable(f"its images could not be read: {error}") from error
    if found.shape[1:] != (channels, resolution, resolution):
        raise DataUnavailable(
            f"its images are of shape {tuple(found.shape[1:])}, the file takes "
            f"{(channels, resolution, resolution)}"
        )
    return found
