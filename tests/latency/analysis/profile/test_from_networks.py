"""Tables fitted to whole networks alone: true sums, true differences, honest errors."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from dnas.costs import count
from dnas.space import SearchSpace
from latency.analysis.profile.from_networks import CONVENTION, fit_networks, header_facts, write_table
from latency.analysis.profile.samples import Samples
from latency.table import LatencyTable, load_table
from latency.table.errors import TableError

NOISE_MS = 0.1


def measured(table: LatencyTable, networks: int, seed: int = 0, noise_ms: float = NOISE_MS) -> Samples:
    rng = np.random.default_rng(seed)
    genomes = np.unique(rng.integers(table.space.num_choices, size=(networks, len(table.space))), axis=0)
    values = table.latency_ms(genomes) + rng.normal(0, noise_ms, len(genomes))
    return Samples(genomes, values, len(genomes))


def facts() -> dict[str, str]:
    return {**header_facts(None), "date": "2020-02-29", "source": "synthetic"}


@pytest.fixture(scope="module")
def moga() -> SearchSpace:
    return SearchSpace.load("moga")


@pytest.fixture(scope="module")
def truth(moga: SearchSpace) -> LatencyTable:
    return load_table("adreno630_mace_calibrated", moga)


def test_a_known_table_is_recovered(moga: SearchSpace, truth: LatencyTable, tmp_path: Path) -> None:
    samples = measured(truth, 600)
    fit = fit_networks(samples, moga)
    table = load_table(write_table(tmp_path / "table.csv", fit, facts(), "test"), moga)
    assert table.kind == "calibrated" and not table.is_measured
    centred = truth.ms - truth.ms.mean(axis=1, keepdims=True)
    inside = np.abs(fit.effects.effect - centred) <= fit.effects.half_width(0.95)
    assert 0.9 <= inside.mean() <= 0.99
    np.testing.assert_allclose(table.ms - table.ms.mean(axis=1, keepdims=True), fit.effects.effect, atol=1e-5)
    unseen = np.random.default_rng(9).integers(12, size=(500, 14))
    error_ms = table.latency_ms(unseen) - truth.latency_ms(unseen)
    # 155 unknowns from 600 networks: the noise of a prediction is sqrt(155 / 600) of that of a measurement.
    assert error_ms.std() < 0.7 * NOISE_MS and abs(error_ms.mean()) < 0.02
    np.testing.assert_allclose(table.latency_ms(unseen), fit.effects.predict(unseen), atol=1e-5)


def test_errors_in_the_header_and_the_entries(moga: SearchSpace, truth: LatencyTable, tmp_path: Path) -> None:
    fit = fit_networks(measured(truth, 500), moga)
    table = load_table(write_table(tmp_path / "table.csv", fit, facts(), "test"), moga)
    # Left out: the network's own noise, and that of a fit to 450 networks.
    expected = NOISE_MS * np.sqrt(1 + 155 / (450 - 155)) * np.sqrt(2 / np.pi) / 10
    assert fit.mape == pytest.approx(expected, rel=0.2)
    assert table.provenance["error"]["network_mean"] == pytest.approx(fit.mape, rel=1e-5)
    assert table.provenance["error"]["network_max"] == pytest.approx(fit.max_error, rel=1e-5)
    assert "left out of the fit (10 folds)" in table.provenance["error"]["statement"]
    assert table.provenance["notes"] == CONVENTION
    np.testing.assert_allclose(table.relative_error * table.ms, fit.effects.standard_error, rtol=1e-5)


def test_the_convention_by_hand(factorial: SearchSpace, tmp_path: Path) -> None:
    """Fastest choices share the fastest network's latency by multiply-adds; differences stay."""
    ms = np.array([[2.0, 1.0, 3.0, 4.0], [1, 2, 3, 4], [1, 2, 3, 5]])
    genomes = np.array([(*row, 0) for row in product(range(4), repeat=3)])
    values = 5 + ms[np.arange(3), genomes[:, :3]].sum(axis=1)
    fit = fit_networks(Samples(genomes, values, 64), factorial)
    table = load_table(write_table(tmp_path / "table.csv", fit, facts(), "test"), factorial)
    madds = count(factorial).madds
    parts = {
        "stem": sum(op.madds for op in factorial.stem_ops),
        "head": sum(op.madds for op in factorial.head_ops),
    }
    fastest = [madds[0, 1], madds[1, 0], madds[2, 0], madds[3, 0]]
    per_madd = 8 / (sum(parts.values()) + sum(fastest))
    assert table.stem_ms == pytest.approx(parts["stem"] * per_madd, rel=1e-6)
    assert table.head_ms == pytest.approx(parts["head"] * per_madd, rel=1e-6)
    assert table.overhead_ms == 0
    np.testing.assert_allclose(
        table.ms.min(axis=1, where=factorial.valid, initial=99), np.array(fastest) * per_madd, rtol=1e-6
    )
    np.testing.assert_allclose(table.ms[0] - table.ms[0, 1], [1, 0, 2, 3], atol=1e-6)
    np.testing.assert_allclose(table.latency_ms(genomes), values, rtol=1e-6)


