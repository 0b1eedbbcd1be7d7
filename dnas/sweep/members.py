"""From the checkpoint of a search to its members of the sweep: a network for every target."""

from __future__ import annotations

import dataclasses
import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

from rich.console import Console

from dnas.derive.command import Candidate, load_costs
from dnas.derive.command import main as derive
from dnas.runs.checkpoint_file import read
from dnas.support.files import write_text
from dnas.support.sealed_json import seal, unseal

RECORD = "members.json"


@dataclass(frozen=True)
class Member:
    """The most probable network of a search that is at most as slow as a target.

    Attributes:
        search: its name in the sweep.
        space: name of the space that was searched, the member of a family if it was scaled.
        top1, loss: one-shot, on the validation split; None where not measured, or not finite.
        file: of the architecture, relative to the sweep's folder.
    """

    search: str
    space: str
    resolution: int
    target_ms: float
    latency_ms: float
    params: int
    madds: int
    top1: float | None
    loss: float | None
    architecture: str
    file: str

    @property
    def name(self) -> str:
        """For figures and tables."""
        return f"{self.search}, at most {self.target_ms:g} ms"


@dataclass(frozen=True)
class Derived:
    """What a search gave.

    Attributes:
        unattainable: targets below the latency of the space's fastest network, ``fastest_ms``.
        device: what the latencies are of; latencies of two devices make no front.
        table: name of the latency table.
    """

    members: tuple[Member, ...]
    unattainable: tuple[float, ...]
    fastest_ms: float
    latency_kind: str
    device: str
    table: str


def derive_members(
    name: str, checkpoint: Path, targets: Sequence[float], output: Path, table: str | None, accuracy: bool
) -> Derived:
    """Derive into ``output/derived/name``, or read what the same derivation left there.

    Args:
        table: another latency table than the search used.
        accuracy: whether one-shot accuracy is measured.

    Raises:
        ValueError: a file that is no checkpoint of a search, or a table that does not fit.
    """
    searched, folder = read(checkpoint), output / "derived" / name
    costs, _ = load_costs(searched, table)
    key = {
        "checkpoint": searched.sha256,
        "table": costs.sha256,
        "targets_ms": list(targets),
        "accuracy": accuracy,
    }
    known = _read(folder / RECORD, key)
    if known is not None:
        return known
    fastest = costs.latency_ms(costs.cheapest())
    attainable = [target for target in targets if target >= fastest]
    options = ["--checkpoint", str(checkpoint), "--output", str(folder), "--overwrite"]
    options += ["--table", table] if table else []
    options += [] if accuracy else ["--no-accuracy"]
    options += ["--latency-below", *(repr(target) for target in attainable)]
    candidates = derive.run(derive.parser().parse_args(options), Console(quiet=True)) if attainable else []
    facts = costs.provenance
    found = Derived(
        members=tuple(
            _member(name, target, candidate, folder.relative_to(output))
            for target, candidate in zip(attainable, candidates, strict=True)
        ),
        unattainable=tuple(target for target in targets if target < fastest),
        fastest_ms=fastest,
        latency_kind=costs.kind,
        device=f"{facts['device']} ({facts['gpu']}), {facts['runtime']} {facts['runtime_version']}",
        table=costs.name,
    )
    write_text(folder / RECORD, json.dumps(seal({"key": key, **dataclasses.asdict(found)}), indent=1) + "\n")
    return found


def _member(search: str, target: float, candidate: Candidate, folder: Path) -> Member:
    architecture, evaluation = candidate.derived.architecture, candidate.evaluation
    return Member(
        search=search,
        space=architecture.space.name,
        resolution=architecture.space.resolution,
        target_ms=target,
        latency_ms=candidate.latency_ms,
        params=candidate.params,
        madds=candidate.madds,
        top1=evaluation.top1 if evaluation else None,
        loss=evaluation.loss if evaluation and math.isfinite(evaluation.loss) else None,
        architecture=str(architecture),
        file=(folder / f"{candidate.derived.name}.json").as_posix(),
    )


def _read(path: Path, key: dict[str, Any]) -> Derived | None:
    """What was derived under that key; None: nothing was, or under another one, or it is damaged."""
    if not path.is_file():
        return None
    try:
        content = unseal(json.loads(path.read_text(encoding="utf-8")))
        if content.pop("key") != key:
            return None
        members = tuple(Member(**each) for each in content.pop("members"))
        found = Derived(members, tuple(content.pop("unattainable")), **content)
        _check_kinds(found)
        for member in members:
            _check_kinds(member)
        return found
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        warnings.warn(f"{path} is damaged ({error!r}): its networks are derived again.", stacklevel=2)
        return None


def _check_kinds(record: Derived | Member) -> None:
    """Raises TypeError where a value, read from JSON, is of another kind than it is declared to be."""
    kinds: dict[str, Any] = {
        "str": str,
        "int": int,
        "float": (int, float),
        "float | None": (int, float, NoneType),
    }
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        numbers = value if field.name == "unattainable" else ()
        kind = kinds.get(str(field.type), tuple)
        if not isinstance(value, kind) or not all(isinstance(each, int | float) for each in numbers):
            raise TypeError(f"{field.name} is {value!r}")
