"""Do devices rank networks alike, on which choices do they disagree, and where do their milliseconds go?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from dnas.space import SearchSpace, zoo
from dnas.space.architecture import Architecture, ArchitectureError
from latency.sources.calibrated import published
from latency.sources.calibrated.model import CalibratedModel
from latency.table import LatencyTable, shipped
from latency.table.errors import TableError

AVERAGED_NETWORKS = 100
RANDOM_MEAN = "random mean"
# In no search space, so no table holds it; the model behind a calibrated table can say.
OUTSIDE = "mobilenet_v3_large"


@dataclass(frozen=True, eq=False)
class DeviceComparison:
    """T tables of one space on the same random networks.

    Attributes:
        labels: names of the tables; where two are equal, with the beginning of their sha256.
        latency_ms: (T, n) of the random networks.
        tau: (T, T) Kendall's tau-b between the tables' rankings; NaN where a table ranks nothing.
        position: (T, D, C) ms of a choice over the mean of its layer's choices; NaN where no choice is.
        named_ms: per table the latency of every published network of the space.
        kernels_ms: label -> network -> kind of kernel -> ms; no networks where the table does not know.
    """

    space: SearchSpace
    tables: tuple[LatencyTable, ...]
    labels: tuple[str, ...]
    latency_ms: np.ndarray
    tau: np.ndarray
    position: np.ndarray
    named_ms: Mapping[str, np.ndarray]
    kernels_ms: Mapping[str, Mapping[str, Mapping[str, float]]]

    @property
    def spread(self) -> np.ndarray:
        """(D, C) largest difference of a choice's position between two tables; NaN where no choice is."""
        spread: np.ndarray = self.position.max(axis=0) - self.position.min(axis=0)
        return spread

    @property
    def ranks(self) -> np.ndarray:
        """(T, D, C) rank of a choice in its layer, 1 the fastest, of equal ones the mean; else NaN."""
        return stats.rankdata(self.position, axis=2, nan_policy="omit")


def compare_devices(
    tables: Sequence[LatencyTable], networks: int, generator: np.random.Generator
) -> DeviceComparison:
    """Compare tables of one space on ``networks`` uniformly drawn networks.

    Raises:
        TableError: fewer than two tables or networks, tables of different spaces, or one table twice.
    """
    _check(tables, networks)
    space, labels = tables[0].space, _labels(tables)
    genomes = generator.integers(space.num_choices, size=(networks, len(space)))
    latency_ms = np.array([table.latency_ms(genomes) for table in tables])
    named = published_networks(space)
    examples = [Architecture(space, tuple(genome)) for genome in genomes[:AVERAGED_NETWORKS]]
    return DeviceComparison(
        space=space,
        tables=tuple(tables),
        labels=labels,
        latency_ms=latency_ms,
        tau=np.array([[_tau(one, other) for other in latency_ms] for one in latency_ms]),
        position=np.array([_position(table) for table in tables]),
        named_ms={
            name: np.array([table.latency_ms(network) for table in tables]) for name, network in named.items()
        },
        kernels_ms={
            label: kernel_times(table, named, examples) for label, table in zip(labels, tables, strict=True)
        },
    )


def published_networks(space: SearchSpace) -> dict[str, Architecture]:
    """The published networks that are in ``space``, or in the reduced space that it is."""
    found = {}
    names = zoo.in_space(space.name) + (zoo.in_space(space.reduced_from) if space.reduced_from else [])
    for name in names:
        architecture = zoo.load(name)
        if architecture.space != space and architecture.space.name != space.reduced_from:
            continue
        try:
            found[name] = Architecture.from_names(architecture.names, space)
        except ArchitectureError:
            continue  # the reduced space has dropped one of its choices
    return found


def kernel_times(
    table: LatencyTable, named: Mapping[str, Architecture], sample: Sequence[Architecture]
) -> dict[str, dict[str, float]]:
    """Network -> kind -> ms: the ``named`` ones, MobileNetV3-Large beside them, and the mean of ``sample``.

    Empty when the table does not know the kinds of its kernels.
    """
    found = {name: table.kernel_shares(network) for name, network in named.items()}
    if named and table.provenance.get("model") in shipped.names("models"):
        model = CalibratedModel.load(table.provenance["model"])
        found[OUTSIDE] = model.parts_ms(published.load(OUTSIDE).ops)
    totals: Counter[str] = Counter()
    for network in sample:
        totals.update(table.kernel_shares(network))
    found[RANDOM_MEAN] = {kind: ms / len(sample) for kind, ms in totals.items()}
    return {name: kinds for name, kinds in found.items() if kinds} if totals else {}


def assumptions(networks: Sequence[str]) -> str:
    """What had to be assumed about these networks, empty when nothing."""
    return published.load(OUTSIDE).assumption if OUTSIDE in networks else ""


def _check(tables: Sequence[LatencyTable], networks: int) -> None:
    problems = []
    if len(tables) < 2:
        problems.append(f"two tables or more are compared, got {len(tables)}")
    if networks < 2:
        problems.append(f"two networks or more have a ranking, got {networks}")
    spaces = {table.space for table in tables}
    if len(spaces) > 1:
        problems.append(f"the tables are of different spaces: {', '.join(space.name for space in spaces)}")
    twice = [table.name for i, table in enumerate(tables) if table.sha256 in {t.sha256 for t in tables[:i]}]
    if twice:
        problems.append(f"given twice: {', '.join(twice)}")
    if problems:
        raise TableError(f"Cannot compare tables: {'; '.join(problems)}.")


def _labels(tables: Sequence[LatencyTable]) -> tuple[str, ...]:
    names = Counter(table.name for table in tables)
    return tuple(
        table.name if names[table.name] == 1 else f"{table.name} {table.sha256[:8]}" for table in tables
    )


def _tau(one: np.ndarray, other: np.ndarray) -> float:
    return float(stats.kendalltau(one, other).statistic)


def _position(table: LatencyTable) -> np.ndarray:
    ms = np.where(table.space.valid, table.ms, np.nan)
    mean = np.nanmean(ms, axis=1, keepdims=True)
    # A layer in which nothing takes time has equal choices: all at its mean.
    return np.where(mean > 0, ms, ms + 1) / np.where(mean > 0, mean, 1)
