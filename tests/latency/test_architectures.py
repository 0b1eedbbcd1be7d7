"""Architectures as users name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnas.space import SearchSpace, zoo
from dnas.space.architecture import Architecture, ArchitectureError
from latency.architectures import resolve


def test_text_file_and_name(tmp_path: Path, tiny: SearchSpace) -> None:
    architecture = Architecture.parse("large small", tiny)
    assert resolve("large small", tiny) == resolve("large,small", tiny) == architecture
    assert resolve(str(architecture.save(tmp_path / "a.json")), tiny) == architecture
    assert resolve("moga_a", tiny) == zoo.load("moga_a")


def test_what_is_none_of_them_names_the_ways(tiny: SearchSpace) -> None:
    with pytest.raises(
        ArchitectureError, match=r"2 layers, but 1 choices.*one of efficientnet_b0, .*moga_a, "
    ):
        resolve("moga_z", tiny)
    with pytest.raises(ArchitectureError, match=r"No architecture file x\.json"):
        resolve("x.json", tiny)
