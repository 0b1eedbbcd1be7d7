"""Computing a table: reproducible to the byte, faithful to the model, and never called a measurement."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from dnas.space import SearchSpace, zoo
from dnas.space.architecture import Architecture
from latency import load_table
from latency.sources.calibrated.calibrated_table import build_calibrated, entry_error
from latency.sources.calibrated.model import CalibratedModel
from latency.table.table_file import read_file, read_shipped, shipped_files

CALIBRATED = [pair for pair in shipped_files() if read_shipped(*pair).header["kind"] == "calibrated"]


def test_both_runtimes_ship_for_both_spaces() -> None:
    names = ("adreno630_mace_calibrated", "adreno630_snpe_calibrated")
    assert {(name, space) for name in names for space in ("moga", "fbnet")} <= set(CALIBRATED)


@pytest.mark.parametrize(("name", "space_name"), CALIBRATED)
def test_shipped_table_is_rebuilt_byte_for_byte(name: str, space_name: str, tmp_path: Path) -> None:
    shipped = resources.files("latency").joinpath("data", "tables", space_name, f"{name}.csv").read_bytes()
    model = CalibratedModel.load(read_shipped(name, space_name).header["model"])
    space = SearchSpace.load(space_name)
    assert build_calibrated(model, space, tmp_path / "rebuilt.csv").read_bytes() == shipped


@pytest.mark.parametrize("model_name", ["adreno630_mace", "adreno630_snpe"])
@pytest.mark.parametrize("space_name", ["moga", "fbnet"])
def test_table_is_the_model(model_name: str, space_name: str, tmp_path: Path) -> None:
    """The sum of 16 rounded parts is the model of the whole network, for any network of the space."""
    model, space = CalibratedModel.load(model_name), SearchSpace.load(space_name)
    table = load_table(build_calibrated(model, space, tmp_path / "t.csv"), space)
    generator = np.random.default_rng(0)
    for architecture in (Architecture.random(space, generator) for _ in range(20)):
        assert table.latency_ms(architecture) == pytest.approx(model.latency_ms(architecture.ops), abs=2e-3)


def test_kind_and_error_are_stated(tmp_path: Path) -> None:
    model, space = CalibratedModel.load("adreno630_mace"), SearchSpace.load("moga")
    table = load_table(build_calibrated(model, space, tmp_path / "t.csv"), space)
    assert table.kind == "calibrated"
    assert not table.is_measured
    assert "assumption" in table.provenance["error"]["statement"]
    assert (table.relative_error == entry_error(model, space)).all()
    assert {entry.source for entry in read_file(tmp_path / "t.csv").entries} == {"calibrated"}


def test_error_of_an_entry_grows_with_the_number_of_blocks() -> None:
    model = CalibratedModel.load("adreno630_mace")
    assert entry_error(model, SearchSpace.load("moga")) == 0.108  # 0.023 * sqrt(pi / 2) * sqrt(14)
    assert entry_error(model, SearchSpace.load("fbnet")) == 0.135  # 0.023 * sqrt(pi / 2) * sqrt(22)


def test_skip_costs_nothing_where_it_keeps_the_shape(tmp_path: Path) -> None:
    model, space = CalibratedModel.load("adreno630_mace"), SearchSpace.load("fbnet")
    table = load_table(build_calibrated(model, space, tmp_path / "t.csv"), space)
    for layer in space.layers:
        skip = table.ms[layer.index, -1]
        assert (skip == 0) == layer.keeps_shape
        assert skip == pytest.approx(model.latency_ms(layer.choices[-1].ops(layer)), abs=1e-4)


@pytest.mark.parametrize("space_name", ["moga", "fbnet"])
def test_kernel_kinds_are_those_of_the_runtime(space_name: str) -> None:
    space = SearchSpace.load(space_name)
    table = load_table("adreno630_mace_calibrated", space)
    model = CalibratedModel.load("adreno630_mace")
    architecture = Architecture.random(space, np.random.default_rng(1))
    parts = model.parts_ms(architecture.ops)
    shares = table.kernel_shares(architecture)
    assert {kind: shares.get(kind, 0.0) for kind in parts} == pytest.approx(parts, abs=5e-3)
    assert sum(shares.values()) == pytest.approx(table.latency_ms(architecture), rel=1e-12)
    assert {"conv", "depthwise", "linear", "pool"} <= set(shares)


def test_what_is_assumed_of_the_space_is_a_weak_spot() -> None:
    (weak_spot,) = read_shipped("adreno630_mace_calibrated", "fbnet").header["validation"]["weak_spots"]
    assert weak_spot.startswith("shuffle: assumed")
    assert "weak_spots" not in read_shipped("adreno630_mace_calibrated", "moga").header["validation"]


def test_squeeze_excite_costs_more_than_it_computes() -> None:
    """On this GPU squeeze-excite costs kernels: MoGA-B computes less than MoGA-A but starts more."""
    runtime = CalibratedModel.load("adreno630_mace").runtime
    a, b = (zoo.load(name).ops for name in ("moga_a", "moga_b"))
    assert sum(op.madds for op in b) < sum(op.madds for op in a)
    assert len(runtime.kernels(b)) > len(runtime.kernels(a))
