"""What needs no network starts without torch and its kin; public names are imported when asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import dnas

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    "torch",
    "torchvision",
    "torchmetrics",
    "pytorch_lightning",
    "jsonargparse",
    "matplotlib",
    "scipy",
    "sklearn",
)
# Run a command as its entry point does, then say on the last line what it imported.
COMMAND = "from lightning_modules.app.cli import main; main({!r})"
LAST_LINE = f"; import sys; print('\\n' + ' '.join(sorted(set({HEAVY!r}) & set(sys.modules))))"


def imported(code: str) -> list[str]:
    """The heavy modules that a new process holds after ``code``."""
    done = subprocess.run(
        [sys.executable, "-c", code + LAST_LINE],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "--version",
        "configs",
        "configs --show digits/search.yaml",
        "latency",
        "latency list",
        "latency show adreno640_tflite2.10",
        "latency show adreno640_tflite2.10 --architecture moga_a",
        "space check moga",
        "space show moga",
        "zoo list",
        "zoo show mobilenet_v2",
    ],
)
def test_a_light_command_imports_nothing_heavy(arguments: str) -> None:
    assert imported(COMMAND.format(arguments.split())) == []


@pytest.mark.parametrize(
    "code",
    [
        "import dnas",
        "from dnas import SearchSpace; SearchSpace.load('moga')",
        "import dnas; dnas.costs.count(dnas.zoo.load('moga_a').space)",
        "from dnas import NSGA2",
        "from latency import load_table; from dnas import zoo as z; m = z.load('moga_a');"
        " load_table('adreno640_tflite2.10', m.space).latency_ms(m)",
    ],
)
def test_spaces_costs_and_tables_import_nothing_heavy(code: str) -> None:
    assert imported(code) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Network", "Supernet"])
def test_a_network_imports_torch_alone(name: str) -> None:
    assert imported(f"import dnas; dnas.{name}") == ["torch"]


def test_an_expected_cost_needs_torch_alone() -> None:
    code = (
        "import torch; from dnas import SearchSpace, costs; from latency import load_table;"
        " space = SearchSpace.load('moga'); mask = torch.ones(len(space), space.max_choices);"
        " costs.count(space).expected_madds(mask);"
        " load_table('adreno640_tflite2.10', space).expected_ms(mask)"
    )
    assert imported(code) == ["torch"]


@pytest.mark.slow
@pytest.mark.parametrize("name", dnas.__all__)
def test_every_public_name_is_there_in_a_new_process(name: str) -> None:
    imported(f"import dnas; assert {name!r} in dir(dnas); dnas.{name}; from dnas import {name} as again")


def test_a_name_stays_what_it_was_and_packages_are_attributes() -> None:
    from dnas.space import architecture

    assert dnas.Architecture is architecture.Architecture
    assert dnas.space.architecture is architecture
    assert dnas.zoo.load is dnas.space.zoo.load


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'dnas' has no attribute 'Netwrok'"):
        dnas.Netwrok  # noqa: B018
    with pytest.raises(ImportError, match="Netwrok"):
        from dnas import Netwrok  # noqa: F401
