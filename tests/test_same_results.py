"""The hashes of ``benchmarks/same_results.py`` change with results and with nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from same_results import differences, entry_point, of_data, of_tensors, option

ROOT = Path(__file__).resolve().parents[1]


def test_the_order_of_names_and_the_layout_in_memory_do_not_count() -> None:
    a, b = torch.rand(3, 4), torch.tensor(2)
    assert of_tensors({"a": a, "b": b}) == of_tensors({"b": b, "a": a.T.contiguous().T})


@pytest.mark.parametrize(
    "other",
    [
        {"b": torch.tensor([1.0, 0.0])},
        {"a": torch.tensor([1.0, -0.0])},
        {"a": torch.tensor([1.0, 0.0], dtype=torch.float64)},
        {"a": torch.tensor([[1.0, 0.0]])},
        {"a": torch.tensor([1.0, 0.0]), "b": torch.empty(0)},
    ],
    ids=["name", "value", "type", "shape", "one more"],
)
def test_name_value_type_and_shape_count(other: dict[str, torch.Tensor]) -> None:
    assert of_tensors(other) != of_tensors({"a": torch.tensor([1.0, 0.0])})


def test_half_precision_has_a_hash() -> None:
    assert of_tensors({"a": torch.ones((), dtype=torch.bfloat16)}) != of_tensors({"a": torch.ones(())})


def test_no_tensors_are_a_mistake_of_the_benchmark() -> None:
    with pytest.raises(ValueError, match="No tensors"):
        of_tensors({})


def test_plain_data_count_to_the_last_digit() -> None:
    assert of_data({"a": 0.1, "b": [1]}) == of_data({"b": [1], "a": 0.1})
    assert of_data({"a": 0.1 + 0.2}) != of_data({"a": 0.3})


def test_the_command_is_that_of_the_checkout() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert entry_point(text) == ("lightning_modules.app.cli", "main")
    with pytest.raises(SystemExit, match="declares no command"):
        entry_point('[project.scripts]\nother = "a.b:main"\n\n[tool.x]\ndnas = "c.d:main"\n')


@pytest.mark.parametrize(
    ("inside", "flag"),
    [
        ({"warmup_epochs": 10}, "--model.warmup_epochs"),
        ({"steps": {"tau": 1.0, "warmup_epochs": 10}}, "--model.steps.warmup_epochs"),
        ({"steps": {"tau": 1.0}}, ""),
    ],
)
def test_an_option_is_found_where_the_config_has_it(inside: dict[str, Any], flag: str) -> None:
    model = {"class_path": "a.B", "init_args": {"space": "moga", "weights": {"clip": 5.0}, **inside}}
    assert option({"model": model, "trainer": {"max_epochs": 3}}, "warmup_epochs") == flag


def test_differences_are_named() -> None:
    assert differences({"a": "1", "b": "2", "c": "3"}, {"b": "2", "c": "4", "d": "5"}) == [
        "missing: a",
        "new: d",
        "differs: c",
    ]
