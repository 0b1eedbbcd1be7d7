"""Disjoint, seeded, stratified splits of a labelled data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.model_selection import train_test_split


def fraction_problems(fractions: Mapping[str, float], rest: str = "weights") -> list[str]:
    """Everything wrong with a set of split fractions, one sentence each; empty when they can be used.

    Each fraction must lie in [0, 1), and together they must leave something for the split named `rest`.
    """
    problems = [
        f"{name}_fraction must be in [0, 1), got {value!r}"
        for name, value in fractions.items()
        if not 0.0 <= value < 1.0
    ]
    if not problems and sum(fractions.values()) >= 1.0:
        given = " + ".join(f"{name} {value}" for name, value in fractions.items())
        problems.append(f"the fractions leave nothing for the {rest} split: {given} >= 1")
    return problems


def stratified_splits(
    labels: Sequence[int] | np.ndarray, fractions: Mapping[str, float], seed: int, rest: str = "weights"
) -> dict[str, np.ndarray]:
    """Cuts the images into disjoint splits that all have the class proportions of the whole.

    Splits are cut off in the order of `fractions`, so a split does not move when a later fraction changes.

    Args:
        labels: (N,) class of every image.
        fractions: share of the N images that each named split receives; 0 gives an empty split.
        seed: decides who goes where.
        rest: name of the split that receives everything else.

    Returns:
        Name -> sorted image indices, int64. Disjoint; together they are 0..N-1.

    Raises:
        ValueError: fractions outside [0, 1), nothing left for `rest`, or classes with too few images.
    """
    labels = np.asarray(labels)
    if problems := fraction_problems(fractions, rest):
        raise ValueError("; ".join(problems))
    sizes = {name: round(fraction * len(labels)) for name, fraction in fractions.items()}
    _check_class_sizes(labels, {name: size for name, size in sizes.items() if fractions[name] > 0}, rest)
    remaining, splits = np.arange(len(labels)), {}
    for name, size in sizes.items():
        chosen = np.empty(0, dtype=np.int64)
        if size:
            remaining, chosen = train_test_split(
                remaining, test_size=size, stratify=labels[remaining], random_state=seed
            )
        splits[name] = np.sort(chosen)
    return {rest: np.sort(remaining), **splits}


def _check_class_sizes(labels: np.ndarray, sizes: Mapping[str, int], rest: str) -> None:
    """Every split must be able to hold every class."""
    classes, counts = np.unique(labels, return_counts=True)
    sizes = {rest: len(labels) - sum(sizes.values()), **sizes}
    problems = [
        f"split {name!r} would hold {size} images, fewer than the {len(classes)} classes"
        for name, size in sizes.items()
        if size < len(classes)
    ]
    small = [f"{label} ({count})" for label, count in zip(classes, counts, strict=True) if count < len(sizes)]
    if small:
        problems.append(f"classes with fewer than {len(sizes)} images, one per split: {', '.join(small)}")
    if problems:
        raise ValueError(f"cannot split {len(labels)} images: {'; '.join(problems)}; change the fractions")
