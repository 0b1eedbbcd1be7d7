"""The ``forward`` of a module as lines of Python, from the operations that torch.fx records."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

_INFIX: dict[Any, str] = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
    operator.floordiv: "//",
}
_LETTERS = ("x", "y", "z")


class _Flat(fx.Tracer):
    """Looks into no part of the module."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


def forward_lines(module: nn.Module) -> list[str]:
    """``def forward(self, x):`` and what follows, for a module with one input.

    Raises:
        ValueError: its operations depend on values, or are none of torch's.
    """
    kind = type(module).__name__
    try:
        graph = _Flat().trace(module)
    except Exception as error:  # whatever a forward does with what stands for its input
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"--format python cannot follow the forward of {kind}: {reason}") from error
    lines, names = [], _Names(module)
    for node in graph.nodes:
        if node.op == "placeholder":
            lines.append(f"def forward(self, {names.of_new(node)}):")
        elif node.op == "output":
            lines.append(f"    return {names.value(node.args[0])}")
        elif names.passes(node):
            names.alias(node)
        else:
            code = names.code(node)
            lines.append(f"    {names.of_new(node)} = {code}")
    if len(lines) > 2 and lines[-1] == f"    return {lines[-2].split(' = ')[0].strip()}":
        lines[-2:] = [f"    return {lines[-2].split(' = ', 1)[1]}"]
    return lines


class _Names:
    """Variables of a forward: one whose value is not needed any more takes the next."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self._of: dict[fx.Node, str] = {}
        # Nodes that stand for another's value -> that other one.
        self._alias: dict[fx.Node, fx.Node] = {}
        self._held: dict[str, fx.Node] = {}

    def passes(self, node: fx.Node) -> bool:
        """Whether a part of the module hands its input on."""
        return node.op == "call_module" and type(self.module.get_submodule(str(node.target))) is nn.Identity

    def alias(self, node: fx.Node) -> None:
        first = node.args[0]
        assert isinstance(first, fx.Node)
        self._alias[node] = self._root(first)

    def _root(self, node: fx.Node) -> fx.Node:
        return self._alias.get(node, node)

    def of_new(self, node: fx.Node) -> str:
        """A name for a node's value: of one that nothing after ``node`` needs, or a new one."""
        later = self._needed_after(node)
        free = [name for name, holder in self._held.items() if holder not in later]
        # The latest one, so that a chain of operations keeps its letter.
        count = len(self._held)
        name = free[-1] if free else _LETTERS[count] if count < len(_LETTERS) else f"x{count}"
        self._held.pop(name, None)
        self._held[name] = node
        self._of[node] = name
        return name

    def _needed_after(self, node: fx.Node) -> set[fx.Node]:
        found, current = set(), node.next
        while current.op != "root":
            found |= set(current.all_input_nodes)
            current = current.next
        # What an identity hands on is needed for as long as its output is.
        roots = {self._root(each) for each in found}
        return roots

    def value(self, value: Any) -> str:
        """A value as an argument."""
        if isinstance(value, fx.Node):
            return self._of[self._root(value)]
        if isinstance(value, list | tuple):
            inside = ", ".join(map(self.value, value))
            if isinstance(value, list):
                return f"[{inside}]"
            return f"({inside},)" if len(value) == 1 else f"({inside})"
        if isinstance(value, slice):
            return f"slice({', '.join(map(self.value, (value.start, value.stop, value.step)))})"
        if value is None or isinstance(value, bool | int | float | str | torch.dtype):
            return repr(value)
        raise ValueError(f"--format python cannot write {value!r} in {type(self.module).__name__}.")

    def code(self, node: fx.Node) -> str:
        """The expression of an operation."""
        return _KINDS[node.op](self, node)

    def _arguments(self, args: Any, kwargs: Any) -> str:
        named = [f"{name}={self.value(each)}" for name, each in kwargs.items()]
        return ", ".join([*map(self.value, args), *named])

    def part(self, node: fx.Node) -> str:
        """An attribute of the module."""
        parts = str(node.target).split(".")
        return "self" + "".join(f"[{each}]" if each.isdigit() else f".{each}" for each in parts)

    def of_module(self, node: fx.Node) -> str:
        return f"{self.part(node)}({self._arguments(node.args, node.kwargs)})"

    def of_method(self, node: fx.Node) -> str:
        first, *rest = node.args
        return f"{self.value(first)}.{node.target}({self._arguments(rest, node.kwargs)})"

    def of_function(self, node: fx.Node) -> str:
        function, args = node.target, node.args
        if function in _INFIX:
            return f"{self.value(args[0])} {_INFIX[function]} {self.value(args[1])}"
        if function is operator.getitem:
            return f"{self.value(args[0])}[{self.value(args[1])}]"
        if function is getattr:
            return f"{self.value(args[0])}.{args[1]}"
        for owner, prefix in ((torch, "torch"), (F, "F")):
            name = getattr(function, "__name__", "")
            if getattr(owner, name, None) is function:
                return f"{prefix}.{name}({self._arguments(args, node.kwargs)})"
        raise ValueError(f"--format python cannot write {function!r} in {type(self.module).__name__}.")


_KINDS: dict[str, Callable[[_Names, fx.Node], str]] = {
    "call_module": _Names.of_module,
    "call_method": _Names.of_method,
    "call_function": _Names.of_function,
    "get_attr": _Names.part,
}
