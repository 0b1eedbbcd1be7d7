"""The real measurements, where they lie below DNAS_DATA: shipped tables byte for byte, and their claims."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from dnas.space import SearchSpace, shipped_spaces
from latency import TableError, load_table
from latency.sources.assembled.assembled_table import TableBuilder, check_support
from latency.sources.assembled.assembly import Assembly, Measurements, assemble
from latency.sources.assembled.dataset import Dataset
from latency.sources.assembled.kernel_model import KernelModel
from latency.sources.assembled.settings import load_settings
from latency.table import shipped
from latency.table.table_file import FOLDER, SUFFIX, read_shipped, shipped_files

DATASET = Dataset.load()
DEVICES = tuple(DATASET.facts["devices"])
TABLES = {facts["table"]: device for device, facts in DATASET.facts["devices"].items()}
SHIPPED = [(name, space) for name, space in shipped_files() if name in TABLES]
# All tables of spaces; of the networks of the zoo one phone each, all phones in turn.
ZOO = sorted({space for _, space in SHIPPED} - {*shipped_spaces()})
REBUILT = [
    (name, space)
    for name, space in SHIPPED
    if space not in ZOO or [*TABLES][ZOO.index(space) % len(TABLES)] == name
]
KERNELS = Path(os.environ.get("DNAS_DATA", "")) / "mobile-gpu" / DATASET.facts["kernels_file"]
needs_data = pytest.mark.skipif(
    not os.environ.get("DNAS_DATA") or not KERNELS.is_file(),
    reason=f"set DNAS_DATA to a folder with mobile-gpu/{DATASET.facts['kernels_file']}, which is public",
)


@lru_cache
def measured(device: str) -> Measurements:
    return Measurements.read(DATASET, device, KERNELS)


@lru_cache
def assembled(device: str) -> Assembly:
    """Some seconds; serves all tests of a device."""
    settings = load_settings(DATASET.facts["name"], device)
    assert settings is not None, "tuning would not give the same file"
    return assemble(measured(device), settings, lambda names, what: iter(names))


def test_every_device_ships_for_every_space_and_the_same_networks() -> None:
    """But nasbench_macro, whose maps of 32 pixels were not measured."""
    assert len(DEVICES) == 4
    found = {name: [space for other, space in SHIPPED if other == name] for name in TABLES}
    assert {*shipped_spaces()} - {"nasbench_macro"} <= {*found["adreno640_tflite2.10"]}
    assert all(spaces == found["adreno640_tflite2.10"] for spaces in found.values())
    others = {name for name, _ in shipped_files() if "tflite2.10" in name} - {*TABLES}
    assert others == {f"{name}_256px" for name in TABLES}, "of MobileNetV4-Conv-M"


@pytest.mark.parametrize(("name", "space"), SHIPPED)
def test_a_shipped_table_says_what_it_is(name: str, space: str) -> None:
    """Without the data: never called measured, calibrated on the networks that the data names."""
    file = read_shipped(name, space)
    assert not file.problems
    assert file.header["kind"] == "assembled"
    assert {entry.source for entry in file.entries} <= {"assembled", "predicted"}
    assert all(entry.n is None and entry.std is None for entry in file.entries)
    assert all(entry.relative_error > 0 for entry in file.entries if entry.ms)
    assert file.header["calibration"]["networks"] == 26


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize(("name", "space"), REBUILT)
def test_a_shipped_table_is_rebuilt_byte_for_byte(name: str, space: str, tmp_path: Path) -> None:
    builder = TableBuilder(assembled(TABLES[name]))
    path = builder.build(SearchSpace.load(space), tmp_path / "t.csv")
    # Line by line: where it fails, the difference is short.
    assert (
        path.read_text().splitlines() == shipped.read(f"{FOLDER}/{space}", name, SUFFIX).decode().splitlines()
    )
    assert path.read_bytes() == shipped.read(f"{FOLDER}/{space}", name, SUFFIX)


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("device", "pointwise", "depthwise", "networks", "tau"),
    [
        ("pixel4", 0.06, 0.04, 0.04, 0.95),
        ("mi8se", 0.03, 0.03, 0.025, 0.95),
        ("s10", 0.07, 0.095, 0.035, 0.91),
        ("a03s", 0.04, 0.05, 0.045, 0.91),
    ],
)
def test_errors_of_families_left_out(
    device: str, pointwise: float, depthwise: float, networks: float, tau: float
) -> None:
    assembly = assembled(device)
    for kind, most, least_n in (("pointwise", pointwise, 1000), ("depthwise", depthwise, 300)):
        figures = assembly.of_kind(kind)
        assert figures is not None
        assert figures.mape <= most and figures.n >= least_n
    assert assembly.end_to_end.mape <= networks
    assert assembly.end_to_end.kendall_tau >= tau
    assert assembly.end_to_end.n == 26


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize(("device", "most"), [("pixel4", 0.1), ("mi8se", 0.05), ("s10", 0.3), ("a03s", 0.1)])
def test_errors_of_windows_of_families_left_out(device: str, most: float) -> None:
    """The Mali-G76 takes 81 to 207 us for one and the same window: no model is nearer."""
    figures = assembled(device).of_kind("window")
    assert figures is not None
    assert figures.mape <= most and figures.n == 44
    assert assembled(device).model.window_error < 0.35


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
def test_a_resnet_of_measured_kernels_is_assembled(device: str, tmp_path: Path) -> None:
    space = SearchSpace.load("resnet50")
    path = TableBuilder(assembled(device)).build(space, tmp_path / "t.csv")
    table = load_table(path, space)
    assert table.coverage().entries == {"assembled": 16}
    assert "window" in table.provenance["fixed"]["stem_parts"]
    assert not [spot for spot in table.provenance["validation"]["weak_spots"] if "never measured" in spot]


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
def test_estimated_errors_hold_for_families_left_out(device: str) -> None:
    for kind in ("pointwise", "depthwise"):
        off = np.array(
            [
                abs(np.log(held.measured_us / held.modelled_us)) / held.error
                for held in assembled(device).held_out_kernels
                if held.shape.kind == kind
            ]
        )
        assert (off < 1).mean() > 0.65, kind
        assert (off < 2).mean() > 0.9, kind


@needs_data
def test_squeeze_excite_multiplications_of_known_networks() -> None:
    counts = {network.name: len(list(network.multiplies())) for network in measured("pixel4").networks}
    assert len(counts) == 26
    assert {name: count for name, count in counts.items() if count} == {
        "mnasnet_a1": 8,
        **{f"mobilenetv3_small_{width}": 9 for width in ("wd2", "w3d4", "w7d20", "w1", "w5d4")},
        **{f"mobilenetv3_large_{width}": 8 for width in ("wd2", "w3d4", "w7d20", "w1", "w5d4")},
    }


@needs_data
@pytest.mark.parametrize("space", ["moga", "fbnet"])
def test_small_images_are_refused_with_reasons(space: str) -> None:
    model = KernelModel(measured("pixel4").kernels)
    check_support(SearchSpace.load(space), model, DATASET.runtime, "pixel4")
    small = SearchSpace.load(space).adapt(resolution=32)
    with pytest.raises(TableError) as caught:
        check_support(small, model, DATASET.runtime, "pixel4")
    lines = str(caught.value).splitlines()
    assert f"space {space} at 32 px" in lines[0] and len(lines) > 10
    assert all("px: measured are maps of " in line for line in lines[1:-1])
