"""Refinements of a real one-shot supernet of the tiny space: 48 architectures, handwritten digits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dnas.refine.settings import Settings


@pytest.fixture(scope="session")
def make_settings(one_shot_checkpoint: Path, tiny_table_file: Path) -> Callable[..., Settings]:
    """Settings of four generations of six; keywords replace any."""

    def make(output: Path, **changes: Any) -> Settings:
        options: dict[str, Any] = {
            "checkpoint": one_shot_checkpoint,
            "table": str(tiny_table_file),
            "population": 6,
            "generations": 4,
            "recalibration_batches": 1,
        }
        return Settings(output=output, **(options | changes))

    return make
