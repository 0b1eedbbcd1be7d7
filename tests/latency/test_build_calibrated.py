"""Computing a table: reproducible to the byte, faithful to the model, and never called a measurement."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from dnas import zoo
from dnas.architecture import Architecture
from dnas.ops import block_ops
from dnas.space import SearchSpace
from latency import load_table, shipped_tables
from latency.build_calibrated import build_calibrated, entry_error
from latency.calibrated import CalibratedModel
from latency.published import network_ops
from latency.table_file import read_file

CALIBRATED = [name for name in shipped_tables() if read_file(name).header["kind"] == "calibrated"]


@pytest.mark.parametrize("name", CALIBRATED)
def test_shipped_table_is_rebuilt_byte_for_byte(name: str, tmp_path: Path) -> None:
    shipped = resources.files("latency").joinpath("tables", f"{name}.csv").read_bytes()
    header = read_file(name).header
    model, space = CalibratedModel.load(header["model"]), SearchSpace.load(header["space"])
    assert build_calibrated(model, space, tmp_path / "rebuilt.csv").read_bytes() == shipped


@pytest.mark.parametrize("model_name", ["adreno630_mace", "adreno630_snpe"])
@pytest.mark.parametrize("space_name", ["moga", "fbnet"])
def test_table_is_the_model(model_name: str, space_name: str, tmp_path: Path) -> None:
    """The sum of 16 rounded parts is the model of the whole network, for any network of the space."""
    model, space = CalibratedModel.load(model_name), SearchSpace.load(space_name)
    table = load_table(build_calibrated(model, space, tmp_path / "t.csv"), space)
    generator = np.random.default_rng(0)
    for architecture in (Architecture.random(space, generator) for _ in range(20)):
        assert table.latency_ms(architecture) == pytest.approx(
            model.latency_ms(network_ops(architecture)), abs=2e-3
        )


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
    assert entry_error(model, SearchSpace.load("moga")) == 0.086  # 0.023 * sqrt(14)
    assert entry_error(model, SearchSpace.load("fbnet")) == 0.108  # 0.023 * sqrt(22)


def test_skip_costs_nothing_where_it_keeps_the_shape(tmp_path: Path) -> None:
    model, space = CalibratedModel.load("adreno630_mace"), SearchSpace.load("fbnet")
    table = load_table(build_calibrated(model, space, tmp_path / "t.csv"), space)
    for layer in space.layers:
        skip = table.ms[layer.index, -1]
        assert (skip == 0) == layer.keeps_shape
        assert skip == pytest.approx(model.latency_ms(block_ops(layer, layer.choices[-1])), abs=1e-4)


def test_squeeze_excite_costs_more_than_it_computes() -> None:
    """On this GPU squeeze-excite costs kernels: MoGA-B computes less than MoGA-A but starts more."""
    runtime = CalibratedModel.load("adreno630_mace").runtime
    a, b = (network_ops(zoo.load(name)) for name in ("moga_a", "moga_b"))
    assert sum(op.madds for op in b) < sum(op.madds for op in a)
    assert len(runtime.kernels(b)) > len(runtime.kernels(a))
