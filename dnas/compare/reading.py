"""What the PATH of ``--run NAME=PATH`` is: a folder of refine or derive, a checkpoint, a file, a zoo name."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from dnas.compare.files import RunError, read_json, read_text, sha256_of
from dnas.compare.model import Cost
from dnas.compare.refined import read_refined
from dnas.compare.source import Found, Source, Sources
from dnas.runs.checkpoint_file import read
from dnas.space import SearchSpace, zoo
from dnas.space.architecture import Architecture, ArchitectureError


def read_sources(runs: Sequence[str]) -> Sources:
    """Read all runs, given as NAME=PATH; the same NAME several times is one method.

    Raises:
        RunError: everything that is wrong with any of them, or why they cannot be compared.
    """
    named = [run.partition("=") for run in runs]
    problems = [f"--run {''.join(run)}: expected NAME=PATH" for run in named if not (run[0] and run[2])]
    problems += [f"{path} is given twice" for path in _repeated([path for _, _, path in named])]
    sources: dict[str, tuple[Source, ...]] = {}
    for name, _, path in named if not problems else []:
        try:
            sources[name] = (*sources.get(name, ()), read_source(path))
        except ValueError as error:
            problems.append(str(error))
    problems = problems or _mismatches(sources)
    if problems:
        raise RunError("\n".join(problems))
    return sources


def _repeated(paths: Sequence[str]) -> list[str]:
    """Two spellings of one path are the same run: counted twice, it would feign agreement of seeds."""
    places = [Path(path).resolve() for path in paths]
    return [path for index, path in enumerate(paths) if places[index] in places[:index]]


def _mismatches(sources: Sources) -> list[str]:
    """One space for all, one kind for the runs of a method."""
    spaces: dict[SearchSpace, list[str]] = {}
    for source in (each for runs in sources.values() for each in runs):
        spaces.setdefault(source.space, []).append(source.path)
    problems = []
    if len(spaces) > 1:
        listing = "; ".join(
            f"{space.name} ({space.digest[:12]}...): {', '.join(paths)}" for space, paths in spaces.items()
        )
        problems.append(
            f"Only runs on one search space can be compared, these are on {len(spaces)}: {listing}."
        )
    for name, runs in sources.items():
        kinds = {source.kind: source.path for source in runs}
        if len(kinds) > 1:
            listing = ", ".join(f"{path} ({kind})" for kind, path in kinds.items())
            problems.append(f"{name}: a NAME is one method, its runs differ in kind: {listing}.")
    return problems


def read_source(path: str) -> Source:
    """Read one run.

    Args:
        path: an output folder of ``dnas refine`` or ``dnas derive``, a search checkpoint, an architecture
            file (.json), or the name of a zoo network.

    Raises:
        ValueError: it is none of these, or damaged; the message names the file.
    """
    place = Path(path)
    if place.is_dir():
        return _read_folder(place)
    if place.suffix == ".json":
        return _read_architecture(place)
    if place.is_file():
        return _read_checkpoint(place)
    if path in zoo.names():
        return _zoo_source(path)
    raise RunError(
        f"{path}: no such file, folder or zoo network (shipped: {', '.join(zoo.names())}). Give an output "
        "folder of 'dnas refine' or 'dnas derive', a search checkpoint, or an architecture file."
    )


def published(space: SearchSpace) -> tuple[Source, ...]:
    """The zoo networks of a space as one run; empty if there are none."""
    networks = {name: zoo.load(name) for name in zoo.names()}
    found = tuple(Found(each, name=name) for name, each in networks.items() if each.space == space)
    if not found:
        return ()
    return (Source("the zoo", "zoo", "published networks", space, found),)


def _read_folder(folder: Path) -> Source:
    if (folder / "run.json").is_file() or (folder / "front.json").is_file():
        return read_refined(folder)
    if (folder / "architecture.json").is_file():
        return _read_derived(folder)
    raise RunError(
        f"{folder} holds neither run.json and front.json (of 'dnas refine') nor architecture.json (of "
        "'dnas derive')."
    )


def _read_derived(folder: Path) -> Source:
    """All candidates that a derivation lists; without its list, the first alone."""
    first = _read_architecture(folder / "architecture.json")
    if not (folder / "candidates.csv").is_file():
        return first
    rows = csv.DictReader(io.StringIO(read_text(folder / "candidates.csv")))
    names = [row.get("name") or "?" for row in rows]
    each = [_read_architecture(folder / f"{Path(name).name}.json") for name in names]
    strangers = sorted({source.space.name for source in each if source.space != first.space})
    if strangers:
        raise RunError(f"{folder}: {', '.join(strangers)} beside {first.space.name}: two spaces.")
    found = tuple(one for source in each for one in source.found)
    return Source(str(folder), first.kind, "derived from alpha", first.space, found, first.sha256, first.seed)


def _read_architecture(path: Path) -> Source:
    """A single architecture; of a differentiable search if ``dnas derive`` wrote it."""
    try:
        architecture = Architecture.load(path)
    except ArchitectureError as error:
        raise RunError(str(error)) from error
    content = read_json(path, "architecture")
    derivation = content.get("derivation")
    return Source(
        path=str(path),
        kind="differentiable" if derivation else "baseline",
        details="derived from alpha" if derivation else "a single network",
        space=architecture.space,
        found=(Found(architecture, name=derivation["method"] if derivation else path.stem),),
        sha256=sha256_of(path),
        seed=content.get("provenance", {}).get("search_seed"),
    )


def _read_checkpoint(path: Path) -> Source:
    """A differentiable search; its networks follow from alpha (see ``dnas.compare.fronts``).

    It evaluates no architectures: all it spends is training.
    """
    checkpoint = read(path)
    return Source(
        path=str(path),
        kind="differentiable",
        details="most probable networks under bounds on latency",
        space=checkpoint.space,
        found=(),
        sha256=checkpoint.sha256,
        seed=checkpoint.seed,
        cost=Cost(0.0, 0.0, 0.0, checkpoint.training.get("seconds"), checkpoint.training.get("images")),
        alpha=checkpoint.alpha,
    )


def _zoo_source(name: str) -> Source:
    architecture = zoo.load(name)
    return Source(name, "zoo", "published networks", architecture.space, (Found(architecture, name=name),))
