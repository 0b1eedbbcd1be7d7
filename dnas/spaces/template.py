"""A new search space as a commented file: explanations of ``template.yaml``, its values or a space's own."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from importlib import resources
from typing import Any, NamedTuple

import yaml

from dnas import blocks
from dnas.space import SearchSpace, SpaceError

WIDTH = 110
# Keys under which people list layers: a file has one of the two.
LAYERS = ("layers", "stages")


class Section(NamedTuple):
    """A top-level key of the template with the lines above it, and its own lines."""

    key: str
    comment: str
    body: str


def template(name: str, like: SearchSpace | None = None) -> str:
    """The text of a new space file in version 2 of the format: every key is explained where it stands.

    Args:
        name: of the space; what a name cannot hold becomes ``_``.
        like: the space whose values it has; by default a small one with every kind of stage.

    Raises:
        SpaceError: a name of which nothing is left.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    if not name.strip("_"):
        raise SpaceError("A search space is named after its file: give it a name of letters and digits.")
    definition = {"name": name} if like is None else {**version2(like), "name": name}
    known = sections()
    explained = {section.key for section in known} | {*LAYERS}
    others = [_dumped(key, value) for key, value in definition.items() if key not in explained]
    return "".join([*(_written(section, definition, like) for section in known), *others])


def sections() -> list[Section]:
    """The parts of ``template.yaml``, in order."""
    source = resources.files("dnas.spaces").joinpath("template.yaml").read_text(encoding="utf-8")
    found, comment, body, key = list[Section](), "", "", ""
    for line in source.splitlines(keepends=True):
        top = re.match(r"(\w+):", line)
        if key and (top or not line.strip() or (line.startswith("#") and body)):
            found.append(Section(key, comment, body))
            comment, body, key = "", "", ""
        if top:
            key = top[1]
        if key:
            body += line
        else:
            comment += line
    return [*found, Section(key, comment, body)]


def version2(space: SearchSpace) -> dict[str, Any]:
    """The plain data of a space in version 2 of the format, every choice with its type.

    A space of its own: of what this one was reduced from, it says nothing.
    """
    definition = space.to_dict()
    definition.pop("reduced_from", None)
    choices = {
        name: {"type": "skip"} if given.get("skip") else {"type": "inverted_residual", **given}
        for name, given in definition["choices"].items()
    }
    return {**definition, "format": "dnas-space/2", "choices": choices}


def _written(section: Section, definition: Mapping[str, Any], like: SearchSpace | None) -> str:
    comment = section.comment
    if section.key == "choices":
        comment += _about_types(definition)
    key = section.key
    if key in LAYERS and like is not None:
        key = next(each for each in LAYERS if each in definition)
    if key in definition:
        return comment + _dumped(key, definition[key])
    return comment + (section.body if like is None else "")


def _dumped(key: str, value: Any) -> str:
    """A key with its value, an entry a line."""
    if isinstance(value, list):
        return f"{key}:\n" + "".join(f"  - {_flow(entry)}\n" for entry in value)
    if isinstance(value, dict):
        return f"{key}:\n" + "".join(f"  {_flow(name)}: {_flow(entry)}\n" for name, entry in value.items())
    return yaml.safe_dump({key: value}, width=1000, allow_unicode=True)


def _flow(value: Any) -> str:
    """YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=100_000)
    return text.removesuffix("\n").removesuffix("...").rstrip()


def _about_types(definition: Mapping[str, Any]) -> str:
    """The block types, and the options of those that the choices have."""
    used = [given["type"] for given in definition.get("choices", {}).values()] or ["inverted_residual"]
    every = f"Block types: {', '.join(blocks.names())}; all their options: docs/blocks.md."
    lines = _wrapped(every)
    for name in dict.fromkeys(used):
        lines += [line for text in _options_of(name) for line in _wrapped(text)]
    return "".join(f"#{line}\n" for line in lines)


def _options_of(name: str) -> Iterator[str]:
    known = fields(blocks.get(name).Options)
    if known:
        yield f"  {name}:"
    for field in known:
        left_out = "" if field.default is MISSING else f"; {field.default} when left out"
        yield f"    {field.name}: {field.metadata.get('description', '')}{left_out}"


def _wrapped(text: str) -> list[str]:
    indent = " " * (len(text) - len(text.lstrip()))
    inner = f" {indent}  " if indent else " "
    return textwrap.wrap(text.strip(), WIDTH, initial_indent=f" {indent}", subsequent_indent=inner)
