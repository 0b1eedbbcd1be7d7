"""What every search over genomes promises: it asks, is told, and stops and resumes at any moment.

A genome is one choice per layer, (L,) int64 with genome[l] in range(choices[l]). Where a search is given a
canonical map, genomes that build the same network are one: it asks for canonical ones alone. Whoever
evaluates runs the loop, so that one evaluator serves all searches:

    while len(genomes := search.ask()):
        search.tell(genomes, evaluate(genomes))
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class Algorithm(Protocol):
    """Ask/tell search over genomes: (n, L) int64 arrays, genome[l] in range(choices[l])."""

    def ask(self) -> IntArray:
        """Return the genomes to evaluate next, (n, L), distinct and never asked for before.

        The same ones again until they have been told; (0, L) when nothing is left to ask for.
        """

    def tell(self, genomes: IntArray, values: FloatArray, violations: FloatArray | None = None) -> None:
        """Take the values of exactly the genomes that the last `ask` returned, in that order.

        Tensors of torch are taken, too.

        Args:
            genomes: (n, L), as asked.
            values: (n, M) objective values. Infeasible rows may hold NaN: they need no evaluation.
            violations: (n,) sum of by how much bounds are broken, >= 0; 0 is feasible. None: all feasible.

        Raises:
            ValueError: other genomes, wrong shapes, violations that are negative or NaN.
        """

    def state_dict(self) -> dict[str, Any]:
        """Return all that `ask` depends on as plain JSON data that json round-trips exactly."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where the state was taken: from here on `ask` returns the same, bit for bit.

        Raises:
            ValueError: the state is of another algorithm or other settings; one message names all of them.
        """


def as_array(values: Any) -> np.ndarray:
    """Return an array; of a tensor of torch, on whatever device, its values without their gradients.

    So of lists of tensors.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        # numpy has no bfloat16.
        return np.asarray(values.double() if values.is_floating_point() else values)
    if isinstance(values, list | tuple):
        return np.asarray([as_array(each) if _may_hold_tensors(each) else each for each in values])
    return np.asarray(values)


def real_array(name: str, values: Any) -> FloatArray:
    """Return a float64 copy of what is called ``name`` in messages; None in it becomes NaN.

    Raises:
        ValueError: ragged, masked, or not of real numbers.
    """
    try:
        if np.ma.is_masked(values):
            raise TypeError("some of it is masked")
        array = as_array(values)
        if array.dtype.kind not in "biufO":
            raise TypeError(f"it is of {array.dtype}")
        return np.array(array, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise ValueError(f"{name} must be an array of real numbers: {error}") from error


def check_told(
    asked: IntArray | None,
    genomes: IntArray,
    values: FloatArray,
    violations: FloatArray | None,
    objectives: int | None = None,
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return genomes, (n, L), and copies of values, (n, M), and violations, (n,), after checking a `tell`.

    Args:
        asked: The genomes that wait for their values, None if none do.
        genomes, values, violations: As told.
        objectives: The M expected; None for any.

    Raises:
        ValueError: names everything wrong.
    """
    if asked is None:
        raise ValueError("tell came without ask: ask for genomes, evaluate them, then tell their values")
    values = real_array("values", values)
    violations = np.zeros(len(asked)) if violations is None else real_array("violations", violations)
    problems = []
    if not _equal(genomes, asked):
        problems.append("genomes must be exactly those that ask returned, in the same order")
    expected = (len(asked), values.shape[-1] if objectives is None and values.ndim else objectives)
    if values.shape != expected:
        problems.append(f"values must have shape (genomes, objectives), {expected}, got {values.shape}")
    if violations.shape != (len(asked),):
        problems.append(f"violations must have shape {(len(asked),)}, got {violations.shape}")
    elif not (violations >= 0).all():
        wrong = np.flatnonzero(~(violations >= 0)).tolist()
        problems.append(f"violations must be 0 (feasible) or above, they are negative or NaN in rows {wrong}")
    if problems:
        raise ValueError("; ".join(problems))
    return asked, values, violations


def _may_hold_tensors(value: Any) -> bool:
    return hasattr(value, "detach") or isinstance(value, list | tuple)


def _equal(genomes: Any, asked: IntArray) -> bool:
    try:
        return np.array_equal(as_array(genomes), asked)
    except ValueError:  # rows of different lengths
        return False
