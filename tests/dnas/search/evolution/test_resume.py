"""Parts of a search's state go through JSON without loss, and states of other searches are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dnas.search.evolution.resume import (
    check_settings,
    floats_from_plain,
    floats_to_plain,
    generator_state,
    restore_generator,
)

BIT_GENERATORS = [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64]


@pytest.mark.parametrize("kind", BIT_GENERATORS)
def test_a_generator_goes_on_after_json(kind: type[np.random.BitGenerator]) -> None:
    generator, other = np.random.Generator(kind(1)), np.random.Generator(kind(2))
    generator.integers(7, size=3, dtype=np.int32)  # leaves half of a 64-bit number behind
    restore_generator(other, json.loads(json.dumps(generator_state(generator), allow_nan=False)))
    for _ in range(2):
        expected = generator.integers(7, size=5, dtype=np.int32)
        assert other.integers(7, size=5, dtype=np.int32).tolist() == expected.tolist()
        assert other.random() == generator.random()


def test_a_generator_of_another_kind_is_refused() -> None:
    generator = np.random.Generator(np.random.MT19937(0))
    before = generator_state(generator)
    with pytest.raises(ValueError, match="of a PCG64 generator and this search has a MT19937"):
        restore_generator(generator, generator_state(np.random.default_rng(0)))
    assert generator_state(generator) == before


@pytest.mark.parametrize("array", [[], [0.1, -0.0, np.inf], [[1 / 3, np.nan], [-np.inf, 5e-324]]])
def test_floats_go_through_strict_json(array: list) -> None:
    plain = json.loads(json.dumps(floats_to_plain(np.array(array, dtype=float)), allow_nan=False))
    found = floats_from_plain(plain)
    assert found.dtype == np.float64
    assert found.tobytes() == np.array(array, dtype=float).tobytes() and found.shape == np.shape(array)


def test_settings_are_compared() -> None:
    settings = {"algorithm": "nsga2", "population": 70, "prior": None}
    check_settings(settings, {"settings": json.loads(json.dumps(settings)), "seen": []})
    with pytest.raises(ValueError) as error:
        check_settings(settings, {"settings": {"algorithm": "nsga2", "population": 50, "batch": 3}})
    assert "population was 50 and is now 70; batch was 3 and is now None" in str(error.value)
    assert "algorithm" not in str(error.value)
    with pytest.raises(ValueError, match="population was None and is now 70"):
        check_settings(settings, {"settings": {"algorithm": "nsga2", "prior": None}})
    with pytest.raises(ValueError, match=r"prior was \[(0\.5, ){23}0\.5,\.\.\. and is now None"):
        check_settings(settings, {"settings": settings | {"prior": [0.5] * 1000}})
    with pytest.raises(ValueError, match=r"no state of a search.*\['epoch'\]"):
        check_settings(settings, {"epoch": 3})