def test_a_skip_that_does_nothing_takes_nothing(tiny: SearchSpace, tmp_path: Path) -> None:
    ms = np.array([[1.0, 2.0, 0.0], [0.25, 4.0, 0.0]])
    genomes = np.array(list(product(range(3), range(2))))
    values = 3 + ms[np.arange(2), genomes].sum(axis=1)
    fit = fit_networks(Samples(genomes, values, 6), tiny, folds=6)
    table = load_table(write_table(tmp_path / "table.csv", fit, facts(), "test"), tiny)
    assert table.ms[0].tolist() == pytest.approx([1, 2, 0], abs=1e-6)
    assert (table.ms[1, :2] > 0).all()
    np.testing.assert_allclose(table.latency_ms(genomes), values, rtol=1e-6)


def test_a_skip_that_noise_makes_slower_keeps_the_sums(tiny: SearchSpace, tmp_path: Path) -> None:
    ms = np.array([[0.1, 2.0, 0.2], [0.25, 4.0, 0.0]])
    genomes = np.array(list(product(range(3), range(2))))
    values = 3 + ms[np.arange(2), genomes].sum(axis=1)
    fit = fit_networks(Samples(genomes, values, 6), tiny, folds=6)
    table = load_table(write_table(tmp_path / "table.csv", fit, facts(), "test"), tiny)
    assert table.ms[0, 2] == pytest.approx(table.ms[0, 0] + 0.1, abs=1e-6)
    np.testing.assert_allclose(table.latency_ms(genomes), values, rtol=1e-6)


def test_a_fastest_network_below_zero_is_refused(factorial: SearchSpace, tmp_path: Path) -> None:
    genomes = np.array([(*row, 0) for row in product(range(4), repeat=3)])
    # Latencies multiply instead of adding up: the additive fit reaches below 0.
    values = 10.0 ** genomes.sum(axis=1)
    fit = fit_networks(Samples(genomes, values, 64), factorial)
    with pytest.raises(TableError, match=r"fastest network of factorial would take -.*Measure more networks"):
        write_table(tmp_path / "table.csv", fit, facts(), "test")
    assert not (tmp_path / "table.csv").exists()


def test_too_few_networks_name_what_is_missing(moga: SearchSpace, truth: LatencyTable) -> None:
    with pytest.raises(
        TableError, match=r"in none of them: L1 .*at least 156 different networks are needed.*468"
    ):
        fit_networks(measured(truth, 20), moga)


def test_facts_go_into_the_header(moga: SearchSpace, truth: LatencyTable, tmp_path: Path) -> None:
    path = tmp_path / "facts.yaml"
    path.write_text(
        "name: my_npu\ndevice: A phone\nprecision: int8\ndate: 2024-05-06\nruntime_version: 2.10\n"
    )
    fit = fit_networks(measured(truth, 400), moga)
    given = {**facts(), **header_facts(path)}
    table = load_table(write_table(tmp_path / "table.csv", fit, given, "test"), moga)
    found = table.provenance
    assert table.name == "my_npu"
    assert (found["device"], found["precision"], found["date"]) == ("A phone", "int8", "2024-05-06")
    assert found["runtime_version"] == "2.10"
    assert (found["gpu"], found["licence"]) == ("unknown", "unknown")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("color: red\n", "unknown color; known are device"),
        ("just text\n", "expected a mapping"),
        ("", "expected a mapping"),
        ("a: [1\n", "facts.yaml: while parsing"),
    ],
)
def test_facts_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "facts.yaml"
    path.write_text(text)
    with pytest.raises(TableError, match=message):
        header_facts(path)


def test_no_facts_file(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"No such file.*absent\.yaml"):
        header_facts(tmp_path / "absent.yaml")


def test_an_impossible_fact_is_refused_before_writing(factorial: SearchSpace, tmp_path: Path) -> None:
    genomes = np.array([(*row, 0) for row in product(range(4), repeat=3)])
    fit = fit_networks(Samples(genomes, 5.0 + genomes.sum(axis=1), 64), factorial)
    with pytest.raises(TableError, match="precision: 'float16' is not one of"):
        write_table(tmp_path / "table.csv", fit, {**facts(), "precision": "float16"}, "test")
    assert not (tmp_path / "table.csv").exists()
