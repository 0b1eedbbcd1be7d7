"""What the PATH of ``--run NAME=PATH`` is: a folder of refine or derive, a checkpoint, a file, a zoo name."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dnas.compare.files import RunError, read_columns, read_json, read_text, sha256_of
from dnas.compare.model import Box, Cost
from dnas.compare.source import EvaluatorKey, Found, Refinement, Source, Sources
from dnas.runs.checkpoint_file import read
from dnas.runs.evaluator import Evaluation
from dnas.space import SearchSpace, zoo
from dnas.space.architecture import Architecture, ArchitectureError
from dnas.space.space_file import SpaceError


def read_sources(runs: Sequence[str]) -> Sources:
    """Read all runs, given as NAME=PATH; the same NAME several times is one method.

    Raises:
        RunError: everything that is wrong with any of them, or why they cannot be compared.
    """
    named = [run.partition("=") for run in runs]
    problems = [
        f"--run {''.join(run)}: expected NAME=PATH, or the name of a zoo network"
        for run in named
        if not (run[0] and run[2])
    ]
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
    networks = {name: zoo.load(name) for name in zoo.in_space(space.name)}
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


def read_refined(folder: Path) -> Source:
    """Read the output folder of a refinement, of any algorithm.

    Raises:
        RunError: a file is missing, damaged, of another format, or does not fit the others; several devices.
    """
    if devices := sorted(path.parent for path in folder.glob("devices/*/run.json")):
        raise RunError(
            f"{folder} is a refinement for several devices at once: give the folder of one of them, "
            f"{', '.join(map(str, devices))}."
        )
    run = read_json(folder / "run.json", "run")
    front = read_json(folder / "front.json", "front")
    space = _space(folder, run, front)
    return Source(
        path=str(folder),
        kind="evolutionary" if run["algorithm"] == "nsga2" else "baseline",
        details=_details(run),
        space=space,
        found=_members(folder / "front.json", front, space, run["evaluator"]["validation_images"]),
        sha256=sha256_of(folder / "front.json"),
        seed=run["seed"],
        cost=_cost(run),
        refinement=_refinement(folder, run),
    )


def _space(folder: Path, run: dict[str, Any], front: dict[str, Any]) -> SearchSpace:
    try:
        space = SearchSpace.from_dict(run["space"])
    except SpaceError as error:
        raise RunError(f"{folder / 'run.json'}: {error}") from error
    if front["space_sha256"] != space.digest:
        raise RunError(
            f"{folder}: front.json is of another space (sha256 {front['space_sha256'][:12]}...) than "
            f"run.json ({space.name}, {space.digest[:12]}...)."
        )
    return space


def _members(path: Path, front: dict[str, Any], space: SearchSpace, images: int) -> tuple[Found, ...]:
    found, problems = [], []
    for index, member in enumerate(front["members"]):
        try:
            architecture = Architecture.from_names(member["choices"], space)
        except ArchitectureError as error:
            problems.append(f"member {index + 1}: {error}")
            continue
        # JSON has no infinity: null is the loss of a network that diverged.
        loss = math.inf if member["loss"] is None else member["loss"]
        evaluation = Evaluation(member["top1"], member["top5"], loss, images)
        found.append(Found(architecture, evaluation, member["generation"]))
    if problems:
        raise RunError(f"{path}: {'; '.join(problems)}")
    return tuple(found)


def _details(run: dict[str, Any]) -> str:
    """E.g. 'nsga2, weights 2 2 1, population 70, 120 generations, seeded'."""
    parts = [run["algorithm"]]
    if run["weights"] and run["algorithm"] != "nsga2-equal-weights":
        parts.append(f"weights {' '.join(f'{weight:g}' for weight in run['weights'])}")
    if run.get("predictor"):
        parts.append(f"predictor {run['predictor']}")
    parts += [f"population {run['population']}", f"{run['generations']} generations"]
    if run["seeded_from"]:
        parts.append("seeded")
    if run.get("target_ms") is not None:
        parts.append(f"target {run['target_ms']:g} ms")
    bounds = run.get("bounds", {})
    if bounds.get("latency_below_ms") is not None:
        parts.append(f"latency at most {bounds['latency_below_ms']:g} ms")
    if bounds.get("params_above") is not None:
        parts.append(f"at least {bounds['params_above']:,.0f} parameters")
    return ", ".join(parts)


def _cost(run: dict[str, Any]) -> Cost:
    training, cost = run["checkpoint"].get("training", {}), run["cost"]
    return Cost(
        seconds=cost["seconds"],
        images=cost["images"],
        evaluations=cost["evaluations"],
        training_seconds=training.get("seconds"),
        training_images=training.get("images"),
    )


def _refinement(folder: Path, run: dict[str, Any]) -> Refinement:
    rows = read_columns(folder / "hypervolume.csv", ("evaluations", "hypervolume"))
    checkpoint, evaluator = run["checkpoint"], run["evaluator"]
    return Refinement(
        quality=run["quality"],
        evaluator=EvaluatorKey(checkpoint["sha256"], evaluator["recalibration_batches"]),
        checkpoint=checkpoint["file"],
        checkpoint_kind=checkpoint["kind"],
        validation_images=evaluator["validation_images"],
        table_sha256=run["table"]["sha256"],
        box=Box(*(tuple(run["box"][name]) for name in ("quality", "latency_ms", "params"))),
        curve=tuple((evaluations, hypervolume) for evaluations, hypervolume in rows),
        seeded_from=tuple(run["seeded_from"] or ()),
        finished=run["finished"],
    )
