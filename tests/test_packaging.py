"""The wheel carries all data files and works in a bare environment, outside the checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("dnas", "latency", "lightning_modules")
ONE_STEP = ("--trainer.max_epochs=1", "--trainer.limit_train_batches=1", "--trainer.limit_val_batches=1")
# Variables that would let the checkout or another environment leak into the bare one.
LEAKS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "DNAS_DATA")


def run(*command: str | Path, cwd: Path, timeout: int = 600) -> str:
    """Standard output of ``command`` in a clean environment; its whole output if it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in LEAKS}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment | {"COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Built:
    """A source distribution, the wheel built from it, and the files in both."""

    wheel: Path
    wheel_files: dict[str, bytes]
    sdist_files: frozenset[str]


@dataclass(frozen=True)
class Bare:
    """An environment that holds the wheel and its dependencies, and an empty folder to work in."""

    bin: Path
    folder: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """`python -m build` makes the wheel from the sdist, so a file lost in either is lost here."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", out, ROOT, cwd=out)
    (wheel,) = out.glob("*.whl")
    (sdist,) = out.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        wheel_files = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    with tarfile.open(sdist) as tar:
        sdist_files = frozenset(name.partition("/")[2] for name in tar.getnames())
    return Built(wheel, wheel_files, sdist_files)


@pytest.fixture(scope="module")
def bare(built: Built) -> Iterator[Bare]:
    """Some gigabytes: removed at once, not kept as pytest keeps its own temporary folders."""
    with tempfile.TemporaryDirectory(prefix="dnas-wheel-") as name:
        root = Path(name).resolve()
        run(sys.executable, "-m", "venv", root / "venv", cwd=root)
        bin_folder = root / "venv" / ("Scripts" if os.name == "nt" else "bin")
        run(bin_folder / "python", "-m", "pip", "install", built.wheel, cwd=root, timeout=3600)
        (root / "empty").mkdir()
        yield Bare(bin_folder, root / "empty")


def data_files(folder: str) -> dict[str, bytes]:
    """All files below ``folder`` of the checkout that are neither Python nor leftovers, by relative path."""
    paths = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    kept = (path for path in paths if "__pycache__" not in path.parts and path.suffix != ".py")
    return {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in kept}


@pytest.mark.parametrize("package", PACKAGES)
def test_wheel_carries_the_data_of_every_package(built: Built, package: str) -> None:
    expected = data_files(package)
    assert {name: built.wheel_files.get(name) for name in expected} == expected


def test_wheel_carries_the_configs_inside_its_package(built: Built) -> None:
    expected = {f"lightning_modules/{name}": content for name, content in data_files("configs").items()}
    carried = {n: c for n, c in built.wheel_files.items() if n.startswith("lightning_modules/configs/")}
    assert carried == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "dnas/space/spaces/moga.yaml",
        "dnas/space/spaces/fbnet.yaml",
        "dnas/space/zoo/moga_a.json",
        "dnas/space/zoo/mobilenet_v2.yaml",
        "latency/data/tables/moga/adreno630_mace_calibrated*",
        "latency/data/tables/fbnet/mali_g76_tflite2.10.csv",
        "latency/data/kernel_models/mobile_ml_benchmark.yaml",
        "latency/data/datasets/mobile_ml_benchmark.yaml",
        "latency/data/published/moga_table_3.yaml",
        "latency/data/runtimes/tflite_2.10.yaml",
        "latency/data/table_schema.json",
        "lightning_modules/configs/digits/search.yaml",
        "lightning_modules/configs/cifar10/search.yaml",
        "lightning_modules/configs/imagenet/search.yaml",
        "lightning_modules/app/cli.py",
        "dnas-*.dist-info/licenses/LICENSE",
    ],
)
def test_wheel_has(built: Built, pattern: str) -> None:
    assert [name for name in built.wheel_files if PurePosixPath(name).match(pattern)]


def test_wheel_has_nothing_else(built: Built) -> None:
    tops = {name.partition("/")[0] for name in built.wheel_files}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert len(tops) == len(PACKAGES) + 1
    leftovers = [name for name in built.wheel_files if re.search(r"__pycache__|\.pyc$|\.ckpt$|/test_", name)]
    assert leftovers == []


def test_wheel_has_the_command(built: Built) -> None:
    (entry_points,) = (c for name, c in built.wheel_files.items() if name.endswith("/entry_points.txt"))
    assert b"dnas = lightning_modules.app.cli:main" in entry_points


def test_sdist_can_be_tested_and_holds_no_leftovers(built: Built) -> None:
    needed = {"pyproject.toml", "Makefile", "LICENSE", "README.md", "CHANGELOG.md", "tests/test_packaging.py"}
    needed |= {"CITATION.cff", ".pre-commit-config.yaml"}
    assert needed <= built.sdist_files
    tops = {name.partition("/")[0] for name in built.sdist_files}
    assert tops & {".venv", ".git", "runs", "lightning_logs", "data", "dist"} == set()


@pytest.mark.wheel
def test_installed_packages_are_those_of_the_wheel(bare: Bare) -> None:
    code = f"for name in {PACKAGES!r}: print(__import__(name).__file__)"
    files = [Path(line) for line in run(bare.bin / "python", "-c", code, cwd=bare.folder).split()]
    site_packages = {file.resolve().parents[1] for file in files}
    assert len(files) == len(PACKAGES)
    assert len(site_packages) == 1
    assert bare.bin.parent in site_packages.pop().parents


@pytest.mark.wheel
def test_installed_requirements_agree(bare: Bare) -> None:
    assert "No broken requirements" in run(bare.bin / "python", "-m", "pip", "check", cwd=bare.folder)


@pytest.mark.wheel
def test_installed_command_lists_and_copies_the_configs(bare: Bare) -> None:
    listed = run(bare.bin / "dnas", "configs", cwd=bare.folder)
    assert all(name.removeprefix("configs/") in listed for name in data_files("configs"))
    run(bare.bin / "dnas", "configs", "--copy", "digits/search.yaml", "--to", "copied", cwd=bare.folder)
    copy = bare.folder / "copied" / "digits" / "search.yaml"
    assert copy.read_bytes() == (ROOT / "configs" / "digits" / "search.yaml").read_bytes()


@pytest.mark.wheel
def test_installed_command_has_help(bare: Bare) -> None:
    printed = run(bare.bin / "dnas", "--help", cwd=bare.folder)
    assert {"fit", "configs", "derive"} <= set(re.findall(r"\w+", printed))


@pytest.mark.wheel
def test_installed_command_fits_one_step_and_derives(bare: Bare) -> None:
    run(bare.bin / "dnas", "fit", "--config", "digits/search.yaml", *ONE_STEP, cwd=bare.folder)
    checkpoints = sorted(bare.folder.rglob("*.ckpt"), key=lambda path: path.stat().st_mtime)
    assert checkpoints, f"no checkpoint among {[str(path) for path in bare.folder.rglob('*')]}"
    derive = ("-m", "dnas.derive", "--checkpoint", checkpoints[-1], "--output", "derived")
    run(bare.bin / "python", *derive, cwd=bare.folder)
    code = "from dnas import Architecture; print(Architecture.load('derived/architecture.json'))"
    assert len(run(bare.bin / "python", "-c", code, cwd=bare.folder).split()) == 14
