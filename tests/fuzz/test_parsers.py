"""Files that were valid, mutated: every parser ends in its own errors (for longer: ``make fuzz``)."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import pytest
from fuzz_parsers import LOGS, Parser, parsers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latency.sources.imported.formats import FORMATS

NAMES = (
    *("space", "architecture", "architecture-yaml", "run", "config", "facts", "latency-model", "command"),
    *("table", *(f"import-{name}" for name in FORMATS), "checkpoint", "weights"),
)
bounded = settings(
    max_examples=8,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Parser]:
    return {each.name: each for each in parsers(tmp_path_factory.mktemp("fuzz"))}


def test_every_parser_is_here(made: dict[str, Parser]) -> None:
    assert tuple(made) == NAMES and tuple(LOGS) == tuple(FORMATS)


# These do not hold all blocks of the space, so that no table comes of them; the others are whole.
@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("import-")])
def test_the_file_that_is_mutated_is_valid(name: str, made: dict[str, Parser], tmp_path: Path) -> None:
    parser = made[name]
    path = tmp_path / f"valid{parser.suffix}"
    path.write_bytes(parser.valid)
    parser.use(path)


@pytest.mark.parametrize("name", NAMES)
@bounded
@given(seed=st.integers(0, 2**32))
def test_only_its_own_errors_come_out(name: str, made: dict[str, Parser], tmp_path: Path, seed: int) -> None:
    parser = made[name]
    path = tmp_path / f"mutated{parser.suffix}"
    path.write_bytes(parser.mutated(random.Random(seed)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if (error := parser.crash(path)) is not None:
            raise AssertionError(f"{name}, seed {seed}: {error!r}") from error


@pytest.mark.parametrize("name", NAMES)
@bounded
@given(content=st.binary(max_size=300))
def test_any_bytes_at_all(name: str, made: dict[str, Parser], tmp_path: Path, content: bytes) -> None:
    path = tmp_path / f"bytes{made[name].suffix}"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert made[name].crash(path) is None
