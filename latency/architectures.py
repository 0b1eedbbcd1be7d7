"""Architectures as users name them: a published one, a file, or the text form."""

from __future__ import annotations

from dnas.space import SearchSpace, zoo
from dnas.space.architecture import Architecture, ArchitectureError


def resolve(text: str, space: SearchSpace) -> Architecture:
    """A name of the zoo, the path of an architecture file, or choice names of ``space`` (``E6K5 E6K7 ...``).

    Raises:
        ArchitectureError: none of these, saying what is wrong.
    """
    if text in zoo.names():
        return zoo.load(text)
    if text.endswith(".json"):
        return Architecture.load(text)
    try:
        return Architecture.parse(text, space)
    except ArchitectureError as error:
        raise ArchitectureError(
            f"{error} (An architecture is choice names, an architecture file *.json, or one of "
            f"{', '.join(zoo.names())}.)"
        ) from None
