"""The plain-data section of a supernet's checkpoint, and what it gives back without Lightning.

A checkpoint written by Lightning carries, under ``"dnas"``, plain data that deriving and refining need: the
space, how the supernet was built, which data it saw and, after a differentiable search, alpha and the latency
table. Nothing in it is a pickled object; see :mod:`dnas.runs.checkpoint_file` for reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from dnas.nn.supernet import Supernet
from dnas.space import SearchSpace

SECTION = "dnas"
SEARCH, ONE_SHOT = "dnas-search/1", "dnas-one-shot/1"
KINDS = {SEARCH: "search", ONE_SHOT: "one-shot"}


class CheckpointError(ValueError):
    """A file that is not a readable checkpoint of ours; the message says what was expected and what to do."""


@dataclass(frozen=True)
class SupernetCheckpoint:
    """A trained supernet: what one-shot training leaves behind, and a differentiable search too.

    Attributes:
        kind: search or one-shot.
        supernet_options: sharing, num_classes, in_channels, stem_stride.
        data: class path and arguments of the data module, if there was one.
        history: metrics of every epoch.
        training: seconds of training, and images (an image counts once for every path it went through).
        sha256: of the file.
    """

    kind: str
    space: SearchSpace
    supernet_options: Mapping[str, Any]
    weights: Mapping[str, Tensor] = field(repr=False)
    epoch: int
    seed: int
    versions: Mapping[str, str]
    data: Mapping[str, Any] | None
    history: list[dict[str, float]] = field(repr=False)
    training: Mapping[str, float]
    sha256: str

    @property
    def num_classes(self) -> int:
        """Classes of the data that it was trained on."""
        return int(self.supernet_options.get("num_classes") or self.space.num_classes)

    def build_supernet(self) -> Supernet:
        """The supernet with its trained weights, in eval mode.

        Raises:
            CheckpointError: options or weights are not those of a supernet of this space, or not finite.
        """
        try:
            supernet = Supernet(self.space, **self.supernet_options)
            supernet.load_state_dict(dict(self.weights))
        except (TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"The supernet cannot be rebuilt from the checkpoint: {error}") from error
        if problem := not_finite(supernet):
            raise CheckpointError(f"The supernet of the checkpoint cannot be used: {problem}")
        return supernet.eval()


@dataclass(frozen=True)
class SearchCheckpoint(SupernetCheckpoint):
    """What a differentiable search left behind.

    Attributes:
        alpha: (L, C) float32 architecture logits.
        table: name, kind and sha256 of the latency table that was used; of several devices the first one's.
        table_source: the name or path it was loaded from.
        tables: of several devices those of each, the first one included; empty where there was one table.
        table_sources: in the same order, each ``DEVICE=TABLE``.
    """

    alpha: Tensor
    table: Mapping[str, Any]
    table_source: str
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    table_sources: Sequence[str] = ()


def not_finite(network: nn.Module) -> str | None:
    """What is wrong where a weight or statistic that was read is not finite: what came out would be NaN."""
    named = network.state_dict().items()
    bad = [name for name, value in named if value.is_floating_point() and not value.isfinite().all()]
    if not bad:
        return None
    return f"{bad[0]} is not finite, one of {len(bad)}: the training had diverged. Use an earlier one."


def section(
    *,
    supernet: Supernet,
    seed: int,
    draws: int,
    versions: Mapping[str, str],
    data: Mapping[str, Any] | None,
    history: list[dict[str, float]],
    training: Mapping[str, float],
) -> dict[str, Any]:
    """The plain data of a one-shot supernet to store under :data:`SECTION`."""
    return {
        "format": ONE_SHOT,
        "space": supernet.space.to_dict(),
        "supernet": {"sharing": supernet.sharing, **supernet.adaptation},
        "seed": seed,
        "draws": draws,
        "versions": dict(versions),
        "data": data,
        "history": history,
        "training": dict(training),
    }


def search_section(
    alpha: Tensor, tables: Mapping[str, Mapping[str, Any]], **of_supernet: Any
) -> dict[str, Any]:
    """The plain data of a differentiable search.

    Args:
        tables: name, kind and sha256 of the table of each device, at least one.
        of_supernet: as for :func:`section`.
    """
    identities = {device: dict(table) for device, table in tables.items()}
    first = next(iter(identities.values()))
    searched = {"format": SEARCH, "alpha": alpha.detach().float().cpu().clone(), "table": first}
    return section(**of_supernet) | searched | ({"tables": identities} if len(identities) > 1 else {})
