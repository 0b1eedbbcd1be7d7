"""Who imports whom, read from the source: the rules of directions, and the diagram of docs/architecture.md.

    python benchmarks/directions.py            prints the diagram
    python benchmarks/directions.py --write    writes it into docs/architecture.md

Imports at any depth of a file count, those under ``if TYPE_CHECKING`` too, and so does a module that a string
names, as ``import_module`` takes it. tests/test_directions.py holds the rules.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- drawn by benchmarks/directions.py -->\n", "<!-- end of what is drawn -->"

PACKAGES = ("dnas", "latency", "lightning_modules")
# What a string may name: "dnas.nn.network", or the beginning of a name, as in f"latency.{name}".
_NAME = re.compile(r"(dnas|latency)(\.\w+)*\.\w*|lightning_modules(\.\w*)*")
_WIDTH = 30
CORE = tuple(
    f"dnas.{name}"
    for name in (
        "space",
        "blocks",
        "costs",
        "device_tables",
        "layers",
        "nn",
        "search",
        "runs",
        "report",
        "images",
        "support",
    )
)
VERBS = tuple(
    f"dnas.{name}"
    for name in (
        "derive",
        "refine",
        "sweep",
        "compare",
        "fidelity",
        "export",
        "evaluate",
        "memory",
        "data",
        "spaces",
        "zoo",
        "doctor",
    )
)


@dataclass(frozen=True)
class Rule:
    """What may not be imported.

    Attributes:
        text: the rule as CONTRIBUTING.md has it.
        of: packages (or modules) that it binds.
        never: packages that they do not import.
        free: the last part of names of modules that it does not bind.
        exceptions: module -> why it may nevertheless.
    """

    text: str
    of: tuple[str, ...]
    never: tuple[str, ...]
    free: tuple[str, ...] = ()
    exceptions: Mapping[str, str] = field(default_factory=dict)

    def binds(self, module: str) -> bool:
        """Whether the module must keep it, exceptions aside."""
        return is_below(module, self.of) and module.rpartition(".")[2] not in self.free

    def forbids(self, found: Import) -> bool:
        """Whether the import breaks it, exceptions aside."""
        return self.binds(found.importer) and is_below(found.imported, self.never)


RULES = (
    Rule(
        "`dnas.space`, `blocks`, `costs`, `device_tables`, `layers`, `nn`, `search`, `runs`, `report`, "
        "`images` and `support` import no verb and no `latency`.",
        of=CORE,
        never=(*VERBS, "latency"),
    ),
    Rule(
        "A verb (`dnas.derive`, `refine`, `sweep`, `compare`, `fidelity`, `export`, `evaluate`, `memory`, "
        "`data`, `spaces`, `zoo`, `doctor`) imports `latency` only in its `command.py`, to load a table; its "
        "other modules take a `dnas.costs.LatencyCosts`.",
        of=VERBS,
        never=("latency",),
        free=("command",),
    ),
    Rule(
        "`latency` imports of `dnas` only `space`, `blocks`, `costs`, `report` and `support`, and `layers` "
        "and `nn` to measure real blocks.",
        of=("latency",),
        never=(*VERBS, "dnas.search", "dnas.runs"),
    ),
    Rule(
        "`dnas` and `latency` never import `lightning_modules`, not even by name at run time: a command "
        "hands over what they need of it.",
        of=("dnas", "latency"),
        never=("lightning_modules",),
        exceptions={"dnas.fidelity.command": "hands Lightning's trainer to the audit"},
    ),
)
NO_CYCLES = "Folders never import each other in a circle."


class Import(NamedTuple):
    """One import of a module of ours by another."""

    importer: str
    imported: str
    line: int


def is_below(module: str, packages: Iterable[str]) -> bool:
    """Whether the module is one of the packages, or in one."""
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def is_exception(found: Import) -> bool:
    """Whether a rule lets this import pass by name."""
    return any(rule.forbids(found) and found.importer in rule.exceptions for rule in RULES)


def find_imports(root: Path = ROOT) -> list[Import]:
    """All imports of modules of ours below ``root`` by each other.

    Raises:
        ValueError: a relative import, which names no package.
    """
    trees = _trees(root)
    found = (
        Import(module, imported, node.lineno)
        for module, tree in trees.items()
        for node in ast.walk(tree)
        for name in _names(node, trees)
        if (imported := _defined(name, trees)) and imported != module
    )
    return sorted(set(found))


def _trees(root: Path) -> dict[str, ast.Module]:
    """Module -> syntax tree."""
    paths = [path for package in PACKAGES for path in sorted((root / package).rglob("*.py"))]
    return {_module(path.relative_to(root)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def _module(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _names(node: ast.AST, trees: Mapping[str, ast.Module]) -> list[str]:
    """Dotted names that a node of a syntax tree imports, ours and others."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        if node.level:
            raise ValueError(f"line {node.lineno}: a relative import; write the whole name of the module")
        return [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_name(node.value, trees):
        return [node.value]
    return []


def _is_name(text: str, trees: Mapping[str, ast.Module]) -> bool:
    """Whether a string names a module of ours: "latency.csv" does not."""
    if not _NAME.fullmatch(text):
        return False
    return text.startswith("lightning_modules") or text.endswith(".") or "." in _defined(text, trees)


def _defined(name: str, trees: Mapping[str, ast.Module]) -> str:
    """The module of ours that has a name: of one that ``latency`` passes on, where it is from; "" if none."""
    parts = name.rstrip(".").split(".")
    starts = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    module = next((start for start in starts if start in trees), "")
    if module == parts[0] and len(parts) > 1:
        passed_on = (node for node in ast.walk(trees[module]) if isinstance(node, ast.ImportFrom))
        for node in passed_on:
            if any(alias.name == parts[1] for alias in node.names):
                return _defined(f"{node.module}.{parts[1]}", trees)
    return module


def folder(module: str) -> str:
    """Where a module lives, two names deep; files at the top of ``lightning_modules`` count as one folder."""
    parts = module.split(".")
    if parts[0] == "lightning_modules" and not (ROOT / "lightning_modules" / "/".join(parts[1:2])).is_dir():
        return "lightning_modules"
    return ".".join(parts[:2])


def arrows(found: Iterable[Import]) -> dict[str, set[str]]:
    """Folder -> the folders that it imports. The doors ``dnas`` and ``latency`` themselves are left out."""
    drawn: dict[str, set[str]] = {}
    for each in found:
        start, end = folder(each.importer), folder(each.imported)
        if start != end and not {start, end} & {"dnas", "latency"}:
            drawn.setdefault(start, set()).add(end)
            drawn.setdefault(end, set())
    return drawn


def storeys(drawn: Mapping[str, set[str]]) -> list[list[str]]:
    """Folders from top to bottom: each imports only those of storeys below its own.

    Raises:
        graphlib.CycleError: they import each other in a circle.
    """
    sorter = TopologicalSorter(drawn)
    sorter.prepare()
    built = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        sorter.done(*ready)
        built.append(ready)
    return built[::-1]


def draw(found: Sequence[Import]) -> str:
    """The diagram of all arrows, exceptions marked, and a line per folder from its first docstring."""
    regular = arrows(each for each in found if not is_exception(each))
    every = arrows(found)
    order = [name for storey in storeys(regular) for name in storey]
    lines = [line for name in order for line in _arrows_of(name, every[name], regular[name])]
    described = [f"- `{_place(name)}`: {_first_line(name)}" for name in order]
    return "\n".join(["```text", *lines, "```", "", *described, ""])


def _arrows_of(name: str, ends: set[str], regular: set[str]) -> Iterator[str]:
    """A line for each package that the folder imports from."""
    start = _place(name)
    if not ends:
        yield start
    for package in sorted({end.partition(".")[0] for end in ends}):
        mine = sorted(end for end in ends if end.partition(".")[0] == package)
        shown = (
            (end.partition(".")[2] or "*.py") + ("" if end in regular else " (exception)") for end in mine
        )
        yield f"{start:<{_WIDTH}}─► {package}: {', '.join(shown)}"
        start = ""


def _place(name: str) -> str:
    path = ROOT / name.replace(".", "/")
    if name in PACKAGES:
        return f"{name}/*.py"
    return f"{name.replace('.', '/')}{'/' if path.is_dir() else '.py'}"


def _first_line(name: str) -> str:
    path = ROOT / name.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].replace(":mod:", "")


def page_with(diagram: str, page: str) -> str:
    """The page with this diagram between its two marks."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}{diagram}{END}{rest.partition(END)[2]}"


def main(arguments: Sequence[str]) -> None:
    """Print the diagram, or write it."""
    diagram = draw(find_imports())
    if "--write" in arguments:
        PAGE.write_text(page_with(diagram, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(diagram, end="")


if __name__ == "__main__":
    main(sys.argv[1:])
