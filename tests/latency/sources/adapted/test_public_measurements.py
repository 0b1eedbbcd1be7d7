"""The real measurements, where they lie below DNAS_DATA: six phones, each left out in turn."""

from __future__ import annotations

import os
from pathlib import Path

import adapt
import adapt_data
import numpy as np
import pytest

FOLDER = Path(os.environ.get("DNAS_DATA", "")) / "mobile-gpu"
pytestmark = pytest.mark.skipif(
    not os.environ.get("DNAS_DATA") or not (FOLDER / "tflite_cnn_ops_gpu.csv").is_file(),
    reason="set DNAS_DATA to a folder with mobile-gpu/tflite_cnn_ops_gpu.csv, which is public",
)


@pytest.fixture(scope="module")
def phones() -> adapt_data.Phones:
    return adapt_data.load(FOLDER)


def test_tables_of_the_phones_are_like_their_timings(phones: adapt_data.Phones) -> None:
    assert phones.parts.shape == (6, 102, len(phones.kinds))
    assert phones.mbconv.sum() == 26
    errors = np.abs(phones.parts.sum(axis=2) / phones.timed_ms - 1)
    assert (errors.mean(axis=1) < 0.05).all()


def test_twenty_timings_are_better_than_counting_and_scaling(phones: adapt_data.Phones) -> None:
    """On every phone by the mean error of four random draws; docs/latency_adapt.md has twenty."""
    methods = (adapt._adapt(), adapt._calibrate, adapt._scale)
    ours, counted, scaled = (adapt._means(adapt.scored(phones, method, 20, 4)) for method in methods)
    assert (ours[:, 0] < counted[:, 0]).all()
    assert (ours[:, 0] < scaled[:, 0]).all()
    assert ours[:, 0].mean() < 0.06
    assert ours[:, 1].mean() > 0.93
    assert 0.8 < ours[:, 2].mean() < 0.97
