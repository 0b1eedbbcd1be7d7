"""A module as Python source that needs torch alone.

Modules of torch are written as calls of their constructors, other ones as classes that take their parts and
whose ``forward`` has the operations that :mod:`torch.fx` records. The state dict is that of the module.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from torch import nn

from dnas.export.formats.python_forward import forward_lines

WIDTH = 100
_INDENT = "    "
_HEADER = '''"""{title}

{facts}

Input: {shape} float32 images. Output: (N, classes) logits. Needs torch alone:

    from {stem} import load

    network = load()
"""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn{functional}

WEIGHTS = Path(__file__).with_name("{weights}")


def chain(**parts):
    """Named modules one after the other."""
    return nn.Sequential(OrderedDict(parts))
'''
_FOOTER = '''

def build():
    """The network with random weights."""
    return {network}


def load(weights=WEIGHTS):
    """The trained network, in evaluation mode."""
    network = build()
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return network.eval()
'''


def written_out(module: nn.Module, shape: str, weights: str, facts: Mapping[str, str]) -> str:
    """The source of a file with ``build`` and ``load``.

    Args:
        shape: of the input, for its docstring.
        weights: name of the file of the state dict, beside it.
        facts: what else its docstring says.

    Raises:
        ValueError: a part has no counterpart in plain torch.
    """
    writer = _Writer()
    network = writer.expression(module, 1)
    classes = "".join(f"\n\n{code}" for code in writer.classes)
    header = _HEADER.format(
        title="A network written by dnas export --format python.",
        facts="\n".join(f"{name}: {_plain(value)}" for name, value in facts.items()),
        shape=shape,
        stem=weights.rpartition(".")[0],
        weights=_plain(weights),
        functional="\nfrom torch.nn import functional as F" if "F." in classes else "",
    )
    return header + classes + _FOOTER.format(network=network)


def _plain(text: str) -> str:
    """Text that cannot end a docstring."""
    return text.replace("\\", "/").replace('"', "'")


class _Writer:
    """Expressions of modules, and the classes that they need, in the order of definition."""

    def __init__(self) -> None:
        self.classes: list[str] = []
        self._names: dict[tuple[str, str], str] = {}

    def expression(self, module: nn.Module, depth: int) -> str:
        """The call that makes ``module``, at ``depth`` indentations."""
        stock = _stock(module)
        if stock in (nn.Sequential, nn.ModuleList, nn.ModuleDict):
            return self._container(module, stock, depth)
        if stock is not None:
            return _call(f"nn.{stock.__name__}", _arguments(module, stock), depth)
        parts = {name: each for name, each in module.named_children() if not _is_identity(each)}
        name = self._class(module, list(parts))
        arguments = [f"{part}={self.expression(each, depth + 1)}" for part, each in parts.items()]
        return _call(name, arguments, depth)

    def _container(self, module: nn.Module, stock: type, depth: int) -> str:
        parts = dict(module.named_children())
        if list(parts) == list(map(str, range(len(parts)))) and stock is not nn.ModuleDict:
            found = [self.expression(each, depth + 1) for each in parts.values()]
            if stock is nn.ModuleList:
                return _call("nn.ModuleList", [f"[{', '.join(found)}]"], depth)
            return _call("nn.Sequential", found, depth)
        if stock is not nn.Sequential:
            raise ValueError(f"--format python cannot write a {stock.__name__} with names.")
        if not all(map(str.isidentifier, parts)):
            raise ValueError(f"--format python cannot write modules named {', '.join(parts)}.")
        kept = {name: each for name, each in parts.items() if not _is_identity(each)}
        found = [f"{name}={self.expression(each, depth + 1)}" for name, each in kept.items()]
        return _call("chain", found, depth)

    def _class(self, module: nn.Module, parts: list[str]) -> str:
        kind = type(module).__name__
        body = "\n".join([*_constructor(module, parts), "", *_indented(forward_lines(module))])
        if (kind, body) not in self._names:
            count = sum(name == kind for name, _ in self._names)
            self._names[kind, body] = name = f"{kind}{count + 1}" if count else kind
            self.classes.append(f"class {name}(nn.Module):\n{body}\n")
        return self._names[kind, body]


def _stock(module: nn.Module) -> type | None:
    """The class of torch that has the module's ``forward``, or None if it has one of its own."""
    for kind in type(module).__mro__:
        if kind.__module__.startswith("torch.nn.modules.") and kind is not nn.Module:
            return kind if type(module).forward is kind.forward else None  # type: ignore[attr-defined]
    return None


def _is_identity(module: nn.Module) -> bool:
    return _stock(module) is nn.Identity


def _arguments(module: nn.Module, stock: type) -> list[str]:
    """Arguments of a constructor of torch, without those that have their defaults."""
    if stock is nn.Identity:
        return []
    found = []
    for name, parameter in inspect.signature(stock).parameters.items():
        if name in ("device", "dtype", "inplace") or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            continue
        if not hasattr(module, name):
            raise ValueError(f"--format python cannot write {stock.__name__}: its {name} is not kept.")
        value = getattr(module, name)
        if name == "bias":
            value = value is not None
        if isinstance(value, tuple) and len(set(value)) == 1:
            value = value[0]
        if parameter.default is parameter.empty:
            found.append(repr(value))
        elif value != parameter.default:
            found.append(f"{name}={value!r}")
    return found


def _call(name: str, arguments: list[str], depth: int) -> str:
    line = f"{name}({', '.join(arguments)})"
    if "\n" not in line and len(line) + len(_INDENT) * depth <= WIDTH:
        return line
    inner = _INDENT * (depth + 1)
    return f"{name}(\n" + "".join(f"{inner}{each},\n" for each in arguments) + f"{_INDENT * depth})"


def _constructor(module: nn.Module, parts: list[str]) -> list[str]:
    lines = [f"def __init__({', '.join(['self', *parts])}):", f"{_INDENT}super().__init__()"]
    lines += [f"{_INDENT}self.{name} = {name}" for name in parts]
    for name, value in module.named_parameters(recurse=False):
        lines.append(f"{_INDENT}self.{name} = nn.Parameter(torch.empty({tuple(value.shape)}))")
    for name, buffer in module.named_buffers(recurse=False):
        if name in module._non_persistent_buffers_set:
            raise ValueError(f"--format python cannot write {name}, which is in no state dict.")
        empty = f"torch.empty({tuple(buffer.shape)}, dtype={buffer.dtype})"
        lines.append(f"{_INDENT}self.register_buffer({name!r}, {empty})")
    return _indented(lines)


def _indented(lines: list[str]) -> list[str]:
    return [f"{_INDENT}{line}" if line else line for line in lines]
