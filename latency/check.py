"""Latencies that a paper publishes beside those of a table and of the model behind it."""

from __future__ import annotations

from dataclasses import dataclass

from dnas.space import SearchSpace
from latency import published
from latency.calibrated import CalibratedModel
from latency.errors import TableError
from latency.table import LatencyTable


@dataclass(frozen=True)
class Comparison:
    """One published network: milliseconds published, of the model, and of the table if it is in the space."""

    name: str
    kernels: int
    published_ms: float
    model_ms: float
    table_ms: float | None
    assumption: str

    @property
    def error(self) -> float:
        """Relative error of the model; negative when it is faster than published."""
        return self.model_ms / self.published_ms - 1


def compare(table: LatencyTable) -> list[Comparison]:
    """All published networks, slowest of the model first.

    Raises:
        TableError: the table was not computed from a calibrated model, so nothing is published for it.
    """
    name = table.provenance.get("model")
    if name is None:
        raise TableError(
            f"The table {table.name} ({table.kind}) names no calibrated model, so no published latencies "
            "belong to it."
        )
    model = CalibratedModel.load(name)
    rows = [_compare(network, model, table, table.space) for network in published.load_all()]
    return sorted(rows, key=lambda row: -row.model_ms)


def _compare(
    network: published.PublishedNetwork, model: CalibratedModel, table: LatencyTable, space: SearchSpace
) -> Comparison:
    architecture = network.architecture
    inside = architecture is not None and architecture.space == space
    return Comparison(
        name=network.name,
        kernels=len(model.runtime.kernels(network.ops)),
        published_ms=network.published[model.provenance["published_as"]],
        model_ms=model.latency_ms(network.ops),
        table_ms=table.latency_ms(architecture) if architecture is not None and inside else None,
        assumption=network.assumption,
    )
