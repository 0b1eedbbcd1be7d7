"""The calibrated model: by hand, against what is published, and as a file of one's own, damaged ones too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dnas.blocks.ops import Op
from dnas.space import SearchSpace
from latency import TableError, load_table
from latency.sources.calibrated import published
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.fit import Fit, fit
from latency.sources.calibrated.model import FACTS, CalibratedModel, runtime_data, write_model
from latency.table import shipped

NETWORKS = {network.name: network for network in published.load_all()}
MODELS = shipped.names("models")


def latency_ms(model: str, network: str) -> float:
    return CalibratedModel.load(model).latency_ms(NETWORKS[network].ops)


def test_three_coefficients_by_hand() -> None:
    model = CalibratedModel.load("adreno630_mace")
    dense = Op("conv", 100, 100, 100, activation="hswish")  # 0.1 G multiply-adds, 1 + 3 kernels
    depthwise = Op("depthwise", 400, 400, 100, 5, 1, 400, activation="relu")  # 0.1 G multiply-adds, 1 kernel
    assert model.latency_ms([dense, depthwise]) == pytest.approx(1.53 + 3.91 + 5 * 0.030)
    assert model.latency_ms([]) == 0
    parts = {
        "conv": 1.53 + 0.03,
        "add_relu6": 0.03,
        "scale": 0.03,
        "multiply": 0.03,
        "depthwise": 3.91 + 0.03,
    }
    assert model.parts_ms([dense, depthwise]) == pytest.approx(parts)
    assert model.parts_ms([]) == {}


@pytest.mark.parametrize(
    ("model", "network", "ms"),
    [
        ("adreno630_mace", "MoGA-A", 11.0),
        ("adreno630_mace", "MoGA-B", 9.95),
        ("adreno630_mace", "MoGA-C", 8.9),
        ("adreno630_snpe", "MoGA-A", 11.4),
        ("adreno630_snpe", "MoGA-B", 10.6),
        ("adreno630_snpe", "MoGA-C", 9.7),
    ],
)
def test_the_fit_is_reproduced_with_rounded_coefficients(model: str, network: str, ms: float) -> None:
    """These figures come from coefficients before rounding; rounding moves a network by less than 1 %."""
    assert latency_ms(model, network) == pytest.approx(ms, rel=0.01)


@pytest.mark.parametrize("model", MODELS)
def test_published_latencies_within_the_stated_maximum_error(model: str) -> None:
    calibrated = CalibratedModel.load(model)
    for network in NETWORKS.values():
        published_ms = network.published[calibrated.provenance["published_as"]]
        assert calibrated.latency_ms(network.ops) == pytest.approx(
            published_ms, rel=calibrated.leave_one_out_max
        )


def test_ranks_the_eight_networks_as_the_paper_does() -> None:
    ms = {name: latency_ms("adreno630_mace", name) for name in NETWORKS}
    assert sorted(ms, key=ms.__getitem__) == sorted(
        NETWORKS, key=lambda name: float(NETWORKS[name].published["mace_ms"])
    )


@pytest.mark.parametrize("name", MODELS)
def test_model_files_are_complete_and_call_nothing_measured(name: str) -> None:
    facts = CalibratedModel.load(name).provenance
    assert facts["name"] == name
    assert {"device", "gpu", "runtime", "source", "licence", "date"} <= set(facts)
    assert "measured" not in str(facts)


def test_unknown_model_names_the_shipped_ones() -> None:
    with pytest.raises(TableError, match="adreno630_mace, adreno630_snpe"):
        CalibratedModel.load("adreno640")


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
