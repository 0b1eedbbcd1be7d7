"""Pieces of a search's state as plain JSON data: settings to compare, generators, floats even if infinite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# Characters of a setting in a message; enough for one number of choices per layer.
_LONGEST = 120


def check_settings(settings: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Refuse a state whose "settings" are not the given ones.

    Args:
        settings: Name -> plain JSON value (lists, no tuples), the algorithm's own name among them.
        state: As from `state_dict`, perhaps read from a file.

    Raises:
        OtherSearch: names every setting that differs, with both values.
    """
    if not isinstance(state, Mapping):
        raise OtherSearch(f"this is no state of a search: it is {_shortened(state)}, not a mapping")
    saved = state.get("settings")
    if not isinstance(saved, Mapping):
        raise OtherSearch(f"this is no state of a search: it has no settings, only {sorted(map(str, state))}")
    names = [*settings, *(name for name in saved if name not in settings)]
    differing = [
        f"{name} was {_shortened(saved.get(name))} and is now {_shortened(settings.get(name))}"
        for name in names
        if saved.get(name) != settings.get(name)
    ]
    if differing:
        raise OtherSearch(
            f"the state is of a search with other settings: {'; '.join(differing)}. "
            "Resume with the settings it was started with, or start anew"
        )


class OtherSearch(ValueError):
    """A state, whole perhaps, that is not of this search; the message says what differs."""


class DamagedState(ValueError):
    """A state that is not whole, or holds what no search writes."""


Load = Callable[[Any, Mapping[str, Any]], None]


def all_or_nothing(load: Load) -> Load:
    """A `load_state_dict` that leaves a search as it was when the state cannot be loaded.

    What is raised then is `OtherSearch` or `DamagedState`.
    """

    @wraps(load)
    def load_state_dict(search: Any, state: Mapping[str, Any]) -> None:
        before = search.state_dict()
        try:
            load(search, state)
        except Exception as error:
            load(search, before)
            if isinstance(error, OtherSearch):
                raise
            fault = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            raise DamagedState(
                f"the state is damaged or truncated ({fault}). Load what state_dict returned, or start anew"
            ) from error

    return load_state_dict


def generator_state(generator: np.random.Generator) -> dict[str, Any]:
    """Return the state of the generator's bit generator as plain data."""
    return {name: _plain(value) for name, value in generator.bit_generator.state.items()}


def restore_generator(generator: np.random.Generator, state: Mapping[str, Any]) -> None:
    """Set the generator, in place, to a state from `generator_state`.

    Raises:
        OtherSearch: the state is of another kind of bit generator.
        ValueError: it is not one that a generator can be in.
    """
    name = type(generator.bit_generator).__name__
    saved = state["bit_generator"]
    if saved != name:
        raise OtherSearch(
            f"the state is of a {saved} generator and this search has a {name}: "
            "give it a generator of the same kind (np.random.default_rng makes PCG64)"
        )
    generator.bit_generator.state = dict(state)
    # Of a fraction, say, numpy takes a part.
    if generator_state(generator) != _plain(state):
        raise ValueError("its generator cannot be in that state")


def floats_to_plain(array: FloatArray) -> list[Any]:
    """Return nested lists of floats, "nan", "inf" and "-inf" in words: strict JSON has no such numbers."""
    return [floats_to_plain(row) if row.ndim else _word(float(row)) for row in np.asarray(array)]


def floats_from_plain(plain: list[Any]) -> FloatArray:
    """Return the array that `floats_to_plain` was given (an empty one comes back with shape (0,))."""
    return np.array([floats_from_plain(row) if isinstance(row, list) else float(row) for row in plain])


def ints_from_plain(plain: Any) -> npt.NDArray[np.int64]:
    """Return the array of nested lists of whole numbers (an empty one has shape (0,)).

    Raises:
        ValueError: ragged, or anything else than whole numbers in it.
    """
    array = np.array(plain)
    if not array.size:
        return np.empty(0, dtype=np.int64)
    if array.dtype.kind not in "iu":
        raise ValueError(f"whole numbers expected, got {_shortened(plain)}")
    return array.astype(np.int64)


def rows(array: npt.NDArray[Any], columns: int) -> npt.NDArray[Any]:
    """Return an array from plain data as (n, columns), an empty one too.

    Raises:
        ValueError: it has another shape.
    """
    if not array.size:
        return array.reshape(0, columns)
    if array.ndim != 2 or array.shape[1] != columns:
        raise ValueError(f"rows of {columns} numbers expected, got {array.shape}")
    return array


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _word(number: float) -> float | str:
    return number if np.isfinite(number) else str(number)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
