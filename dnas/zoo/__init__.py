"""Published networks: ``dnas.zoo.load("moga_a")``, and the command ``dnas zoo`` about them (docs/zoo.md)."""

from dnas.space.zoo import (
    Published,
    in_space,
    load,
    load_architecture,
    names,
    published,
    space_name,
    spaces_of_one,
)

__all__ = [
    "Published",
    "in_space",
    "load",
    "load_architecture",
    "names",
    "published",
    "space_name",
    "spaces_of_one",
]
