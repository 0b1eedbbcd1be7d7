"""A model file of one's own: written from a fit, read back, and what is refused in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dnas.space import SearchSpace
from latency import TableError, load_table
from latency.sources.calibrated import published
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.fit import Fit, fit
from latency.sources.calibrated.model import CalibratedModel, runtime_data
from latency.sources.calibrated.write import FACTS, write_model

RESULT: Fit = fit(CalibratedModel.load("adreno630_mace").runtime, published.timed("mace_ms"))


@pytest.fixture
def facts() -> dict[str, Any]:
    return {**dict.fromkeys(FACTS, "x"), "name": "my_phone", "precision": "fp16", "date": "2020-02-29"}


@pytest.fixture
def model_file(tmp_path: Path, facts: dict[str, Any]) -> Path:
    return write_model(tmp_path / "model.yaml", RESULT, "mace_2019", facts)


def test_what_is_written_is_read(model_file: Path, facts: dict[str, Any]) -> None:
    model = CalibratedModel.load(str(model_file))
    assert (model.name, model.runtime.name) == ("my_phone", "mace_2019")
    assert model.dense_ms_per_gmadd == pytest.approx(RESULT.dense_ms_per_gmadd, rel=1e-3)
    assert model.kernel_us == pytest.approx(RESULT.kernel_us, rel=1e-3)
    assert model.leave_one_out_max == pytest.approx(RESULT.leave_one_out_max, abs=1e-4)
    assert {key: model.provenance[key] for key in facts} == facts


def test_a_table_of_it_states_its_errors(model_file: Path, tmp_path: Path) -> None:
    space = SearchSpace.load("moga")
    table = load_table(
        build_calibrated(CalibratedModel.load(str(model_file)), space, tmp_path / "t.csv"), space
    )
    assert (table.name, table.kind) == ("my_phone_calibrated", "calibrated")
    (figures,) = table.provenance["validation"]["figures"]
    assert (figures["mape"], figures["kendall_tau"], figures["n"]) == (
        pytest.approx(0.0231, abs=1e-4),
        1.0,
        8,
    )


def test_a_runtime_of_ones_own_is_carried_along(tmp_path: Path, facts: dict[str, Any]) -> None:
    data = {**runtime_data("mace_2019"), "name": "mine", "assumptions": {"pool": "free"}}
    path = tmp_path / "runtime.yaml"
    path.write_text(yaml.safe_dump(data))
    model = CalibratedModel.load(
        str(write_model(tmp_path / "m.yaml", RESULT, runtime_data(str(path)), facts))
    )
    assert model.runtime.name == "mine"
    assert model.assumptions == {"pool": "free"}


def test_facts_that_are_missing_unknown_or_wrong_are_named_and_nothing_is_written(
    tmp_path: Path, facts: dict[str, Any]
) -> None:
    path = tmp_path / "m.yaml"
    del facts["soc"], facts["licence"]
    with pytest.raises(TableError, match=r"(?s)3 problem.*'soc' is a required.*'licence' is.*date: 'today'"):
        write_model(path, RESULT, "mace_2019", {**facts, "date": "today"})
    with pytest.raises(TableError, match="not kernel_us, phone"):
        write_model(path, RESULT, "mace_2019", {**facts, "kernel_us": 1, "phone": "x"})
    assert not path.exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dnas-latency-model/1", "dnas-latency-model/2", "expected format 'dnas-latency-model/1'"),
        ("kernel_us: 30.43", "kernel_us: -1", "kernel_us: -1 is less than the minimum"),
        ("kernel_us: 30.43", "kernel_us: .nan", "kernel_us: nan is not a finite number"),
        ("kernel_us: 30.43", "kernel_ms: 30.43", "'kernel_ms' was unexpected"),
        ("fitted_networks: 8", "fitted_networks: 3", "3 is less than the minimum of 4"),
        (
            "runtime_description: mace_2019",
            "runtime_description: mace_2109",
            "No 'mace_2109' in latency/data/runtimes",
        ),
        (
            "runtime_description: mace_2019",
            "runtime_description: {format: dnas-runtime/1}",
            "'operations' is a req",
        ),
        ("name: my_phone", "name: my_phone\nname: other", "given twice: name"),
        ("name: my_phone", "name: [", "not valid YAML"),
    ],
)
def test_a_damaged_model_file_is_refused(model_file: Path, old: str, new: str, message: str) -> None:
    text = model_file.read_text()
    assert old in text
    model_file.write_text(text.replace(old, new))
    with pytest.raises(TableError, match=message):
        CalibratedModel.load(str(model_file))


def test_missing_model_file() -> None:
    with pytest.raises(TableError, match=r"No file nowhere\.yaml"):
        CalibratedModel.load("nowhere.yaml")
