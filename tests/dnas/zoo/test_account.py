"""Counts beside a reference's, and latencies by whatever tables are handed over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnas.space import SearchSpace, zoo
from dnas.zoo.account import Latency, account
from latency import load_table

MACE = "adreno630_mace_calibrated"


def test_counts_and_latency_of_moga_a() -> None:
    table = load_table(MACE, SearchSpace.load("moga"))
    found = account(zoo.published("moga_a"), [table])
    assert (found.params, found.madds, found.top1) == (5_159_802, 304_042_176, 75.9)
    low, high = table.latency_interval(zoo.load("moga_a"))
    latency = Latency(MACE, "calibrated", table.latency_ms(zoo.load("moga_a")), low, high)
    assert found.latencies == (latency,) and latency.low < latency.ms < latency.high
    assert latency.ms == pytest.approx(10.95, abs=0.01)
    assert found.latency_by(MACE) == latency and found.latency_by("another") is None
    assert (found.reference, found.agreement) == ("", "")


def test_equal_counts_and_what_they_are_of() -> None:
    whole, pooled, weights, params = (
        account(zoo.published(name), []) for name in ("mobilenet_v2", "fairnas_b", "fbnet_a", "proxyless_cpu")
    )
    assert (whole.reference, whole.agreement) == (
        "torchvision mobilenet_v2",
        "equal: parameters, multiply-adds",
    )
    assert pooled.agreement == "equal: parameters, multiply-adds", (
        "what the reference counts besides is known"
    )
    assert weights.agreement == "equal: weights, multiply-adds"
    assert params.agreement == "equal: parameters"


def test_a_difference_is_a_number() -> None:
    published = zoo.published("mobilenet_v2")
    other = {**published.reference_counts, "params": 3_504_870}
    found = account(replace(published, reference_counts=other), [])
    assert found.agreement == "+2 parameters; equal: multiply-adds"
    assert found.differences == {"params": 2, "madds": 0}


@pytest.mark.parametrize("name", zoo.names())
def test_every_network_with_a_reference_equals_it(name: str) -> None:
    found = account(zoo.published(name), [])
    assert set(found.differences.values()) <= {0} and bool(found.differences) == bool(found.reference)
