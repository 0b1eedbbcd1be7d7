"""How trainings write and read checkpoints: whole or not at all, with a checksum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from dnas.runs import sealed_file
from dnas.runs.checkpoint import CheckpointError
from dnas.runs.checkpoint_file import load_content

_WRITER = "pytorch-lightning_version"  # Lightning writes it into every checkpoint, and needs it in one
_SPAWNED = ".temp.ckpt"  # in which Lightning hands over the weights of a process that it has spawned


class SealedCheckpointIO(TorchCheckpointIO):
    """Lightning's, with :mod:`dnas.runs.sealed_file`."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write one; raises CheckpointError where that cannot be done, and leaves earlier ones alone."""
        if "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        try:
            sealed_file.save(checkpoint, path)
        except OSError as error:
            raise CheckpointError(
                f"The checkpoint {path} cannot be written ({error.strerror or error}). Earlier ones are as "
                "they were: when that is mended, --resume RUN_FOLDER goes on from the newest."
            ) from error

    def load_checkpoint(self, path: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Read one.

        Raises:
            CheckpointError: no such file, damaged, or weights alone.
        """
        if "://" in str(path):
            return super().load_checkpoint(path, *arguments, **options)
        content = load_content(Path(path), "Every run has its checkpoints in its folder, below checkpoints.")
        if _WRITER not in content and Path(path).name != _SPAWNED:
            raise CheckpointError(
                f"{path} is no checkpoint of a training, with which one could go on: weights alone, for "
                "instance. Give one that 'dnas fit' wrote."
            )
        return content
